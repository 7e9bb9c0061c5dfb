"""Commands that RQ's tools send to a worker, with RQ's own functions and the real worker process."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest
from rq import Worker
from rq.command import (
    send_command,
    send_kill_horse_command,
    send_shutdown_command,
    send_stop_execution_command,
    send_stop_job_command,
)
from rq.job import Job, JobStatus
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer

from tests.support.chaos_worker import PUSHES
from tests.support.polling import EVERY, PATIENCE, until

if TYPE_CHECKING:
    from tests.support.wires import Mess

REASON = "stopped on request (RQ's {})"
LONG = {"seconds": [600.0]}


def fetched(mess: Mess, job_id: str) -> Job:
    """The job as stock RQ shows it."""
    return Job.fetch(job_id, connection=mess.redis, serializer=JSONSerializer)


async def listening(mess: Mess) -> str:
    """The name of the worker, once it listens."""
    [worker] = Worker.all(connection=mess.redis)
    await until(lambda: mess.redis.pubsub_numsub(worker.pubsub_channel_name)[0][1] == 1)
    return worker.name


@pytest.mark.parametrize(("name", "seconds"), [("nap", 600.0), ("stubborn", 2.0)])
async def test_stop_job(mess: Mess, name: str, seconds: float) -> None:
    """It ends as stopped even if it resists cancellation, with a dead letter that says why; other jobs run on."""
    async with mess.worker() as worker:
        await listening(mess)
        stopped, other = mess.rq(name, {"seconds": [seconds]})[0], mess.rq("nap", {"seconds": [1.0]})[0]
        await until(lambda: len(mess.record) == 2)
        send_stop_job_command(mess.redis, stopped, serializer=JSONSerializer)
        await worker.logged("job_dead", id=stopped, reason=REASON.format("stop-job"))
        await worker.logged("job_done", id=other)

    job = fetched(mess, stopped)
    latest = job.latest_result()
    assert JobStatus.STOPPED == job.get_status()
    assert job.is_stopped
    assert latest is not None
    assert REASON.format("stop-job") in str(latest.exc_string)
    assert [stopped] == FailedJobRegistry(PUSHES, mess.redis).get_job_ids()
    assert [] == StartedJobRegistry(PUSHES, mess.redis).get_job_ids(cleanup=False)
    assert REASON.format("stop-job") == (await mess.dead_letters())[stopped]["reason"]
    assert 1 == len(mess.runs(stopped))


async def test_a_stopped_job_runs_again_when_it_is_requeued(mess: Mess) -> None:
    """As any failed job does."""
    job = mess.lane().enqueue("nap", {"seconds": [600.0, 0.0]})
    async with mess.worker() as worker:
        await listening(mess)
        await until(lambda: len(mess.record) == 1)
        send_stop_job_command(mess.redis, job.id, serializer=JSONSerializer)
        await worker.logged("job_dead", id=job.id)
        FailedJobRegistry(PUSHES, mess.redis, serializer=JSONSerializer).requeue(job.id)
        await worker.logged("job_done", id=job.id)


async def test_stop_execution(mess: Mess) -> None:
    """One run of a job, by its own id."""
    [job_id] = mess.rq("nap", LONG)
    async with mess.worker() as worker:
        await listening(mess)
        await until(lambda: len(mess.record) == 1)
        [execution] = fetched(mess, job_id).get_executions()
        send_stop_execution_command(mess.redis, job_id, execution.id)
        await worker.logged("job_dead", id=job_id, reason=REASON.format("stop-execution"))


async def test_shutdown(mess: Mess) -> None:
    """As SIGTERM: jobs that can finish do, the rest go back without an attempt, and the exit status is 0."""
    async with mess.worker(SHUTDOWN_GRACE="4") as worker:
        name = await listening(mess)
        [short] = mess.rq("nap", {"seconds": [0.5]})
        [long] = mess.rq("nap", LONG)
        await until(lambda: len(mess.record) == 2)
        send_shutdown_command(mess.redis, name)
        assert 0 == await worker.wait(PATIENCE)

    assert [short] == [line["id"] for line in worker.lines("job_done")]
    assert [long] == [line["id"] for line in worker.lines("job_released")]
    assert [long] == mess.lane().job_ids
    assert [] == Worker.all(connection=mess.redis)


async def test_malformed_and_pointless_commands_change_nothing(mess: Mess) -> None:
    """An unknown horse, a job that does not run, and a malformed command: one log line each."""
    async with mess.worker() as worker:
        name = await listening(mess)
        send_kill_horse_command(mess.redis, name)
        send_command(mess.redis, name, "stop-job", job_id="none")
        for order in (b"\xff\x00", b"[" * 100_000, b"7", json.dumps({"command": "stop-job", "job_id": 7}).encode()):
            mess.redis.publish(f"rq:pubsub:{name}", order)
        await worker.logged("rq_order_ignored", 6)
        [job_id] = mess.rq("nap", {})
        await worker.logged("job_done", id=job_id)


async def test_orders_are_heard_after_an_outage(mess: Mess) -> None:
    """A broken connection is opened again."""
    async with mess.worker() as worker:
        await listening(mess)
        mess.redis.client_kill_filter(_type="pubsub")
        await listening(mess)
        [job_id] = mess.rq("nap", LONG)
        await until(lambda: len(mess.record) == 1)
        send_stop_job_command(mess.redis, job_id, serializer=JSONSerializer)
        await worker.logged("job_dead", id=job_id)


async def test_connections(mess: Mess) -> None:
    """A worker of both wires and both queues has ten at most, while it is busy."""
    most = 0
    async with mess.worker(LEASE_DURATION="1") as worker:
        await listening(mess)
        await mess.bullmq("nap", *[{"seconds": [0.2]}] * 20)
        mess.rq("nap", *[{"seconds": [0.2]}] * 20)
        mess.rq("fail-for-good", *[{}] * 3)
        end = time.monotonic() + 20.0
        while len(worker.lines("job_done")) < 40 and time.monotonic() < end:
            most = max(most, len(mess.redis.client_list()) - 1)  # but for this test's own
            await asyncio.sleep(EVERY)
        await worker.logged("job_done", 40)
        await worker.logged("job_dead", 3)
    assert most <= 10
