"""What an operator does to jobs, on every wire: retry, remove, promote, clean and drain."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import redis

from queue_lib.admin.filters import JobFilter
from queue_lib.broker.base import NotNow
from queue_lib.job import State
from tests.support.failed_jobs import FAILURE, fail, failed
from tests.support.wire_kit import QUEUE, WireKit, clock, redis_kit

if TYPE_CHECKING:
    from queue_lib.admin.admin import Admin


@pytest.mark.parametrize("attempts", [None, 2])
async def test_a_retried_job_has_all_its_attempts_again(kit: WireKit, admin: Admin, attempts: int | None) -> None:
    """So has a job that failed on its last attempt. Its dead letter is gone."""
    broker = await kit.broker()
    await kit.enqueue("greet", {}, attempts=attempts)
    first = await kit.claim(broker)
    for _ in range(first.job.max_attempts - 1):
        await first.retry(0.0, FAILURE)
        first = await kit.claim(broker)
    assert first.job.is_last_attempt
    await fail(kit, first)

    [job] = (await admin.jobs.failed(JobFilter())).jobs
    assert await admin.jobs.retry(job)
    again = (await kit.claim(broker)).job

    assert (1, attempts or QUEUE.attempts) == (again.attempt, again.max_attempts)
    assert 0 == await admin.dead_letters.count()
    assert [] == (await admin.jobs.failed(JobFilter())).jobs


async def test_two_operators_retry_a_job_once(kit: WireKit, admin: Admin) -> None:
    """The job runs once. The second operator gets the answer that the job is no longer failed."""
    await failed(kit, "greet")
    [job] = (await admin.jobs.failed(JobFilter())).jobs

    answers = await asyncio.gather(*(admin.jobs.retry(job) for _ in range(4)))

    assert 1 == sum(answers)
    broker = await kit.broker()
    await kit.claim(broker)
    assert isinstance(await broker.claim(QUEUE), NotNow)


async def test_a_job_that_failed_again_meanwhile_is_left_alone(
    kit: WireKit, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An action on many finds them first: one that another operator has retried since is not retried again."""
    first, second = await failed(kit, "greet", "greet")
    before, retry = clock(kit)(), kit.inspector.retry

    async def retry_and_fail_the_other(queue: str, job_id: str) -> bool:
        monkeypatch.undo()
        await retry(queue, first if job_id == second else second)
        await asyncio.sleep(0.01)
        await fail(kit, await kit.claim(kit.brokers[0]))
        return await retry(queue, job_id)

    monkeypatch.setattr(kit.inspector, "retry", retry_and_fail_the_other)
    done = await admin.jobs.retry_many(JobFilter(before=before), 5)

    assert (2, 1, False) == (done.matched, done.retried, done.more)
    assert 1 == await admin.dead_letters.count()
    assert 1 == len((await admin.jobs.failed(JobFilter())).jobs)


async def test_a_job_that_runs_is_neither_retried_nor_removed(kit: WireKit) -> None:
    """A worker holds its lease."""
    job_id = await kit.enqueue("greet", {})
    lease = await kit.claim(await kit.broker())

    assert not await kit.inspector.retry(QUEUE.name, job_id)
    assert not await kit.inspector.remove(QUEUE.name, job_id)
    await lease.done(None)
    assert State.COMPLETED == (await kit.view(job_id)).state


@pytest.mark.parametrize("delay", [0.0, 60.0])
async def test_a_removed_job_is_gone(kit: WireKit, delay: float) -> None:
    """Redis keeps nothing of it."""
    job_id = await kit.enqueue("greet", {}, delay=delay)

    assert await kit.inspector.remove(QUEUE.name, job_id)
    assert not await kit.inspector.remove(QUEUE.name, job_id)
    assert await kit.inspector.find(QUEUE.name, job_id) is None
    assert isinstance(await (await kit.broker()).claim(QUEUE), NotNow)


