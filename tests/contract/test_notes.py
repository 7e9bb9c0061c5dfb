"""Notes for later runs, follow-up jobs, and how a running job learns that its lease is lost."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
from bullmq import Job as BullJob
from bullmq import Queue as BullQueue

from queue_lib.addition import Addition
from queue_lib.broker.base import NotNow
from queue_lib.broker.board import MemoryBoard
from queue_lib.errors import LeaseLostError
from queue_lib.job import State
from queue_lib.observe.events import Event, JobEnded, JobStarted
from queue_lib.outcome import Failure, Lost
from queue_lib.processor import JobSchema, Model, Registry, Route
from queue_lib.runner.executor import Executor
from tests.support.fakes import endings
from tests.support.polling import BUSY, PATIENCE
from tests.support.wire_kit import QUEUE, WireKit, redis_kit

if TYPE_CHECKING:
    from queue_lib.broker.base import Broker, Lease

FAILURE = Failure("it broke")
DATA = {"userId": "u1"}


async def recover(kit: WireKit, broker: Broker) -> Lease:
    """Let leases of one second run out, and claim what comes back."""
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        await kit.chore(broker, "recover jobs")
        claimed = await broker.claim(QUEUE)
        if not isinstance(claimed, NotNow):
            return claimed
        await asyncio.sleep(0.1)
    pytest.fail("nothing was recovered")


async def test_notes_are_for_later_runs_of_the_job(kit: WireKit) -> None:
    """They outlive a retry, a snooze and a release. Forgotten notes are gone, and other jobs see none."""
    await kit.enqueue("greet", DATA)
    broker = await kit.broker()
    lease = await kit.claim(broker)
    assert await lease.notes() == {}

    await lease.note({"a": "1", "b": "żółw"}, ())
    await lease.retry(0, FAILURE)
    lease = await kit.claim(broker)
    await lease.note({"c": "3"}, ["a", "never noted"])
    await lease.snooze(0.05)
    lease = await kit.claim(broker)
    assert await lease.notes() == {"b": "żółw", "c": "3"}
    await lease.release()
    lease = await kit.claim(broker)
    assert await lease.notes() == {"b": "żółw", "c": "3"}
    await lease.done({})

    await kit.enqueue("greet", DATA)
    assert await (await kit.claim(broker)).notes() == {}


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_new_job_with_a_used_id_has_no_notes(redis_url: str, wire: str) -> None:
    """An id may be used again once its job was removed."""
    async with redis_kit(redis_url, wire) as kit:
        await kit.enqueue("greet", DATA)
        broker = await kit.broker()
        first = await kit.claim(broker)
        for n in (1, 2):
            await first.enqueue(QUEUE.name, Addition(job_id="again", name="follow", data={"n": n}))
            lease = await kit.claim(broker)
            assert (lease.job.data, await lease.notes()) == ({"n": n}, {})
            await lease.note({"a": "1"}, ())
            await lease.done({})
            with redis.Redis.from_url(redis_url) as client:
                client.delete("bull:work:again", "rq:job:again")


async def test_a_run_that_lost_its_lease_writes_no_notes(kit: WireKit) -> None:
    """It must not undo the notes of the worker that has the job now."""
    await kit.enqueue("greet", DATA)
    away, alive = await kit.broker(lease_duration=1.0), await kit.broker(lease_duration=1.0)
    lost = await kit.claim(away)
    await lost.note({"cursor": "1"}, ())
    lease = await recover(kit, alive)
    await lease.note({"cursor": "2"}, ())

    with pytest.raises(LeaseLostError):
        await lost.note({"cursor": "1"}, ["other"])

    assert await lease.notes() == {"cursor": "2"}


async def test_a_job_that_an_operator_retries_has_its_notes(kit: WireKit) -> None:
    """It runs from its first attempt, and knows what was done: no user gets a push twice."""
    job_id = await kit.enqueue("greet", DATA)
    broker = await kit.broker()
    lease = await kit.claim(broker)
    await lease.note({"a": "1"}, ())
    await lease.bury(FAILURE)

    assert await kit.inspector.retry(QUEUE.name, job_id)

    lease = await kit.claim(broker)
    assert (lease.job.attempt, await lease.notes()) == (1, {"a": "1"})


async def test_notes_outlive_the_worker(kit: WireKit) -> None:
    """The next worker reads from them how far the last one came."""
    await kit.enqueue("greet", DATA)
    dead, alive = await kit.broker(lease_duration=1.0), await kit.broker(lease_duration=1.0)
    await (await kit.claim(dead)).note({"a": "1"}, ())

    assert await (await recover(kit, alive)).notes() == {"a": "1"}


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_notes_are_kept_for_a_day(redis_url: str, wire: str) -> None:
    """And no longer."""
    async with redis_kit(redis_url, wire) as kit:
        await kit.enqueue("greet", DATA)
        await (await kit.claim(await kit.broker())).note({"a": "1"}, ())
    with redis.Redis.from_url(redis_url) as client:
        [key] = client.keys("*:notes:*")
        seconds = client.ttl(key)

    assert 86_000 < int(seconds) <= 86_400


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_job_that_is_done_leaves_no_notes(redis_url: str, wire: str) -> None:
    """Notes of its last run and of earlier ones are deleted; a job that is not done keeps them."""
    async with redis_kit(redis_url, wire) as kit:
        broker = await kit.broker()
        await kit.enqueue("greet", DATA)
        lease = await kit.claim(broker)
        await lease.note({"a": "1"}, ())
        await lease.done({})
        await kit.enqueue("greet", DATA)
        lease = await kit.claim(broker)
        await lease.note({"a": "1"}, ())
        await lease.retry(0, FAILURE)
        lease = await kit.claim(broker)
        assert {"a": "1"} == await lease.notes()
        await lease.done({})
        await kit.enqueue("greet", DATA)
        lease = await kit.claim(broker)
        await lease.note({"a": "1"}, ())
        await lease.bury(FAILURE)
    with redis.Redis.from_url(redis_url) as client:
        assert 1 == len(client.keys("*:notes:*"))


async def test_a_follow_up_is_run_when_it_is_due(kit: WireKit) -> None:
    """On the same wire, with its data, as a first attempt, and not early."""
    await kit.enqueue("greet", DATA)
    broker = await kit.broker()
    lease = await kit.claim(broker)
    added = time.time()
    await lease.enqueue(QUEUE.name, Addition(job_id="next-1", name="follow", data={"ids": ["ä", 1]}, delay=0.4))
    await lease.done({})

    assert (await kit.view("next-1")).state is State.DELAYED
    assert isinstance(await broker.claim(QUEUE), NotNow)
    job = (await kit.claim(broker)).job
    assert 0.39 <= time.time() - added < 0.4 + kit.precision + BUSY
    assert (job.id, job.name, job.data, job.attempt, job.max_attempts) == ("next-1", "follow", {"ids": ["ä", 1]}, 1, 3)


async def test_a_follow_up_without_a_delay_waits_in_line(kit: WireKit) -> None:
    """It is claimed next."""
    await kit.enqueue("greet", DATA)
    broker = await kit.broker()
    lease = await kit.claim(broker)
    await lease.enqueue(QUEUE.name, Addition(job_id="next-1", name="follow", data={}))

    assert (await kit.claim(broker)).job.id == "next-1"


async def test_a_follow_up_is_added_once(kit: WireKit) -> None:
    """However often a run adds it: while the first one is delayed, active, or completed."""
    await kit.enqueue("greet", DATA)
    broker = await kit.broker()
    lease = await kit.claim(broker)

    await lease.enqueue(QUEUE.name, Addition(job_id="next-1", name="follow", data={"n": 1}, delay=0.1))
    await lease.enqueue(QUEUE.name, Addition(job_id="next-1", name="follow", data={"n": 2}))
    follow_up = await kit.claim(broker)
    await lease.enqueue(QUEUE.name, Addition(job_id="next-1", name="follow", data={"n": 3}))
    await follow_up.done({})
    await lease.enqueue(QUEUE.name, Addition(job_id="next-1", name="follow", data={"n": 4}))

    assert follow_up.job.data == {"n": 1}
    assert isinstance(await broker.claim(QUEUE), NotNow)
    assert (await kit.view("next-1")).state is State.COMPLETED


class Anything(Model):
    """Any payload."""


async def test_a_run_whose_lease_is_lost_is_cut_short(kit: WireKit) -> None:
    """Another worker has the job, so this run is cancelled and records nothing."""
    job_id = await kit.enqueue("greet", DATA)
    first, second = await kit.broker(lease_duration=1.0), await kit.broker(lease_duration=1.0)
    lease = await kit.claim(first)
    events: list[Event] = []
    begun, cut = asyncio.Event(), asyncio.Event()

    async def work(_payload: Anything, _context: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(30)
        finally:
            cut.set()

    route = Route(JobSchema("greet", QUEUE.name, Anything), work)
    run = asyncio.create_task(Executor(Registry([route]), kit.dead_letters, events.append, MemoryBoard()).run(lease))
    await begun.wait()
    other = await recover(kit, second)
    await kit.chore(first, "renew leases")
    await asyncio.wait_for(run, PATIENCE)

    assert cut.is_set()
    assert [type(event) for event in events] == [JobStarted, JobEnded]
    assert [Lost] == endings(events)
    await other.done({"by": "the other"})
    assert (await kit.view(job_id)).result == {"by": "the other"}


async def test_a_follow_up_has_the_priority_of_its_job(redis_url: str) -> None:
    """Otherwise the retries of a large batch would overtake more important jobs."""
    async with redis_kit(redis_url, "bullmq") as kit:
        queue = BullQueue(QUEUE.name, {"connection": redis_url})
        await queue.add("greet", DATA, {"priority": 7})
        lease = await kit.claim(await kit.broker())
        await lease.enqueue(QUEUE.name, Addition(job_id="next-1", name="follow", data={}))
        follow_up = await BullJob.fromId(queue, "next-1")
        await queue.close()

    assert follow_up.priority == 7
