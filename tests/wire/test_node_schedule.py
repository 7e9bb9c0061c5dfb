"""When our worker runs a Next.js app's jobs: backoff, delay, priority, pause, rate limit and scheduler."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chaos_worker import FILES, PUSHES
from tests.support.node import node
from tests.support.polling import BUSY, until

if TYPE_CHECKING:
    from tests.support.wires import Mess

pytestmark = pytest.mark.usefixtures("node_modules")


async def test_backoff(mess: Mess) -> None:
    """The app's exponential backoff is kept; without one the queue's attempts and backoff apply."""
    opts = {"attempts": 3, "backoff": {"type": "exponential", "delay": 300}}
    async with mess.worker(PUSH_NOTIFICATIONS_BACKOFF="0.4", PUSH_NOTIFICATIONS_ATTEMPTS="2") as worker:
        chosen, left = await node(mess.url, ("add", PUSHES, "fail", {}, opts), ("add", PUSHES, "fail", {}))
        await worker.logged("job_dead", 2)

    _assert_about([0.3, 0.6], _waits(mess, chosen["id"]))
    _assert_about([0.4], _waits(mess, left["id"]))
    assert [1, 2, 3] == [run["attempt"] for run in mess.runs(chosen["id"])]


def _waits(mess: Mess, job_id: str) -> list[float]:
    return [later["at"] - earlier["at"] for earlier, later in pairwise(mess.runs(job_id))]


def _assert_about(expected: list[float], waits: list[float]) -> None:
    """Never early. A busy machine may make some late; rounding up to a second would make all late."""
    late = [wait - right for right, wait in zip(expected, waits, strict=True)]
    assert min(late) >= 0, waits
    assert min(late) < 0.2, waits
    assert max(late) < BUSY, waits


async def test_a_delay(mess: Mess) -> None:
    """A delay of 700 ms is not rounded up to a second, in an idle worker as in a busy one."""
    async with mess.worker():
        added = await node(mess.url, *(("add", PUSHES, "nap", {}, {"delay": delay}) for delay in (700, 1200, 700)))
        await until(lambda: len(mess.done()) == 3)

    waits = [mess.runs(job["id"])[0]["at"] - job["timestamp"] / 1000 for job in added]
    _assert_about([0.7, 1.2, 0.7], waits)


async def test_priorities(mess: Mess) -> None:
    """Jobs without a priority come first, in order, then priority 1, 2, 3; `lifo` goes to the very front."""
    opts: list[dict[str, Any]] = [{"priority": 3}, {"priority": 1}, {}, {"priority": 2}, {"priority": 1}, {}]
    jobs = await node(mess.url, *(("add", PUSHES, "nap", {}, each) for each in (*opts, {"lifo": True})))

    async with mess.worker(PUSH_NOTIFICATIONS_CONCURRENCY="1"):
        await until(lambda: len(mess.done()) == len(jobs))

    order = [line["id"] for line in mess.record if line["event"] == "start"]
    assert [6, 2, 5, 1, 4, 3, 0] == [[job["id"] for job in jobs].index(job_id) for job_id in order]


async def test_pause(mess: Mess) -> None:
    """`queue.pause()` stops both wires of the queue, not its neighbour and not a running job; `resume()` undoes it."""
    async with mess.worker() as worker:
        running, *_ = await node(
            mess.url,
            ("add", PUSHES, "nap", {"seconds": [0.5]}),
            ("events", PUSHES, 5000, "active"),
            ("pause", PUSHES),
            ("add", PUSHES, "nap", {}),
            ("add", FILES, "file-nap", {}),
        )
        [late] = mess.rq("nap", {})
        await asyncio.sleep(1.0)
        assert [(PUSHES, running["id"]), (FILES, "1")] == sorted(
            ((line["queue"], line["id"]) for line in worker.lines("job_done")), reverse=True
        )
        await node(mess.url, ("resume", PUSHES))
        await worker.logged("job_done", 4)

    assert {"1", "2", late} == mess.done()


async def test_a_job_that_fails_during_a_pause_runs_after_it(mess: Mess) -> None:
    """The job is the queue's only one, and the app has paused the queue; once it is resumed the job runs again."""
    opts = {"attempts": 2, "backoff": {"type": "fixed", "delay": 0}}
    async with mess.worker(PUSH_NOTIFICATIONS_TIMEOUT="1") as worker:
        job, *_ = await node(
            mess.url,
            ("add", PUSHES, "nap", {"seconds": [30, 0]}, opts),
            ("events", PUSHES, 5000, "active"),
            ("pause", PUSHES),
        )
        await worker.logged("job_retry")
        await asyncio.sleep(0.3)
        assert not mess.done()
        await node(mess.url, ("resume", PUSHES))
        await until(lambda: mess.done() == {job["id"]}, within=5)  # an idle worker looks every ten seconds by itself