@pytest.mark.parametrize(
    ("wire", "key", "fields"),
    [("bullmq", "bull:work:{}", {"stc": 9, "defa": "it stalled"}), ("rq", "rq:job:{}", {"crashes": 9})],
)
async def test_a_retry_resets_the_count_of_crashes(redis_url: str, wire: str, key: str, fields: dict[str, Any]) -> None:
    """A job that is dead because its workers crashed runs again; its old crashes do not bury it."""
    async with redis_kit(redis_url, wire) as kit:
        [job_id] = await failed(kit, "greet")
        with redis.Redis.from_url(redis_url) as server:
            server.hset(key.format(job_id), mapping=fields)

        assert await kit.inspector.retry(QUEUE.name, job_id)

        assert (await kit.claim(await kit.broker())).job.refusal is None


async def test_clean_deletes_jobs_that_ended_long_ago(
    kit: WireKit, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as many steps as it needs. Dead letters and younger jobs stay."""
    monkeypatch.setattr("queue_lib.admin.queues.DELETED_AT_ONCE", 2)
    await failed(kit, *"abcde")
    await kit.enqueue("greet", {})
    waiting = await kit.enqueue("greet", {})
    await (await kit.claim(kit.brokers[0])).done(None)

    assert [0, 5] == [await admin.queues.cleanable(QUEUE.name, State.FAILED, older) for older in (60.0, 0.0)]
    assert 0 == await admin.queues.clean(QUEUE.name, State.FAILED, 60.0)
    await asyncio.sleep(1.1 if kit.name == "rq" else 0.01)
    assert 3 == await admin.queues.clean(QUEUE.name, State.FAILED, 0.0, most=3)
    assert 2 == await admin.queues.clean(QUEUE.name, State.FAILED, 0.0)

    counts = await kit.inspector.counts(QUEUE.name)
    assert (0, 1, 1) == (counts[State.FAILED], counts[State.COMPLETED], counts[State.WAITING])
    assert 1 == await admin.queues.clean(QUEUE.name, State.COMPLETED, 0.0)
    assert 5 == await admin.dead_letters.count()
    assert await kit.inspector.find(QUEUE.name, waiting) is not None
    with pytest.raises(ValueError, match="waiting is not cleaned"):
        await admin.queues.clean(QUEUE.name, State.WAITING, 0.0)


async def test_a_delayed_job_is_promoted(kit: WireKit, admin: Admin) -> None:
    """It runs now. A job that is not delayed, or no longer, stays where it is."""
    job_id = await kit.enqueue("greet", {}, delay=600.0)
    view = await kit.view(job_id)

    assert [True, False] == [await admin.jobs.promote(view), await admin.jobs.promote(view)]

    lease = await kit.claim(await kit.broker())
    assert (job_id, 1) == (lease.job.id, lease.job.attempt)
    assert not await admin.jobs.promote(view)
    await lease.done(None)
    assert not await kit.inspector.promote(QUEUE.name, "none")


@pytest.mark.parametrize("delayed", [False, True])
async def test_drain_deletes_jobs_that_wait(
    kit: WireKit, admin: Admin, delayed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delayed jobs go too if asked for. Active and ended jobs stay."""
    monkeypatch.setattr("queue_lib.admin.queues.DELETED_AT_ONCE", 2)
    [dead] = await failed(kit, "greet")
    running = await kit.enqueue("greet", {})
    lease = await kit.claim(kit.brokers[0])
    waiting = [await kit.enqueue("greet", {}) for _ in range(3)]
    later = await kit.enqueue("greet", {}, delay=60.0)

    assert 1 == await admin.queues.drain(QUEUE.name, delayed=delayed, most=1)
    assert 2 + delayed == await admin.queues.drain(QUEUE.name, delayed=delayed)
    assert 0 == await admin.queues.drain(QUEUE.name, delayed=delayed)

    counts = await kit.inspector.counts(QUEUE.name)
    assert (0, not delayed) == (counts[State.WAITING], counts[State.DELAYED])
    assert [None] * 3 == [await kit.inspector.find(QUEUE.name, each) for each in waiting]
    assert (await kit.inspector.find(QUEUE.name, later) is None) == delayed
    await lease.done(None)
    assert {State.FAILED, State.COMPLETED} == {(await kit.view(each)).state for each in (dead, running)}
