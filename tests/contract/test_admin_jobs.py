"""A single job as an operator sees it, on every wire: its times, attempts, failures and relatives."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import redis
from bullmq import FlowProducer
from bullmq import Queue as BullQueue
from rq import Queue as RQQueue

from queue_lib.admin.ports import JobRef
from queue_lib.job import State
from queue_lib.outcome import Failure
from tests.support.failed_jobs import FAILURE, failed
from tests.support.wire_kit import QUEUE, WireKit, clock, redis_kit


async def test_a_job_that_completes_while_it_is_read_has_its_result(
    kit: WireKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view that says "completed" has the result."""
    job_id = await kit.enqueue("greet", {})
    lease = await kit.claim(await kit.broker())
    state_of = BullQueue.getJobState

    async def complete_first(self: Any, asked: str) -> Any:
        await lease.done({"ok": 1})
        return await state_of(self, asked)

    monkeypatch.setattr(BullQueue, "getJobState", complete_first)
    if kit.name != "bullmq":  # which alone takes two readings
        await lease.done({"ok": 1})
    view = await kit.view(job_id)

    assert (State.COMPLETED, {"ok": 1}) == (view.state, view.result)


@pytest.mark.parametrize("delay", [0.0, 0.9])
async def test_how_long_a_job_has_waited(kit: WireKit, delay: float) -> None:
    """The wait runs from when the job was enqueued, or due, to its claim; the delay does not count."""
    if kit.name == "rq":
        delay *= 2  # RQ counts in whole seconds
    began = time.monotonic()
    job_id = await kit.enqueue("greet", {}, delay=delay)
    await asyncio.sleep(delay + (1.1 if kit.name == "rq" and delay else 0.1))
    lease = await kit.claim(await kit.broker())
    took = time.monotonic() - began

    assert lease.job.waited is not None
    assert 0.09 <= lease.job.waited < took - delay + (1 if kit.name == "rq" else 0.1)
    await lease.done(None)
    view = await kit.view(job_id)
    assert view.wait == pytest.approx(lease.job.waited, abs=0.05)


async def test_a_job_has_its_attempts_times_and_worker(kit: WireKit) -> None:
    """While it waits, while it runs, and after it has ended."""
    broker, before = await kit.broker(), clock(kit)()
    job_id = await kit.enqueue("greet", {"a": 1}, attempts=3)
    waiting = await kit.view(job_id)
    await (await kit.claim(broker)).retry(0.0, FAILURE)
    running = await kit.claim(broker)
    active = await kit.view(job_id)
    await running.bury(FAILURE)
    dead = await kit.view(job_id)

    assert [3, 3, 3] == [view.max_attempts for view in (waiting, active, dead)]
    assert [0, 1, 2] == [view.attempts_made for view in (waiting, active, dead)]
    assert (None, None, None, ()) == (waiting.started_at, waiting.worker, waiting.run, waiting.failures)
    assert (None, None) == (active.run, active.finished_at)
    assert {"memory": "memory"}.get(kit.name, "worker-0") == active.worker
    assert dead.started_at is not None
    assert dead.finished_at is not None
    assert before - 0.1 <= dead.started_at <= dead.finished_at <= clock(kit)() + 0.1
    assert dead.run == pytest.approx(dead.finished_at - dead.started_at)


async def test_failed_attempts_have_number_reason_and_time(kit: WireKit) -> None:
    """The time is there where the wire records it."""
    broker = await kit.broker()
    job_id = await kit.enqueue("greet", {}, attempts=3)
    await (await kit.claim(broker)).retry(0.0, Failure("no answer", "Traceback\n  File x\nOSError: no answer\n"))
    await (await kit.claim(broker)).bury(Failure("bad payload", "Traceback\n  File y\nValueError: secret\n"))
    dead = await kit.view(job_id)

    first, last = dead.failures
    assert (1, 2) == (first.attempt, last.attempt)
    assert ("no answer", "bad payload") == (first.reason.removeprefix("OSError: "), last.reason)
    assert ("File x" in first.stack, "File y" in last.stack) == (True, True)
    assert last.at == pytest.approx(dead.finished_at, abs=0.1)
    assert (first.at is None) == (kit.name == "bullmq")
    assert last.stack == dead.stack


async def test_a_retried_job_keeps_its_earlier_failures(redis_url: str) -> None:
    """They have no number, because a retry by an operator counts attempts from 1 again."""
    for wire in ("bullmq", "rq"):
        async with redis_kit(redis_url, wire) as kit:
            [job_id] = await failed(kit, "greet")
            await kit.inspector.retry(QUEUE.name, job_id)
            lease = await kit.claim(kit.brokers[0])
            await lease.bury(Failure("again"))

            assert [(None, 1), (1, 1)] == [
                (each.attempt, (await kit.view(job_id)).attempts_made) for each in (await kit.view(job_id)).failures
            ]


async def test_relatives_on_bullmq(redis_url: str) -> None:
    """A parent lists its children, and each child its parent, in whichever queue."""
    async with redis_kit(redis_url, "bullmq") as kit:
        flow = FlowProducer({"connection": redis_url})
        children = [{"name": "greet", "queueName": QUEUE.name, "data": n, "opts": {"priority": n}} for n in range(2)]
        tree = await flow.add({"name": "sum", "queueName": QUEUE.name, "data": {}, "children": children})
        await flow.close()
        first = await kit.claim(await kit.broker())
        await first.done(1)

        parent = await kit.view(tree["job"].id)
        child = await kit.view(first.job.id)

        assert State.WAITING_CHILDREN == parent.state
        ids = sorted(each["job"].id for each in tree["children"])
        assert [JobRef(each, QUEUE.name) for each in ids] == list(parent.children)
        assert (JobRef(parent.id, QUEUE.name),) == child.parents
        assert {0, 1} == {(await kit.view(each)).priority for each in ids}


async def test_relatives_on_rq(redis_url: str) -> None:
    """A job lists its dependencies and its dependents; dependents are counted."""
    async with redis_kit(redis_url, "rq") as kit:
        with redis.Redis.from_url(redis_url) as server:
            lane = RQQueue(QUEUE.name, connection=server, serializer="json")
            first = lane.enqueue("greet", 1)
            second = lane.enqueue("greet", 2, depends_on=first)

        assert (JobRef(second.id),) == (await kit.view(first.id)).children
        view = await kit.view(second.id)
        assert ((JobRef(first.id),), State.WAITING_CHILDREN) == (view.parents, view.state)
        assert 1 == (await kit.inspector.counts(QUEUE.name))[State.WAITING_CHILDREN]
        assert [second.id] == [job.id for job in await kit.inspector.page(QUEUE.name, State.WAITING_CHILDREN, 0, 5)]
