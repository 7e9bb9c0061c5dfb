"""`cache-warm`: one job makes a value for all, and an error leaves the old one."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr, ValidationError

from processors.maintenance import sources, warm
from processors.maintenance.payload import CacheWarmPayload
from processors.maintenance.sources import Sources, as_bytes
from processors.maintenance.warm import CacheWarm, WarmDependencies
from processors.outbound import Answer
from queue_lib.broker.app_cache import MemoryAppCache
from queue_lib.errors import PermanentError, SnoozeError, TransientError
from storage.errors import SchemaError, StatementRefusedError, StorageAwayError
from tests.support.fakes import FakeContext

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "cache:top"


class Views:
    """The view `cache_top`, whose reading takes a while."""

    def __init__(self) -> None:
        self.value: str | None = '[{"id":1}]'
        self.asked = 0
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, name: str, most: int) -> str | None:
        """See the port."""
        assert (name, most) == ("top", 5 * 1024**2)
        self.asked += 1
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return self.value


class Http:
    """An app that answers what a test says."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str, dict[str, Any]]] = []

    async def request(self, method: str, url: object, **words: Any) -> Answer:
        """See HttpClient."""
        self.asked.append((method, str(url), words))
        return self.answer


class World:
    """A cache, and what jobs of it work with."""

    def __init__(self, **functions: Callable[..., Any]) -> None:
        self.views, self.cache, self.http = Views(), MemoryAppCache(), Http(Answer(200, {}, b"page"))
        made: Any = Sources(self.views, self.http, "http://app:3000", SecretStr("t"), functions, "tools")  # type: ignore[arg-type]  # fakes
        self.dependencies = WarmDependencies(self.cache, "cache:", made, lambda: 0.5, lambda _: asyncio.sleep(0))

    async def run(self, source: str = "view:top", key: str = KEY, **data: Any) -> dict[str, Any]:
        """Run a job."""
        payload = CacheWarmPayload.model_validate({"cacheKey": key, "dataSource": source, **data})
        result = await CacheWarm(self.dependencies)(payload, FakeContext())
        return result.model_dump(by_alias=True)

    def value(self, key: str = KEY) -> bytes | None:
        """What the app would read."""
        found = self.cache.values.get(key)
        return found and found[0]


async def test_the_value_of_a_view_is_cached() -> None:
    """With the time that is left; the second time it is unchanged."""
    world = World()
    result = await world.run(ttl=60)
    assert 59 < result.pop("ttl") <= 60
    assert result == {"cacheKey": KEY, "bytes": 10, "source": "view:top", "unchanged": False}
    assert world.value() == b'[{"id":1}]'
    assert (await world.run())["unchanged"] is True
    world.views.value = "[]"
    assert (await world.run())["unchanged"] is False
    assert await world.cache.holder(KEY) is None


async def test_eight_warmers_of_one_key_make_one_query() -> None:
    """The others wait, and have the same result. Another key is made beside them."""
    world = World()
    world.views.gate.clear()
    jobs = [asyncio.create_task(world.run()) for _ in range(8)]
    other = asyncio.create_task(world.run(key="cache:other"))
    for _ in range(50):
        await asyncio.sleep(0)
    assert world.views.asked == 2
    world.views.gate.set()

    results = [await job for job in jobs]

    assert world.views.asked == 2
    assert sorted(result["unchanged"] for result in results) == [False, *[True] * 7]
    assert {result["bytes"] for result in results} == {10}
    assert (await other)["unchanged"] is False


async def test_a_failing_source_keeps_the_old_value() -> None:
    """Each fault as it is: an outage uses no attempt, a view that is not there can't be helped."""
    world = World()
    await world.run(ttl=1000)
    for fault, ending in (
        (StorageAwayError("away"), SnoozeError),
        (SchemaError("there is no view"), PermanentError),
        (StatementRefusedError("refused"), PermanentError),
        (RuntimeError("bug"), RuntimeError),
    ):
        world.views.fault = fault
        with pytest.raises(ending):
            await world.run()
        assert world.value() == b'[{"id":1}]'
        assert (await world.cache.look(KEY))[1] > 900
        assert await world.cache.holder(KEY) is None


