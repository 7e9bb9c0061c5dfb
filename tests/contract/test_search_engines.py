"""Every engine under one suite: the doubles and, where SEARCH_TEST_URL is set, a real server.

SEARCH_TEST_ENGINE says what that is (elasticsearch by default). Its indexes begin with `pushmill-test-`, and go again.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from embedded.search_server import Fault, SearchServer
from processors.outbound import HttpClient
from processors.search.engine import EngineAwayError, EngineRefusesError, Operation, Result
from processors.search.opening import engine_of
from processors.search.settings import SearchSettings
from processors.search.writer import Writer
from tests.support.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.search.engine import Engine

REAL_URL = os.environ.get("SEARCH_TEST_URL")  # noqa: TID251 -- which servers a test has
REAL_ENGINE = os.environ.get("SEARCH_TEST_ENGINE", "elasticsearch")  # noqa: TID251
DOUBLES = ["elasticsearch", "zincsearch"]
KINDS = [*DOUBLES, *(["real"] if REAL_URL else [])]
VERSIONED = ["elasticsearch", *(["real"] if REAL_URL and REAL_ENGINE != "zincsearch" else [])]
LAG = 0.05  # seconds
NO_HANDLER = {"error": "no handler found for uri [/a/b/_bulk] and method [POST]"}
HOSTILE = ["a/b?c#d", "quote\"s'", "line\nbreak", "Zoë 🎉", "_id", "../..", " ", "%2F", "x" * 512]


class Place:
    """An engine under test, and a name of its own for an index."""

    def __init__(self, url: str, name: str, http: HttpClient, server: SearchServer | None) -> None:
        self.server, self.url, self.http = server, url, http
        self.engine: Engine = engine_of(_settings(url, name), http)
        self.writer = Writer(self.engine)
        self.index = f"pushmill-test-{uuid.uuid4().hex[:12]}"

    async def write(self, *operations: tuple[str, dict[str, Any] | None, int | None]) -> list[Result]:
        """Write (id, document, version) in one go; returns what became of each."""
        given = [
            Operation(self.index, row_id, None if document is None else json.dumps(document), version)
            for row_id, document, version in operations
        ]
        return [verdict.result for verdict in await self.writer.write_all(given)]

    async def count(self, number: int, name: str | None = None) -> None:
        """Wait until a search finds so many documents."""

        async def is_so() -> bool:
            return await self.engine.count(name or self.index) == number

        is_there: bool = await until(is_so)
        assert is_there


def _settings(url: str, name: str) -> SearchSettings:
    return SearchSettings.model_validate(
        {"search_url": SecretStr(url), "search_engine": name, "search_index_prefix": ""}
    )


@pytest.fixture(params=KINDS)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """An engine."""
    http = HttpClient()
    server = None if request.param == "real" else SearchServer(request.param, lag=LAG * (request.param == "zincsearch"))
    url = await server.start() if server else str(REAL_URL)
    place = Place(url, server.kind if server else REAL_ENGINE, http, server)
    yield place
    for name in [place.index, *await place.engine.built(place.index)]:
        await place.engine.drop(name)
    await http.close()
    if server:
        await server.stop()


@pytest.fixture
def double(place: Place) -> SearchServer:
    """The engine, which can be told to fail: `of_doubles` leaves the real one out."""
    assert place.server is not None
    return place.server


of_doubles = pytest.mark.parametrize("place", DOUBLES, indirect=True)


async def test_documents_come_and_go(place: Place) -> None:
    """A document is written, written again and deleted; one that is not there is missing. Any id will do."""
    assert await place.write(*((row_id, {"n": 1}, None) for row_id in HOSTILE)) == [Result.INDEXED] * len(HOSTILE)
    await place.count(len(HOSTILE))
    assert await place.write(("_id", {"n": 2}, None), ("%2F", None, None), ("none", None, None)) == [
        Result.INDEXED,
        Result.DELETED,
        Result.MISSING,
    ]
    await place.count(len(HOSTILE) - 1)


async def test_an_index_that_is_not_there_has_no_documents(place: Place) -> None:
    """A backfill of a table without rows makes none, and counts."""
    assert 0 == await place.engine.count(place.index)


async def test_a_refused_document_harms_no_other(place: Place) -> None:
    """Its reason is the engine's, without the value that it could not read."""
    await place.write(("first", {"n": 1}, None))
    await place.count(1)
    operations = [
        Operation(place.index, row_id, json.dumps({"n": value}))
        for row_id, value in (("a", 1), ("b", "a] secret words"), ("c", 3))
    ]

    verdicts = await place.writer.write_all(operations)
    left = [operation for operation, it in zip(operations, verdicts, strict=True) if it.result is Result.BUSY]
    again = await place.writer.write_all(left)

    assert [verdict.result for verdict in (*verdicts[:2], *(again or verdicts[2:]))] == [
        Result.INDEXED,
        Result.FAILED,
        Result.INDEXED,
    ]
    assert "[n]" in verdicts[1].reason
    assert "secret" not in verdicts[1].reason
    await place.count(3)


