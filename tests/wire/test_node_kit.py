"""Stock Node bullmq on both ends: the reference for our worker, and the proof that the test kit works."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.support.node import NodeError, node, node_worker
from tests.support.polling import PATIENCE
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.usefixtures("node_modules")

QUEUE = "push-notifications"


def of_job(job_id: str, events: Iterable[dict[str, Any]]) -> list[str]:
    """The names of one job's events, in order."""
    return [event["event"] for event in events if event.get("jobId") == job_id]


async def test_echo(redis_url: str) -> None:
    """A job's data goes through Redis and a Node worker and comes back to the waiting producer, with its counts."""
    data = {"userId": "u1", "payload": {"title": "Grüße 👋", "body": None}, "list": [1, 2.5]}

    async with node_worker(redis_url, QUEUE, name="desk"):
        job, result, workers, found, counts = await node(
            redis_url,
            ("add", QUEUE, "echo", data, {"attempts": 3}),
            ("waitUntilFinished", QUEUE, None, 5000),
            ("getWorkers", QUEUE),
            ("getJob", QUEUE, None),
            ("getJobCounts", QUEUE, "completed", "failed", "wait"),
        )

    assert data == job["data"] == result == found["returnvalue"]
    assert ("completed", 1, "desk") == (found["state"], found["attemptsMade"], found["processedBy"])
    assert [f"bull:{base64.b64encode(QUEUE.encode()).decode()}:w:desk"] == [one["rawname"] for one in workers]
    assert {"completed": 1, "failed": 0, "wait": 0} == counts


async def test_events_of_a_success(redis_url: str) -> None:
    """A finished job was added, waiting, active and completed, with each progress report in between as it was sent."""
    async with node_worker(redis_url, QUEUE):
        job, events, found = await node(
            redis_url,
            ("add", QUEUE, "report", {}),
            ("events", QUEUE, 5000, "completed"),
            ("getJob", QUEUE, None),
        )

    assert ["added", "waiting", "active", "progress", "progress", "completed"] == of_job(job["id"], events)
    assert [50, {"done": 2, "of": 2}] == [event["data"] for event in events if event["event"] == "progress"]
    assert ["half way"] == found["logs"]


async def test_events_of_a_failure(redis_url: str) -> None:
    """A job that fails twice is delayed in between, fails once for the listeners, and keeps a trace of each attempt."""
    opts = {"attempts": 2, "backoff": {"type": "fixed", "delay": 20}}

    async with node_worker(redis_url, QUEUE):
        job, events, found = await node(
            redis_url,
            ("add", QUEUE, "fail", {"message": "no such user"}, opts),
            ("events", QUEUE, 5000, "retries-exhausted"),
            ("getJob", QUEUE, None),
        )

    names = of_job(job["id"], events)
    assert ["added", "waiting", "active", "delayed", "waiting", "active", "failed", "retries-exhausted"] == names
    assert ("failed", "no such user", 2) == (found["state"], found["failedReason"], found["attemptsMade"])
    assert 2 == len(found["stacktrace"])
    assert all(trace.startswith("Error: no such user\n    at ") for trace in found["stacktrace"])


async def test_unrecoverable(redis_url: str) -> None:
    """An UnrecoverableError ends a job at its first attempt, and the waiting producer gets the raw message."""
    async with node_worker(redis_url, QUEUE):
        with pytest.raises(NodeError) as caught:
            await node(
                redis_url,
                ("add", QUEUE, "fail-for-good", {"message": "never"}, {"attempts": 5}),
                ("waitUntilFinished", QUEUE, None, 5000),
            )
        [found] = await node(redis_url, ("getJob", QUEUE, caught.value.results[0]["id"]))

    assert "never" == caught.value.message
    assert ("failed", 1) == (found["state"], found["attemptsMade"])


async def test_producer(redis_url: str) -> None:
    """Pausing, bulk, flows, schedulers and rate limits arrive in Redis as the producer asked for them."""
    results = await node(
        redis_url,
        ("pause", QUEUE),
        ("isPaused", QUEUE),
        ("resume", QUEUE),
        ("addBulk", QUEUE, [{"name": "echo", "data": {"n": n}} for n in range(3)]),
        (
            "addFlow",
            QUEUE,
            {"name": "echo", "data": {}, "children": [{"name": "echo", "queueName": "file-processing"}]},
        ),
        ("upsertJobScheduler", QUEUE, "nightly", {"every": 60_000}, {"name": "echo", "data": {"n": 9}}),
        ("setGlobalRateLimit", QUEUE, 10, 1000),
        ("getGlobalRateLimit", QUEUE),
        ("rateLimit", QUEUE, 5000),
        ("getRateLimitTtl", QUEUE),
    )

    assert results[1] is True
    assert [{"n": 0}, {"n": 1}, {"n": 2}] == [job["data"] for job in results[3]]
    assert f"bull:{QUEUE}:{results[4]['job']['id']}" == results[4]["children"][0]["job"]["parentKey"]
    assert {"n": 9} == results[5]["data"]
    assert {"max": 10, "duration": 1000} == results[7]
    assert 0 < results[9] <= 5000


async def test_retry_and_triage(redis_url: str) -> None:
    """An operator's retry runs a failed job again, and the triage snippet moves a dead letter back to its queue."""
    letter = {"id": "7", "name": "echo", "data": {"n": 1}, "attemptsMade": 3, "reason": "no"}

    async with node_worker(redis_url, QUEUE):
        job, _, _, _, events, _, triage, result, left = await node(
            redis_url,
            ("add", QUEUE, "fail", {"message": "no"}),
            ("events", QUEUE, 5000, "retries-exhausted"),
            ("job.retry", QUEUE, None),
            ("job.updateData", QUEUE, None, {"message": "still no"}),
            ("events", QUEUE, 5000, "retries-exhausted", 2),
            ("add", "dead", "echo_failed", letter),
            ("triage", "dead", "echo_failed", QUEUE, "echo"),
            ("waitUntilFinished", QUEUE, None, 5000),
            ("getJobs", "dead"),
        )

    assert ["active", "failed", "retries-exhausted"] == of_job(job["id"], events)[-3:]
    assert [letter] == [entry["data"] for entry in triage["listed"]]
    assert {"n": 1} == result
    assert [] == left


async def test_errors(redis_url: str) -> None:
    """A refused operation raises with bullmq's words, the results so far and stderr; a hanging one times out."""
    with pytest.raises(NodeError, match="no job 404") as caught:
        await node(redis_url, ("getJobCounts", QUEUE, "wait"), ("job.retry", QUEUE, "404"))
    assert [{"wait": 0}] == caught.value.results
    told = ""
    for timeout in (2.0, 8.0, PATIENCE):  # a busy machine has not begun with Node by then
        with pytest.raises(TimeoutError) as late:
            await node(redis_url, ("getJobCounts", QUEUE, "wait"), ("events", QUEUE, 600_000), timeout=timeout)
        if '"wait":0' in (told := str(late.value)):
            break
    assert '"wait":0' in told


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_redis_server_comes_back(end: str) -> None:
    """A server with appendonly comes back on its port with all that was acknowledged, however it ended."""
    with RedisServer(appendonly=True, password="secret") as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("key", "value")
        getattr(server, end)()
        with redis.Redis.from_url(server.url, retry=None) as client, pytest.raises(redis.ConnectionError):
            client.ping()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert b"value" == client.get("key")
            server.flush()
            assert 0 == client.dbsize()
