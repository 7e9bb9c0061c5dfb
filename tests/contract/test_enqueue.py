"""A running job adds jobs to any queue of its wire, with a producer's options."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import redis
from bullmq import Job as BullJob
from bullmq import Queue as BullQueue

from queue_lib.addition import Addition, Deduplication
from queue_lib.broker.base import NotNow
from queue_lib.broker.board import MemoryBoard
from queue_lib.errors import PermanentError
from queue_lib.job import Backoff, State
from queue_lib.outcome import Failure
from queue_lib.queues import Retention, Retries
from queue_lib.runner.context import RunContext
from tests.support.wire_kit import QUEUE, WireKit, queue, rq_enqueue

if TYPE_CHECKING:
    from queue_lib.broker.base import Lease

OTHER = queue(name="other", attempts=7)
DATA = {"userId": "u1"}
ADDITION = Addition(name="follow", data={"ids": ["ä", 1]}, job_id="next-1")


async def test_a_job_is_added_to_another_queue(kit: WireKit) -> None:
    """It waits there once, on the same wire, with that queue's attempts."""
    await kit.enqueue("greet", DATA)
    broker = await kit.broker([QUEUE, OTHER])
    lease = await kit.claim(broker)

    assert "next-1" == await lease.enqueue("other", ADDITION)
    assert "next-1" == await lease.enqueue("other", replace(ADDITION, data={}))

    assert isinstance(await broker.claim(QUEUE), NotNow)
    job = (await kit.claim(broker, OTHER)).job
    assert ("other", "next-1", {"ids": ["ä", 1]}, 7) == (job.queue, job.id, job.data, job.max_attempts)
    assert isinstance(await broker.claim(OTHER), NotNow)


async def test_a_job_is_added_to_a_queue_that_another_process_serves(kit: WireKit) -> None:
    """The other process takes the job."""
    await kit.enqueue("greet", DATA)
    lease = await kit.claim(await kit.broker())

    await lease.enqueue("other", ADDITION)

    assert "next-1" == (await kit.claim(await kit.broker([OTHER]), OTHER)).job.id


async def test_attempts_backoff_and_priority_are_the_producers(kit: WireKit) -> None:
    """They win over the queue's."""
    await kit.enqueue("greet", DATA)
    broker = await kit.broker([QUEUE, OTHER])
    lease = await kit.claim(broker)
    backoff = Backoff((0.5,), exponential=True)

    await lease.enqueue("other", ADDITION)
    await lease.enqueue("other", replace(ADDITION, job_id="next-2", attempts=3, backoff=backoff, lifo=True))

    job = (await kit.claim(broker, OTHER)).job
    assert ("next-2", 3) == (job.id, job.max_attempts)
    assert [0.5, 1.0] == [job.backoff.delay(attempt, 0.0) for attempt in (1, 2)]


async def test_attempts_and_backoff_by_the_jobs_name(kit: WireKit) -> None:
    """They win over the queue's and lose to the producer's, in every attempt."""
    own = Retries(attempts=2, backoff=Backoff((0.05,)))
    of = queue(attempts=9, backoff=Backoff((1000.0,)), retries={"greet": own, "call": Retries()})
    broker = await kit.broker([of])
    jobs = [await kit.enqueue(*job) for job in (("greet", DATA), ("call", DATA))]
    jobs.append(await kit.enqueue("greet", DATA, attempts=5))

    claimed = {lease.job.id: lease for lease in [await kit.claim(broker, of) for _ in jobs]}
    assert [2, 9, 5] == [claimed[job_id].job.max_attempts for job_id in jobs]
    assert [0.05, 1000.0] == [claimed[job_id].job.backoff.delay(1, 0.0) for job_id in jobs[:2]]

    await claimed[jobs[0]].retry(0, Failure("it broke"))
    job = (await kit.claim(broker, of)).job
    assert (jobs[0], 2, 2, 0.05) == (job.id, job.attempt, job.max_attempts, job.backoff.delay(2, 0.0))