@pytest.mark.parametrize("place", VERSIONED, indirect=True)
async def test_versions_never_go_back(place: Place) -> None:
    """An older version is stale, and the same one is written again; a delete has a version, too."""
    assert place.engine.has_versions
    assert await place.write(("1", {"n": 5}, 5), ("1", {"n": 4}, 4), ("1", {"n": 5}, 5)) == [
        Result.INDEXED,
        Result.STALE,
        Result.INDEXED,
    ]
    assert await place.write(("1", None, 4), ("1", None, 6), ("1", {"n": 5}, 5)) == [
        Result.STALE,
        Result.DELETED,
        Result.STALE,
    ]


async def test_an_alias_takes_the_place_of_an_index_and_of_an_alias(place: Place) -> None:
    """Searches and writes go to the index behind it; what a rebuild has left is found."""
    built = [f"{place.index}-{number:017}" for number in (1, 2, 3)]
    await place.write(("old", {"n": 1}, None))
    for name in (*built, built[0]):
        await place.engine.create(name)

    assert await place.engine.swap(place.index, built[0]) == []
    await place.write(("new", {"n": 1}, None), ("newer", {"n": 1}, None))
    await place.count(2)
    await place.count(2, built[0])
    assert await place.engine.swap(place.index, built[1]) == [built[0]]
    await place.engine.drop(built[0])
    await place.engine.drop(built[0])

    await place.count(0)
    assert await place.engine.built(place.index) == [built[2]]
    await place.engine.drop(built[1])


@of_doubles
@pytest.mark.parametrize("status", [429, 502, 503, 504, 500])
async def test_an_engine_that_can_t_now_is_left_alone(place: Place, double: SearchServer, status: int) -> None:
    """The jobs wait as long as it asks; until then it gets no request."""
    double.faults.append(Fault(status, {"Retry-After": "42"}, {"error": {"type": "busy", "reason": "later"}}))

    with pytest.raises(EngineAwayError, match=f"answers {status} .busy: later") as first:
        await place.write(("1", {}, None))
    with pytest.raises(EngineAwayError) as second:
        await place.write(("1", {}, None))

    assert first.value.delay == 42
    assert 40 < second.value.delay <= 42
    assert double.indexes.bulks == []


@of_doubles
@pytest.mark.parametrize(
    "fault",
    [
        Fault(200, body="<html>"),
        Fault(200, body="[" * 20_000),
        Fault(200, body={"items": []}),
        Fault(200, body={}),
        Fault(200, body={"items": [7]}),
        Fault(200, body={"items": [{}]}),
        Fault(cut=True),
    ],
    ids=["html", "deep", "no items", "empty", "a number", "no action", "cut"],
)
async def test_what_was_answered_is_not_known(place: Place, double: SearchServer, fault: Fault) -> None:
    """Then nothing counts as written."""
    double.faults.append(fault)
    try:
        results = await place.write(("1", {}, None))
    except EngineAwayError:
        return
    assert results == [Result.BUSY]  # of ZincSearch, which is known to leave documents out