async def test_a_worker_that_ends_during_a_pause(mess: Mess) -> None:
    """The jobs it gives back wait with those that the app adds meanwhile; `resume` loses none of them."""
    async with mess.worker(SHUTDOWN_GRACE="1") as worker:
        running, _, _, added = await node(
            mess.url,
            ("add", PUSHES, "nap", {"seconds": [30, 0]}),
            ("events", PUSHES, 5000, "active"),
            ("pause", PUSHES),
            ("add", PUSHES, "nap", {}),
        )
        await worker.terminate(10)
    await node(mess.url, ("resume", PUSHES))

    async with mess.worker():
        await until(lambda: mess.done() == {running["id"], added["id"]})


async def test_the_apps_rate_limits(mess: Mess) -> None:
    """`queue.rateLimit(ms)` holds both wires back for that time; `setGlobalRateLimit` wins, with both its numbers."""
    async with mess.worker(PUSH_NOTIFICATIONS_RATE_MAX="100", PUSH_NOTIFICATIONS_RATE_DURATION="0.5"):
        await node(mess.url, ("rateLimit", PUSHES, 1500))
        until_ms = mess.redis.pttl(f"bull:{PUSHES}:limiter")
        held = asyncio.get_running_loop().time() + until_ms / 1000
        ids = [*await mess.bullmq("nap", {}), *mess.rq("nap", {})]
        await until(lambda: set(ids) <= mess.done())
        assert 0 <= asyncio.get_running_loop().time() - held < BUSY

        await node(mess.url, ("setGlobalRateLimit", PUSHES, 2, 1200))
        await asyncio.sleep(0.6)  # what was counted before is forgotten by then
        more = [*await mess.bullmq("nap", *[{}] * 3), *mess.rq("nap", *[{}] * 3)]
        await until(lambda: set(more) <= mess.done())

    starts = sorted(line["at"] for line in mess.record if line["event"] == "start" and line["id"] in more)
    assert 6 == len(starts)
    assert starts[-1] - starts[0] > 1.5, "two in each of three windows of 1.2 s, not of the worker's own 0.5 s"


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_apps_concurrency(mess: Mess, workers: int) -> None:
    """With `setGlobalConcurrency` below the worker's own, jobs follow each other without a gap, never two at once."""
    await node(mess.url, ("setGlobalConcurrency", PUSHES, 1))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(workers):
            await stack.enter_async_context(mess.worker())
        await mess.bullmq("nap", *[{"seconds": [0.02]}] * 20)
        await until(lambda: len(mess.done()) == 20, within=30)  # three minutes, if each waited for the next look

    events = [line["event"] for line in sorted(mess.record, key=lambda line: line["at"])]
    assert ["start", "end"] * 20 == events


async def test_a_scheduler(mess: Mess) -> None:
    """A job scheduler of the app goes on while our worker takes its jobs: the worker adds the next one."""
    async with mess.worker() as worker:
        await node(mess.url, ("upsertJobScheduler", PUSHES, "tick", {"every": 400}, {"name": "nap", "data": {"n": 1}}))
        done = await worker.logged("job_done", 4)
        removed, *_ = await node(mess.url, ("removeJobScheduler", PUSHES, "tick"))

    assert removed is True
    assert all(line["id"].startswith("repeat:tick:") for line in done)
    due = [int(line["id"].rpartition(":")[2]) for line in done]
    assert {0} == {(later - earlier) % 400 for earlier, later in pairwise(due[1:])}  # the first is at once
    starts = [mess.runs(line["id"])[0]["at"] for line in done]
    assert all(start * 1000 >= moment for start, moment in zip(starts, due, strict=True))