async def test_another_job_tries_where_the_first_one_failed() -> None:
    """Those that wait do not fail with it."""
    world = World()
    world.views.gate.clear()
    first, second = asyncio.create_task(world.run()), asyncio.create_task(world.run())
    for _ in range(20):
        await asyncio.sleep(0)
    first.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    world.views.gate.set()
    assert (await second)["unchanged"] is False
    assert world.views.asked == 2


async def test_a_value_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its lock ends."""
    assert warm.LONGEST < warm.LOCKED
    monkeypatch.setattr(warm, "LONGEST", 0.01)
    world = World()
    world.views.gate.clear()
    with pytest.raises(TransientError, match="no value within"):
        await world.run()


@pytest.mark.parametrize("others", [{}, {f"{KEY}:pushmill-lock": (b"another", 1e18)}])
async def test_one_who_lost_its_lock_writes_nothing(others: dict[str, Any]) -> None:
    """Its value may be the older one. It tries again: a Redis may evict a lock, so that nobody has made the value."""
    world = World()

    async def slow(_tools: Any, _params: Any) -> str:
        world.cache.values = dict(others)
        return "old"

    world.dependencies = replace(
        world.dependencies, sources=replace(world.dependencies.sources, functions={"slow": slow})
    )
    with pytest.raises(TransientError, match="the lock of cache:top was lost"):
        await world.run("own:slow")
    assert world.value() is None
    assert world.cache.values == others


async def test_a_write_whose_answer_was_lost_is_not_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent again on a new connection, and finds its own lock given back."""
    world = World()
    write = world.cache.write

    async def twice(*args: Any) -> bool | None:
        await write(*args)
        return await write(*args)

    monkeypatch.setattr(world.cache, "write", twice)
    assert (await world.run())["bytes"] == 10
    assert world.views.asked == 1


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 90), (1.0, 110), (0.5, 100)])
async def test_ends_are_spread(chance: float, seconds: float) -> None:
    """By ten percent each way: keys that were warmed together do not expire together."""
    world = World()
    world.dependencies = replace(world.dependencies, chance=lambda: chance)
    assert (await world.run(ttl=100))["ttl"] == pytest.approx(seconds, abs=1)


@pytest.mark.parametrize("key", ["bull:push-notifications:meta", "rq:queues", "cach", "CACHE:top", "xcache:top"])
async def test_no_key_beyond_the_prefix_is_written(key: str) -> None:
    """A producer could write over the queues."""
    world = World()
    with pytest.raises(PermanentError, match="cacheKey: does not begin with cache:, which CACHE_PREFIX names"):
        await world.run(key=key)
    assert world.cache.values == {}
    assert world.views.asked == 0


async def test_what_is_not_set_is_named() -> None:
    """One line a source."""
    world = World()
    world.dependencies = replace(world.dependencies, sources=Sources(None, world.http))  # type: ignore[arg-type]  # a fake
    for source, words in (
        ("view:top", "DATABASE_URL is not set"),
        ("app:/top", "APP_INTERNAL_URL is not set"),
        ("own:top", "no module of JOBS has it in CACHE_SOURCES; there are none"),
    ):
        with pytest.raises(PermanentError, match=words):
            await world.run(source)
    world.dependencies = replace(world.dependencies, prefix=None)
    with pytest.raises(PermanentError, match=r"^CACHE_PREFIX is not set: "):
        await world.run()


@pytest.mark.parametrize(
    "data",
    [
        {"cacheKey": ""},
        {"cacheKey": "cache:\n"},
        {"cacheKey": "x" * 513},
        {"dataSource": "https://evil.example"},
        {"dataSource": "app:evil"},
        {"dataSource": "app://evil\n"},
        {"dataSource": "view:top; DROP TABLE x"},
        {"dataSource": 'view:top"'},
        {"dataSource": "view:"},
        {"dataSource": "own:os.system()"},
        {"ttl": 0},
        {"ttl": 2_592_001},
        {"params": [1]},
        {"params": {"a": 1}},
    ],
)
def test_a_bad_payload_is_refused(data: dict[str, Any]) -> None:
    """A view takes no params, either."""
    with pytest.raises(ValidationError):
        CacheWarmPayload.model_validate({"cacheKey": KEY, "dataSource": "view:top", **data})