@pytest.mark.parametrize("fault", [Fault(404, body={}), Fault(405), Fault(301), Fault(400, body=NO_HANDLER)], ids=repr)
@of_doubles
async def test_a_wrong_url_buries_no_document(place: Place, double: SearchServer, fault: Fault) -> None:
    """What was asked is not in the engine's power to refuse: somebody must correct SEARCH_URL."""
    double.faults.append(fault)

    with pytest.raises(EngineRefusesError, match=f"answers {fault.status}: is SEARCH_URL right"):
        await place.write(("1", {}, None))


@pytest.mark.parametrize("place", ["elasticsearch"], indirect=True)
async def test_an_engine_that_makes_no_index_is_told(place: Place, double: SearchServer) -> None:
    """The documents wait until there is one."""
    error = {"type": "index_not_found_exception", "reason": "no such index"}
    double.faults.append(Fault(200, body={"items": [{"index": {"status": 404, "error": error}}]}))

    with pytest.raises(EngineRefusesError, match="index_not_found_exception"):
        await place.write(("1", {}, None))


@pytest.mark.parametrize("place", ["zincsearch"], indirect=True)
@pytest.mark.parametrize("levels", [501, 3_000, 20_000, 200_000])
async def test_a_document_that_is_nested_too_deeply_harms_no_other(place: Place, levels: int) -> None:
    """ZincSearch would skip it, and take the next action for a document; Python's limit depends on its version."""
    texts = ["{}", f'{{"deep": {"[" * levels}{"]" * levels}}}', f'{{"n": {"[" * 499}{"]" * 499}}}']

    verdicts = await place.writer.write_all(
        [Operation(place.index, str(number), text) for number, text in enumerate(texts)]
    )

    assert [verdict.result for verdict in verdicts] == [Result.INDEXED, Result.FAILED, Result.INDEXED]
    await place.count(2)


@pytest.mark.parametrize("kind", DOUBLES)
async def test_a_wrong_password_is_told_apart(kind: Any) -> None:
    """The message has the variable, and no password."""
    server, http = SearchServer(kind, user="ada:s3cret"), HttpClient()
    url = await server.start()
    for wrong in (url.replace("s3cret", "guess"), url.replace("ada:s3cret@", "")):
        with pytest.raises(EngineRefusesError, match="answers 401: is SEARCH_URL right") as caught:
            await Place(wrong, kind, http, server).write(("1", {}, None))
        assert "guess" not in str(caught.value)
        assert caught.value.delay == 300
    assert await Place(url, kind, http, server).write(("1", {}, None)) == [Result.INDEXED]
    await http.close()
    await server.stop()


@of_doubles
async def test_a_request_that_is_too_large_is_halved(place: Place, double: SearchServer) -> None:
    """Until the engine takes it; a document that is too large alone fails."""
    double.max_request = 4000
    documents = [(str(number), {"text": "z" * (5000 if number == 3 else 900)}, None) for number in range(8)]

    results = await place.write(*documents)

    assert [number for number, result in enumerate(results) if result is not Result.INDEXED] == [3]
    assert results[3] is Result.FAILED
    await place.count(7)


@of_doubles
async def test_requests_have_500_documents_and_5_mebibytes(place: Place, double: SearchServer) -> None:
    """Whatever jobs wait together."""
    await place.write(*((str(number), {}, None) for number in range(501)))
    await place.write(*((str(number), {"text": "z" * 800_000}, None) for number in range(8)))

    assert double.indexes.bulks == [500, 1, 6, 2]


@of_doubles
async def test_only_what_the_engine_can_t_take_now_is_sent_again(place: Place, double: SearchServer) -> None:
    """ZincSearch stops there, and has not read the rest."""
    double.indexes.busy = {"2"}

    results = await place.write(*((str(number), {}, None) for number in range(4)))

    rest = Result.BUSY if double.kind == "zincsearch" else Result.INDEXED
    assert results == [Result.INDEXED, Result.INDEXED, Result.BUSY, rest]


@of_doubles
async def test_operations_of_many_jobs_share_requests(place: Place, double: SearchServer) -> None:
    """What waits while a request is under way goes together."""
    writes = (place.writer.write(Operation(place.index, str(number), "{}")) for number in range(20))

    assert {verdict.result for verdict in await asyncio.gather(*writes)} == {Result.INDEXED}
    assert len(double.indexes.bulks) <= 3