async def test_a_repeated_run_adds_nothing_twice(kit: WireKit) -> None:
    """A job's id is made from the run's job. Adding the same twice in one run adds two."""
    await kit.enqueue("greet", DATA)
    await kit.enqueue("greet", DATA)
    broker = await kit.broker([QUEUE, OTHER])
    first, other = await kit.claim(broker), await kit.claim(broker)
    addition = replace(ADDITION, job_id=None)

    added = [await adds(first, addition, addition)]
    await first.retry(0, Failure("it broke"))
    again = await kit.claim(broker)
    added.append(await adds(again, addition, addition))
    theirs = await adds(other, addition)

    assert added[0] == added[1]
    assert 3 == len({*added[0], *theirs})
    claimed = {(await kit.claim(broker, OTHER)).job.id for _ in range(3)}
    assert claimed == {*added[0], *theirs}
    assert isinstance(await broker.claim(OTHER), NotNow)


async def adds(lease: Lease, *additions: Addition) -> list[str]:
    """The jobs that a run of this lease adds to the queue `other`."""
    context = RunContext(lease, lambda _: None, MemoryBoard())
    return [await context.enqueue(addition, "other") for addition in additions]


async def test_an_id_that_no_job_may_have_is_refused(kit: WireKit) -> None:
    """The job that asks for it ends dead, with the rule as its reason."""
    await kit.enqueue("greet", DATA)
    lease = await kit.claim(await kit.broker())

    with pytest.raises(PermanentError, match="a job's id has letters"):
        await adds(lease, replace(ADDITION, job_id="12"))


@pytest.mark.parametrize("name", ["dead", "a:b", "\ud800"])
async def test_a_queue_that_takes_no_jobs_is_refused(kit: WireKit, name: str) -> None:
    """A job among the dead letters would be none, and a colon makes the name a key of another queue."""
    await kit.enqueue("greet", DATA)
    lease = await kit.claim(await kit.broker())
    context = RunContext(lease, lambda _: None, MemoryBoard())

    with pytest.raises(PermanentError, match=r"^no queue to add jobs to: "):
        await context.enqueue(ADDITION, name)


async def test_bullmqs_options_are_written_as_node_does(bullmq: WireKit, redis_url: str) -> None:
    """They stand in the job as Node writes them."""
    await bullmq.enqueue("greet", DATA)
    lease = await bullmq.claim(await bullmq.broker())
    addition = replace(
        ADDITION,
        delay=60.0,
        priority=7,
        backoff=Backoff((2.0,), jitter=0.5),
        remove_on_complete=Retention(3600.0, 10),
        remove_on_fail=False,
        deduplication=Deduplication(id="d", ttl=60.0),
    )

    await lease.enqueue("other", addition)

    source = BullQueue("other", {"connection": redis_url})
    job = await BullJob.fromId(source, "next-1")
    await source.close()
    assert job is not None
    assert {
        "attempts": 0,
        "backoff": {"type": "fixed", "delay": 2000, "jitter": 0.5},
        "deduplication": {"id": "d", "ttl": 60_000},
        "delay": 60_000,
        "jobId": "next-1",
        "priority": 7,
        "removeOnComplete": {"age": 3600, "count": 10},
        "removeOnFail": False,
    } == job.opts


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Deduplication(id="d"), [1]),
        (Deduplication(id="d", ttl=60.0), [1]),
        (Deduplication(id="d", ttl=60.0, extend=True, replace=True), [3]),
    ],
)
async def test_deduplication(bullmq: WireKit, wanted: Deduplication, expected: list[int]) -> None:
    """In simple and throttle mode the first of three jobs is added alone; in debounce mode the last."""
    await bullmq.enqueue("greet", DATA)
    broker = await bullmq.broker([QUEUE, OTHER])
    lease = await bullmq.claim(broker)

    for n in (1, 2, 3):
        await lease.enqueue("other", replace(ADDITION, job_id=f"n-{n}", data=n, delay=0.2, deduplication=wanted))

    jobs = [(await bullmq.claim(broker, OTHER)).job.data for _ in expected]
    assert expected == jobs
    assert isinstance(await broker.claim(OTHER), NotNow)
    assert 0 == (await bullmq.inspector.counts("other"))[State.DELAYED]