async def test_a_page_of_the_app_is_cached_as_it_is() -> None:
    """Its token goes along, and nothing else."""
    world = World()
    world.http.answer = Answer(200, {}, b"\x00\xff text")
    await world.run("app:/api/top?limit=3", params={"q": "é"})
    assert world.value() == b"\x00\xff text"
    [(method, url, words)] = world.http.asked
    assert (method, url) == ("GET", "http://app:3000/api/top?limit=3&q=%C3%A9")
    assert words == {
        "seconds": 30.0,
        "headers": {"Authorization": "Bearer t"},
        "trusted": True,
        "max_body": 5 * 1024**2,
    }


@pytest.mark.parametrize(
    ("answer", "ending", "words"),
    [
        (Answer(301, {"Location": "http://evil"}, b""), PermanentError, "answers 301, not 200; redirects"),
        (Answer(404, {}, b""), PermanentError, "answers 404"),
        (Answer(204, {}, b""), PermanentError, "answers 204"),
        (Answer(401, {}, b""), PermanentError, "answers 401"),
        (Answer(429, {}, b""), TransientError, "answers 429"),
        (Answer(503, {}, b""), TransientError, "answers 503"),
        (Answer(200, {}, b"x" * 5 * 1024**2, is_whole=False), PermanentError, "more than 5 MiB"),
        (Answer(200, {}, b"x", is_whole=False), TransientError, "broke off"),
    ],
)
async def test_an_answer_that_is_no_value_is_not_cached(answer: Answer, ending: type[Exception], words: str) -> None:
    """The old value stays."""
    world = World()
    await world.run()
    world.http.answer = answer
    with pytest.raises(ending, match=words):
        await world.run("app:/x")
    assert world.value() == b'[{"id":1}]'


async def test_a_hostile_page_is_not_asked_for() -> None:
    """What paths there are, `test_maintenance_app_url.py` has."""
    world = World()
    with pytest.raises(PermanentError):
        await world.run("app://evil.example/x")
    assert world.http.asked == []


async def test_a_function_of_the_team_makes_a_value() -> None:
    """Async or plain; a text as it is, all else as JSON. It gets the tools and the params."""

    async def later(tools: Any, params: Any) -> dict[str, Any]:
        return {"tools": tools, **params}

    def plain(_tools: Any, _params: Any) -> str:
        return "<p>é</p>"

    def fails(_tools: Any, _params: Any) -> None:
        msg = "no such shop"
        raise PermanentError(msg)

    def large(_tools: Any, _params: Any) -> bytes:
        return bytes(sources.MAX_VALUE + 1)

    world = World(later=later, plain=plain, fails=fails, large=large)
    await world.run("own:later", params={"n": 1})
    assert json.loads(world.value() or b"") == {"tools": "tools", "n": 1}
    await world.run("own:plain")
    assert world.value() == "<p>é</p>".encode()
    with pytest.raises(PermanentError, match="no such shop"):
        await world.run("own:fails")
    with pytest.raises(PermanentError, match="more than 5 MiB"):
        await world.run("own:large")
    with pytest.raises(PermanentError, match="there are fails, large, later, plain"):
        await world.run("own:none")
    assert world.value() == "<p>é</p>".encode()


def test_values_are_bytes() -> None:
    """JSON is in one line; what JSON lacks becomes what the result of a job would be."""
    assert as_bytes(b"\xff") == b"\xff"
    assert as_bytes("a\ud800") == b"a?"
    assert as_bytes({"a": [1, None, "é"], "n": float("nan")}) == '{"a":[1,null,"é"],"n":null}'.encode()
    assert as_bytes(None) == b"null"
