"""Whole queues: pause, drain, clean, retry failed jobs; their workers, and their history."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import redis
import structlog

from queue_lib.job import Wire
from queue_lib.observe.events import JobEnded, JobStarted
from queue_lib.observe.worker_stats import WorkerStats, WorkerView
from queue_lib.outcome import Done
from queue_lib.runner.reporter import Reporter
from tests.support.api_client import JOB, READ_SECRET, Client
from tests.support.fakes import make_job
from tests.support.queues import QUEUES
from tests.support.wire_kit import redis_kit

if TYPE_CHECKING:
    import httpx


async def test_pause_and_resume(ask: Client) -> None:
    """One queue, or all of them."""

    async def paused() -> set[str]:
        queues = (await ask("GET", "/queue/stats")).json()["queues"]
        return {queue["queue"] for queue in queues if queue["paused"]}

    assert {"outcome": "paused"} == (await ask("POST", "/queue/pause?queue=file-processing")).json()
    assert {"file-processing"} == await paused()
    await ask("POST", "/queue/pause")
    assert {queue.name for queue in QUEUES} == await paused()
    await ask("POST", "/queue/resume")
    assert set() == await paused()
    assert 404 == (await ask("POST", "/queue/pause?queue=mail")).status_code


async def test_a_key_is_cancelled(ask: Client, redis_url: str) -> None:
    """For a day, or as long as the request says. The log has the operator, and not the key."""
    with structlog.testing.capture_logs() as lines:
        assert {"outcome": "cancelled"} == (await ask("POST", "/queue/cancel", json={"cancelKey": "anna:1"})).json()
        await ask("POST", "/queue/cancel", json={"cancelKey": 42, "seconds": 60.5})

    with redis.Redis.from_url(redis_url) as server:
        left: list[Any] = [server.pttl(f"bull:pushmill:cancelled:{key}") for key in ("anna:1", "42")]
    assert [86_400, 60] == [round(each / 1000) for each in left]
    assert [{"event": "jobs_cancelled", "by": "app", "log_level": "info"}] * 2 == lines


async def test_what_can_t_be_cancelled_is_refused(ask: Client) -> None:
    """Each fault is named, and a token that may only read cancels nothing."""
    faults: list[dict[str, object]] = [{"seconds": seconds} for seconds in (0, 2_419_201, None)]
    faults += [{"cancelKey": key} for key in ("", None, "k" * 201, ["k"])]

    assert 422 == (await ask("POST", "/queue/cancel", json={})).status_code
    faults += [{"for": "1d"}]
    for fault in faults:
        assert 422 == (await ask("POST", "/queue/cancel", json={"cancelKey": "k", **fault})).status_code, fault
    assert 403 == (await ask("POST", "/queue/cancel", json={"cancelKey": "k"}, secret=READ_SECRET)).status_code


async def test_a_queue_is_drained(ask: Client) -> None:
    """Both wires of one queue, which must be named."""
    for wire in ("bullmq", "rq"):
        await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire}})
        await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire, "delay": 60_000}})

    assert [422, 404] == [(await ask("POST", f"/queue/drain{query}")).status_code for query in ("", "?queue=mail")]
    assert {"removed": 0} == (await ask("POST", "/queue/drain?queue=push-notifications&delayed=true")).json()
    assert {"removed": 1} == (await ask("POST", "/queue/drain?queue=file-processing&limit=1")).json()
    assert {"removed": 1} == (await ask("POST", "/queue/drain?queue=file-processing")).json()
    assert {"removed": 2} == (await ask("POST", "/queue/drain?queue=file-processing&delayed=true")).json()


async def test_cleaning(ask: Client, redis_url: str) -> None:
    """It deletes old jobs, and says how many."""
    with redis.Redis.from_url(redis_url) as server:
        server.hset("bull:file-processing:old", mapping={"name": "x", "data": "{}", "finishedOn": 1, "timestamp": 1})
        server.zadd("bull:file-processing:failed", {"old": 1})

    async def clean(state: str, query: str) -> httpx.Response:
        return await ask("POST", f"/queue/clean/{state}?{query}")

    assert {"removed": 0} == (await clean("completed", "older=0")).json()
    assert {"removed": 0} == (await clean("failed", "older=0&queue=push-notifications")).json()
    assert {"removed": 1} == (await clean("failed", "older=1000")).json()
    assert [422, 404] == [(await clean("failed", query)).status_code for query in ("", "older=0&queue=mail")]


async def test_failed_jobs_are_retried_by_a_filter(ask: Client, redis_url: str) -> None:
    """Only jobs that match all conditions."""
    failed_at = round(time.time() * 1000) - 10_000
    with redis.Redis.from_url(redis_url) as server:
        for number in range(5):
            fields = {"name": "x", "data": "{}", "opts": "{}", "timestamp": 1, "finishedOn": failed_at, "atm": 2}
            fields["failedReason"] = f"fault {number}"
            server.hset(f"bull:file-processing:{number}", mapping=fields)
            server.zadd("bull:file-processing:failed", {str(number): failed_at})

    async def retried(query: str) -> tuple[int, int]:
        answer = (await ask("POST", f"/queue/retry/failed?{query}")).json()
        return answer["matched"], answer["retried"]

    assert (0, 0) == await retried("queue=push-notifications")
    assert (0, 0) == await retried("wire=rq")
    assert (0, 0) == await retried("older=60000")
    assert (1, 1) == await retried("text=FAULT%203&name=x&newer=60000&queue=file-processing")
    assert (2, 2) == await retried("limit=2")
    assert (2, 2) == await retried("")
    assert 404 == (await ask("POST", "/queue/retry/failed?queue=mail")).status_code


async def test_workers_and_history(ask: Client, redis_url: str) -> None:
    """Each worker with its jobs, and the latest work of all; times in milliseconds."""
    stats = WorkerStats()
    stats(JobStarted(make_job(queue="file-processing", waited=0.5)))
    stats(JobEnded(make_job(queue="file-processing", id="2"), Done(None), 2.0))
    async with redis_kit(redis_url, "bullmq") as kit:
        me = WorkerView(name="a", host="dyno", pid=4, started_at=1.5, queues=("file-processing",), wires=(Wire.RQ,))
        reporter = Reporter(me, stats, kit.heartbeats, lambda: 5, lambda _: None)
        reporter.tell(["media"], {"storage": "s3://bucket"}, ["heavy"])
        await reporter.send()

    [worker] = (await ask("GET", "/queue/workers", secret=READ_SECRET)).json()
    history = (await ask("GET", "/queue/history?queue=file-processing&minutes=3", secret=READ_SECRET)).json()

    names = (await ask("GET", "/queue/names?queue=file-processing&minutes=3", secret=READ_SECRET)).json()

    assert ("a", "dyno", 4, 1500, 5, ["rq"]) == (
        *(worker["name"], worker["host"], worker["pid"]),
        *(worker["startedAt"], worker["memory"], worker["wires"]),
    )
    assert ("", ["media"], ["heavy"], {"storage": "s3://bucket"}) == (
        *(worker["version"], worker["features"], worker["workerType"]),
        worker["facts"],
    )
    assert [("file-processing", "1", 1)] == [(job["queue"], job["id"], job["attempt"]) for job in worker["running"]]
    assert worker["seenAt"] > 1_700_000_000_000 < worker["running"][0]["since"]
    assert ("file-processing", 3) == (history["queue"], len(history["minutes"]))
    [minute] = [minute for minute in history["minutes"] if minute["done"]]
    assert 1400 < minute["runP50"] <= minute["runP95"] < 2900
    assert 350 < minute["waitP50"] < 750
    [other] = names["names"]
    assert ("file-processing", "other", 1, 0, 0) == (
        *(names["queue"], other["name"]),
        *(other["done"], other["retried"], other["dead"]),
    )
    assert 1400 < other["runP50"] <= other["runP95"] < 2900
    assert 0 <= history["minutes"][0]["at"] - names["since"] <= 1_800_000
    assert [404, 422] == [
        (await ask("GET", f"/queue/history?{query}")).status_code for query in ("queue=mail", "queue=x&minutes=0")
    ]