async def test_deduplication_keeps_the_last_while_the_first_runs(bullmq: WireKit) -> None:
    """It is added when the first one ends."""
    await bullmq.enqueue("greet", DATA)
    broker = await bullmq.broker([QUEUE, OTHER])
    lease = await bullmq.claim(broker)
    wanted = Deduplication(id="d", keep_last_if_active=True)

    await lease.enqueue("other", replace(ADDITION, job_id="n-1", data=1, deduplication=wanted))
    first = await bullmq.claim(broker, OTHER)
    for n in (2, 3):
        await lease.enqueue("other", replace(ADDITION, job_id=f"n-{n}", data=n, deduplication=wanted))
    assert isinstance(await broker.claim(OTHER), NotNow)
    await first.done({})

    assert 3 == (await bullmq.claim(broker, OTHER)).job.data


@pytest.mark.parametrize(
    ("changes", "ttls"),
    [
        ({"remove_on_complete": True}, (b"0", None)),
        ({"remove_on_complete": False, "remove_on_fail": False}, (b"-1", b"-1")),
        ({"remove_on_complete": Retention(60.0), "remove_on_fail": Retention(90.0)}, (b"60", b"90")),
    ],
)
async def test_retention_options_become_ttls_on_rq(
    rq: WireKit, redis_url: str, changes: dict[str, Any], ttls: tuple[bytes | None, bytes | None]
) -> None:
    """They are written as result_ttl and failure_ttl."""
    await rq.enqueue("greet", DATA)
    lease = await rq.claim(await rq.broker())

    await lease.enqueue("other", replace(ADDITION, **changes))

    assert ttls == tuple(await asyncio.to_thread(ttls_of, redis_url))


def ttls_of(url: str) -> list[bytes | None]:
    """How long the job `next-1` stays, by its hash."""
    with redis.Redis.from_url(url) as connection:
        found: Any = connection.hmget("rq:job:next-1", "result_ttl", "failure_ttl")
        return list(found)


async def test_rq_deletes_a_failed_job_that_is_not_to_stay(rq: WireKit) -> None:
    """It is gone once it has failed for good."""
    await rq.enqueue("greet", DATA)
    broker = await rq.broker([QUEUE, OTHER])
    lease = await rq.claim(broker)

    await lease.enqueue("other", replace(ADDITION, remove_on_fail=True))
    await (await rq.claim(broker, OTHER)).bury(Failure("it broke"))
    await rq.chore(broker, "apply retention")

    assert None is await rq.inspector.find("other", "next-1")


async def test_an_added_jobs_own_priority_wins(bullmq: WireKit, redis_url: str) -> None:
    """A job with a priority may add others at the front, or with another priority."""
    source = BullQueue(QUEUE.name, {"connection": redis_url})
    await source.add("greet", DATA, {"priority": 7})
    broker = await bullmq.broker()
    lease = await bullmq.claim(broker)

    await lease.enqueue(QUEUE.name, replace(ADDITION, job_id="same"))
    await lease.enqueue(QUEUE.name, replace(ADDITION, job_id="other", priority=3))
    await lease.enqueue(QUEUE.name, replace(ADDITION, job_id="front", lifo=True))

    await source.close()
    assert ["front", "other", "same"] == [(await bullmq.claim(broker)).job.id for _ in range(3)]


async def test_an_added_jobs_own_lane_wins(rq: WireKit, redis_url: str) -> None:
    """A job of the high lane may add others to any lane of its queue."""
    with redis.Redis.from_url(redis_url) as connection:
        rq_enqueue(connection, "greet", DATA, lane=f"{QUEUE.name}-high")
        lease = await rq.claim(await rq.broker())
        await lease.enqueue(QUEUE.name, replace(ADDITION, job_id="same"))
        await lease.enqueue(QUEUE.name, replace(ADDITION, job_id="other", priority="low"))

        found = [connection.lrange(f"rq:queue:{QUEUE.name}{suffix}", 0, -1) for suffix in ("-high", "", "-low")]
    assert [[b"same"], [], [b"other"]] == found
