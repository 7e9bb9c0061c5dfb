"""Options of jobs added over the REST API: stock bullmq 5 and 6 read them as if the app itself had set them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.api_client import IMAGE, JOB, Client, api, client_of
from tests.support.node import KITS, Session, node_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUEUE, TWIN = "file-processing", "twin"
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"priority": 10},
    {"priority": 2_097_151, "attempts": 7},
    {"delay": 60_007, "priority": 3},
    {"lifo": True},
    {"jobId": "mine-1", "removeOnComplete": True, "removeOnFail": False},
    {"removeOnComplete": 0, "removeOnFail": 50},
    {"removeOnComplete": {"age": 3600}, "removeOnFail": {"age": 60, "count": 5}},
    {"attempts": 4, "backoff": 1007},
    {"attempts": 4, "backoff": {"type": "fixed", "delay": 2007}},
    {"attempts": 4, "backoff": {"type": "exponential", "delay": 1000, "jitter": 0.5}},
    {"deduplication": {"id": "d1"}},
    {"deduplication": {"id": "d2", "ttl": 5007}},
    {"delay": 5000, "deduplication": {"id": "d3", "ttl": 5000, "extend": True, "replace": True}},
    {"deduplication": {"id": "d4", "keepLastIfActive": True}},
)


@pytest.fixture(params=KITS)
async def app(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Session]:
    """The app, with this major of bullmq. It has used the queue already."""
    async with node_session(redis_url, request.param) as session:
        await session("getJobCounts", QUEUE, "waiting")
        yield session


@pytest.fixture
async def ask(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A client of the API on the same Redis."""
    async with client_of(api(redis_url, monkeypatch)) as client:
        yield client


async def added(ask: Client, data: Any = None, **options: Any) -> str:
    """Add a job over the API; returns the id of the job that is there."""
    body = {**JOB, "data": IMAGE if data is None else {**IMAGE, "n": data}, "options": options}
    answer = await ask("POST", "/queue/jobs", json=body)
    assert 202 == answer.status_code, answer.text
    return str(answer.json()["id"])


async def test_options_are_read_back_as_the_apps_own(app: Session, ask: Client) -> None:
    """Each job has the same options, delay, priority and state as one that the app adds.

    The Python package writes a delay of 0, too, which Node leaves out.
    """
    for options in OPTIONS:
        job_id = await added(ask, **options)
        twin = await app("add", TWIN, JOB["name"], JOB["data"], options)

        job = await app("getJob", QUEUE, job_id)
        expected = await app("getJob", TWIN, twin["id"])
        kept = {name: value for name, value in job["opts"].items() if (name, value) != ("delay", 0)}
        assert expected["opts"] == kept, options
        for fact in ("name", "data", "delay", "priority", "state"):
            assert expected[fact] == job[fact], (options, fact)


async def test_priorities_and_lifo_order_jobs_as_bullmq_does(app: Session, ask: Client) -> None:
    """1 runs before 20, and a job without a priority before both: BullMQ's numbers are never reversed."""
    ids = [await added(ask, **options) for options in ({"priority": 20}, {"priority": 1}, {}, {"lifo": True})]

    claimed = [(await app("claim", QUEUE))["id"] for _ in ids]
    assert [ids[3], ids[2], ids[1], ids[0]] == claimed


async def test_simple_deduplication(app: Session, ask: Client) -> None:
    """Until the first job has ended, the answer is its id; then another job may be added."""
    ids = [await added(ask, n, deduplication={"id": "d"}) for n in (1, 2)]
    await app("claim", QUEUE)
    ids.append(await added(ask, 3, deduplication={"id": "d"}))
    await app("complete", QUEUE, ids[0])
    other = await added(ask, 4, deduplication={"id": "d"})

    assert [ids[0]] * 3 == ids
    assert other not in ids


async def test_throttling(app: Session, ask: Client) -> None:
    """During the time to live one job is added, even after the first one has ended."""
    throttle = {"deduplication": {"id": "d", "ttl": 60_000}}
    first = await added(ask, 1, **throttle)
    await app("claim", QUEUE)
    await app("complete", QUEUE, first)

    assert first == await added(ask, 2, **throttle)
    assert await app("claim", QUEUE) is None


async def test_debouncing(app: Session, ask: Client) -> None:
    """Of several jobs the last is left, with its delay begun anew."""
    debounce = {"delay": 60_000, "deduplication": {"id": "d", "ttl": 60_000, "extend": True, "replace": True}}
    ids = [await added(ask, n, **debounce) for n in (1, 2, 3)]

    counts = await app("getJobCounts", QUEUE, "delayed", "waiting")
    assert (1, 0) == (counts["delayed"], counts["waiting"])
    assert 3 == (await app("getJob", QUEUE, ids[-1]))["data"]["n"]


async def test_the_last_is_kept_while_the_first_runs(app: Session, ask: Client) -> None:
    """It is added when the first one ends."""
    keep = {"deduplication": {"id": "d", "keepLastIfActive": True}}
    first = await added(ask, 1, **keep)
    await app("claim", QUEUE)
    for n in (2, 3):
        await added(ask, n, **keep)
    assert await app("claim", QUEUE) is None
    await app("complete", QUEUE, first)

    assert 3 == (await app("claim", QUEUE))["data"]["n"]


async def test_a_batch_has_options_too(app: Session, ask: Client) -> None:
    """Each job has its own. Of two with one deduplication id the second is not added, and has the first one's id."""
    options: list[dict[str, Any]] = [{"priority": 5}, {"deduplication": {"id": "d"}}, {"deduplication": {"id": "d"}}]
    jobs = [{**JOB, "options": each} for each in options]
    answer = await ask("POST", "/queue/jobs/batch", json={"jobs": jobs})

    ids = [job["id"] for job in answer.json()["jobs"]]
    assert ids[1] == ids[2]
    read = [await app("getJob", QUEUE, job_id) for job_id in ids[:2]]
    assert [5, {"id": "d"}] == [read[0]["opts"]["priority"], read[1]["opts"]["deduplication"]]
