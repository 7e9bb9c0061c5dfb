"""SIGTERM, as a PaaS sends it at every deploy: jobs that can finish do, the rest go to the next worker."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.polling import BUSY, PATIENCE

if TYPE_CHECKING:
    from tests.support.app import App
    from tests.support.wires import Mess

GRACE = 3.0  # seconds
ENV = {"SHUTDOWN_GRACE": str(GRACE), "LEASE_DURATION": "2"}


async def test_jobs_that_fit_the_grace_time_finish_and_the_others_go_to_the_next_worker(mess: Mess) -> None:
    """A long job is given back without an attempt, one that resists is recovered; a second signal does nothing."""
    short = [*await mess.bullmq("nap", {"seconds": [1.0]}), *mess.rq("nap", {"seconds": [1.0]})]
    long = [*await mess.bullmq("nap", {"seconds": [60, 0]}), *mess.rq("nap", {"seconds": [60, 0]})]
    resisting = [*await mess.bullmq("stubborn", {"seconds": [60, 0]}), *mess.rq("stubborn", {"seconds": [60, 0]})]

    async with mess.worker(**ENV, PUSH_NOTIFICATIONS_CONCURRENCY="6") as first:
        while len(mess.record) < 6:
            await asyncio.sleep(0.02)
        waiting = [*await mess.bullmq("nap", {}), *mess.rq("nap", {})]
        asyncio.get_running_loop().call_later(0.5, first.signal, signal.SIGINT)
        status, seconds = await first.terminate(GRACE + BUSY)

    assert 0 == status
    assert GRACE - 1 < seconds < GRACE + BUSY
    assert sorted(short) == sorted(line["id"] for line in first.lines("job_done"))
    assert sorted(long) == sorted(line["id"] for line in first.lines("job_released"))
    assert 1 == len(first.lines("stopping"))

    async with mess.worker(**ENV) as second:
        done = await second.logged("job_done", 6)
    assert sorted([*long, *resisting, *waiting]) == sorted(line["id"] for line in done)
    assert {1} == {line["attempt"] for line in done}
    # Given back, the long one comes before the one that waited behind it.
    starts = [line["id"] for line in mess.record if line["event"] == "start" and line["pid"] == second.pid]
    assert [True, True] == [starts.index(job_id) < starts.index(waiting[wire]) for wire, job_id in enumerate(long)]


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_job_that_blocks_the_loop_cannot_keep_the_process(mess: Mess, wire: str) -> None:
    """The process ends within the grace time with status 0, says why, and the next worker runs the job."""
    blocked = {"seconds": [60, 0]}
    [job_id] = await mess.bullmq("block", blocked) if wire == "bullmq" else mess.rq("block", blocked)

    async with mess.worker(**ENV) as first:
        while not mess.record:
            await asyncio.sleep(0.02)
        status, seconds = await first.terminate(GRACE + BUSY)

    assert 0 == status
    assert seconds < GRACE + BUSY
    assert 1 == len(first.lines("stop_overdue"))

    async with mess.worker(**ENV) as second:
        [done] = await second.logged("job_done")
    assert (job_id, 1) == (done["id"], done["attempt"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_worker_stops_at_once(mess: Mess, number: signal.Signals) -> None:
    """It ends within a second, and writes nothing on standard error."""
    async with mess.worker() as worker:
        await asyncio.sleep(0.5)  # it listens by then
        worker.signal(number)
        assert 0 == await worker.wait(1.0 + BUSY)

    assert ["started", "stopping", "stopped"] == [line["event"] for line in worker.log][-3:]
    assert not worker.stderr


async def test_signals_by_the_hundred_are_one(mess: Mess) -> None:
    """However many signals come, the job is finished and the process ends once."""
    await mess.bullmq("nap", {"seconds": [0.5]})

    async with mess.worker(**ENV) as worker:
        while not mess.record:
            await asyncio.sleep(0.02)
        for _ in range(500):
            worker.signal(signal.SIGTERM)
            worker.signal(signal.SIGINT)
        assert 0 == await worker.wait(GRACE + BUSY)

    assert ["stopping", "job_done", "stopped"] == [line["event"] for line in worker.log][-3:]


async def test_a_signal_during_the_start_is_heard(mess: Mess) -> None:
    """A worker that is stopped before it has begun does not begin, or stops at once; it never runs on."""
    began = time.monotonic()
    async with mess.worker() as worker:
        start = time.monotonic() - began
    for share in (0.5, 0.8, 0.9, 0.95, 0.975, 1.0, 1.025):
        worker = mess.worker()
        await worker.start()
        await asyncio.sleep(share * start)
        worker.signal(signal.SIGTERM)
        # Before Python has set its handler, the signal ends the process by itself.
        assert await worker.wait(BUSY + 2.0) in {0, -signal.SIGTERM}


async def test_a_worker_that_waits_for_redis_stops_at_once(app: App) -> None:
    """A server that does not answer keeps it for a minute, and a stop does not wait for that."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0)
        worker = app.worker(REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}")
        await worker.start()
        try:
            connection, _ = await asyncio.wait_for(asyncio.get_running_loop().sock_accept(silent), PATIENCE)
            with connection:
                status, _ = await worker.terminate(PATIENCE)
        finally:
            await worker.kill()

    assert 0 == status
    assert [] == worker.lines("stop_overdue")
    assert not worker.stderr


async def test_a_loop_that_ends_ends_the_process(mess: Mess) -> None:
    """The worker finishes its jobs, names the loop and its error, and ends with status 1."""
    ids = [*await mess.bullmq("nap", {"seconds": [1.0]}), *mess.rq("nap", {"seconds": [60]})]

    async with mess.worker(**ENV, CHAOS_BREAK="0.5") as worker:
        assert 1 == await worker.wait(GRACE + 1.5 + BUSY)

    [line] = worker.lines("loop_ended")
    assert "the loop 'rq: break' ended: RuntimeError('nobody thought of this')" == line["reason"]
    assert ids == [line["id"] for event in ("job_done", "job_released") for line in worker.lines(event)]
    assert not worker.stderr
