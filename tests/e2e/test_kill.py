"""kill -9 of the worker, again and again: no job is lost, and a job that kills its worker ends dead."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chaos_worker import PUSHES
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from tests.support.wires import Mess
    from tests.support.worker_process import WorkerProcess

JOBS = 300  # on each wire
# A job of a killed worker is free again after two seconds. Eight at once make six seconds of work: several kills.
ENV = {"LEASE_DURATION": "2", "PUSH_NOTIFICATIONS_CONCURRENCY": "8"}


async def test_no_job_is_lost_when_the_worker_is_killed_every_two_seconds(mess: Mess) -> None:
    """Six hundred jobs on both wires are all done in the end and none has failed, however often kill -9 hits."""
    tasks = [{"seconds": [random.uniform(0.05, 0.1)]} for _ in range(JOBS)]
    ids = {*await mess.bullmq("nap", *tasks), *mess.rq("nap", *tasks)}

    kills, ended, moved_at = 0, 0, time.monotonic()
    while (now_ended := await _ended(mess)) < 2 * JOBS:
        if now_ended > ended:
            ended, moved_at = now_ended, time.monotonic()
        assert time.monotonic() < moved_at + PATIENCE, f"nothing ends after {kills} kills: {await mess.counts()}"
        async with mess.worker(**ENV) as worker:
            kills += await _kill_after(mess, worker, random.uniform(1.0, 2.0))

    assert 2 * JOBS == len(ids)
    assert ids == mess.done()
    assert (JOBS, 0, JOBS, 0, 0) == tuple((await mess.counts()).values())
    assert {1} == {line["attempt"] for line in mess.record}
    # Else no kill has hit a job, and the test has shown nothing.
    assert kills >= 3
    assert sum(line["event"] == "start" for line in mess.record) > 2 * JOBS


async def _ended(mess: Mess) -> int:
    """How many jobs have ended, in any way."""
    return sum((await mess.counts()).values())


async def _kill_after(mess: Mess, worker: WorkerProcess, seconds: float) -> int:
    """Kill the worker, unless all jobs are finished by then; returns the number of kills."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await _ended(mess) >= 2 * JOBS:
            return 0
        await asyncio.sleep(0.1)
    # A third crash buries a job, as is promised, and six hundred jobs are enough for one with such bad luck. So chance
    # has no say: the process is stopped in its tracks, and killed only if no job in its hands has crashed twice.
    worker.signal(signal.SIGSTOP)
    while 2 in _crashes_of_active(mess):
        worker.signal(signal.SIGCONT)
        await asyncio.sleep(0.05)
        worker.signal(signal.SIGSTOP)
    await worker.kill()
    return 1


def _crashes_of_active(mess: Mess) -> list[int]:
    """How often each active job has crashed its worker so far."""
    bull = [f"bull:{PUSHES}:{_text(each)}" for each in mess.redis.lrange(f"bull:{PUSHES}:active", 0, -1)]
    ids = [_text(each).split(":")[0] for each in mess.redis.zrange(f"rq:wip:{PUSHES}", 0, -1)]
    ids += [_text(each) for each in mess.redis.lrange(f"rq:queue:{PUSHES}:intermediate", 0, -1)]
    fields = [mess.redis.hget(key, "stc") for key in bull] + [
        mess.redis.hget(f"rq:job:{id_}", "crashes") for id_ in ids
    ]
    return [int(field or 0) for field in fields]


def _text(value: Any) -> str:
    return str(value, "utf-8")


@pytest.mark.parametrize(
    ("wire", "reason"),
    [("bullmq", "job stalled more than allowable limit"), ("rq", "its worker died 3 times while running it")],
)
async def test_a_job_that_kills_its_process_three_times_is_dead(mess: Mess, wire: str, reason: str) -> None:
    """The fourth worker buries it with that reason instead of running it, and does the next job."""
    env = ENV | {"LEASE_DURATION": "1"}
    ids = await mess.bullmq("crash", {}) if wire == "bullmq" else mess.rq("crash", {})
    for _ in range(3):
        async with mess.worker(**env) as worker:
            assert -signal.SIGKILL == await worker.wait(PATIENCE)

    async with mess.worker(**env) as worker:
        [dead] = await worker.logged("job_dead", id=ids[0])
        [after] = await mess.bullmq("nap", {})
        await worker.logged("job_done", id=after)

    assert 3 == len(mess.runs(ids[0]))
    letter = (await mess.dead_letters())[ids[0]]
    assert ("crash", reason) == (letter["name"], letter["reason"]) == (dead["name"], dead["reason"])
