"""The contract of every broker, whichever wire it serves: one suite over memory, BullMQ and RQ."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from queue_lib.broker.base import NotNow
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.errors import LeaseLostError
from queue_lib.job import State
from queue_lib.outcome import Failure
from tests.support.polling import BUSY
from tests.support.wire_kit import QUEUE, WireKit, queue

FAILURE = Failure("it broke", "Traceback: it broke")
DATA = {"userId": "u1", "text": "żółw 🐢", "list": [1, 2.5, None]}


async def test_a_job_comes_as_it_was_sent(kit: WireKit) -> None:
    """A claimed job has the producer's name and data, and the queue's policy where the producer chose none."""
    job_id = await kit.enqueue("greet", DATA)
    job = (await kit.claim(await kit.broker())).job
    assert (job_id, "greet", DATA) == (job.id, job.name, job.data)
    assert (1, 3, 5.0) == (job.attempt, job.max_attempts, job.timeout)
    assert [0.2, 0.4, 0.8] == [job.backoff.delay(attempt, 0.5) for attempt in (1, 2, 3)]
    assert job.refusal is None
    assert job.queue == QUEUE.name


async def test_an_empty_queue_says_how_long_to_wait(kit: WireKit) -> None:
    """With nothing to claim, the answer is a bounded wait, which a new job ends early."""
    answer = await (await kit.broker()).claim(QUEUE)
    assert isinstance(answer, NotNow)
    assert (True, False) == (answer.listen, answer.limited)
    assert 0 < answer.seconds <= 10


async def test_a_ping_of_a_working_server_returns(kit: WireKit) -> None:
    """It takes no job and raises nothing; tests/e2e/test_metrics.py covers a server that is away."""
    await kit.enqueue("greet", DATA)
    broker = await kit.broker()
    await broker.ping()
    assert 1 == (await kit.inspector.counts(QUEUE.name))[State.WAITING]


async def test_jobs_come_in_order(kit: WireKit) -> None:
    """Jobs without priorities are claimed in the order in which they were added."""
    ids = [await kit.enqueue("greet", number) for number in range(5)]
    broker = await kit.broker()
    assert ids == [(await kit.claim(broker)).job.id for _ in ids]


async def test_a_waiting_consumer_hears_of_a_new_job_at_once(kit: WireKit) -> None:
    """A job that arrives during an idle wait is claimed long before the wait is over."""
    broker = await kit.broker()
    claim = asyncio.create_task(kit.claim(broker))
    await asyncio.sleep(0.3)
    sent = time.monotonic()
    await kit.enqueue("greet", DATA)
    await claim
    assert time.monotonic() - sent < BUSY


async def test_done(kit: WireKit) -> None:
    """A completed job has its result, and its lease can't be used again."""
    job_id = await kit.enqueue("greet", DATA)
    lease = await kit.claim(await kit.broker())
    assert State.ACTIVE == (await kit.view(job_id)).state
    await lease.done({"sent": 1, "names": ["a"]})
    view = await kit.view(job_id)
    assert (State.COMPLETED, {"sent": 1, "names": ["a"]}, 1) == (view.state, view.result, view.attempts_made)
    with pytest.raises(LeaseLostError):
        await lease.done({})


async def test_retry_after_a_delay(kit: WireKit) -> None:
    """A retried job comes back after its delay, not before, with its attempt counted and its reason kept."""
    job_id = await kit.enqueue("greet", DATA)
    broker = await kit.broker()
    failed = time.monotonic()
    await (await kit.claim(broker)).retry(0.3, FAILURE)
    assert State.DELAYED == (await kit.view(job_id)).state
    job = (await kit.claim(broker)).job
    waited = time.monotonic() - failed
    assert 0.29 <= waited < 0.3 + kit.precision + BUSY
    assert (2, 3) == (job.attempt, job.max_attempts)


async def test_retry_at_once(kit: WireKit) -> None:
    """Without a delay a retried job is back in line at once."""
    await kit.enqueue("greet", DATA, attempts=2)
    broker = await kit.broker()
    await (await kit.claim(broker)).retry(0, FAILURE)
    job = (await kit.claim(broker)).job
    assert (2, 2, True) == (job.attempt, job.max_attempts, job.is_last_attempt)


async def test_the_producers_attempts_win(kit: WireKit) -> None:
    """A producer's own number of attempts is kept over the queue's."""
    await kit.enqueue("greet", DATA, attempts=7)
    assert 7 == (await kit.claim(await kit.broker())).job.max_attempts


async def test_snooze_counts_no_attempt(kit: WireKit) -> None:
    """A snoozed job comes back later with the same attempt number."""
    await kit.enqueue("greet", DATA)
    broker = await kit.broker()
    await (await kit.claim(broker)).snooze(0.2)
    assert isinstance(await broker.claim(QUEUE), NotNow)
    assert 1 == (await kit.claim(broker)).job.attempt


async def test_release_gives_the_job_to_the_next_worker_first(kit: WireKit) -> None:
    """A released job is the next to be claimed, by any worker, and no attempt is counted."""
    first = await kit.enqueue("greet", 1)
    await kit.enqueue("greet", 2)
    await (await kit.claim(await kit.broker())).release()
    job = (await kit.claim(await kit.broker())).job
    assert (first, 1) == (job.id, job.attempt)


async def test_bury(kit: WireKit) -> None:
    """A job that failed for good is in the failed set, with reason and stack."""
    job_id = await kit.enqueue("greet", DATA)
    await (await kit.claim(await kit.broker())).bury(FAILURE)
    view = await kit.view(job_id)
    assert (State.FAILED, "it broke", 1) == (view.state, view.reason, view.attempts_made)
    assert "Traceback: it broke" in (view.stack or "")


async def test_progress_and_log_are_seen_while_the_job_runs(kit: WireKit) -> None:
    """Progress and log lines can be read by others at once."""
    job_id = await kit.enqueue("greet", DATA)
    lease = await kit.claim(await kit.broker())
    await lease.progress({"done": 3})
    await lease.log("first")
    await lease.log("second")
    view = await kit.view(job_id)
    assert ({"done": 3}, ["first", "second"]) == (view.progress, view.log)


async def test_a_delayed_job_is_claimed_when_it_is_due(kit: WireKit) -> None:
    """Neither early nor late."""
    broker = await kit.broker()
    sent = time.time()
    # RQ cuts the due time to a whole second: a whole second from now is what it can promise.
    await kit.enqueue("greet", DATA, delay=1.0)
    assert isinstance(await broker.claim(QUEUE), NotNow)
    await kit.claim(broker)
    waited = time.time() - sent
    earliest = 0.0 if kit.name == "rq" else 0.99
    assert earliest <= waited < 1.0 + kit.precision + BUSY


async def test_a_paused_queue_hands_out_nothing(kit: WireKit) -> None:
    """A pause stops claims; `resume` lets them go on."""
    broker = await kit.broker()
    await kit.inspector.pause(QUEUE.name)
    await kit.enqueue("greet", DATA)
    assert isinstance(await broker.claim(QUEUE), NotNow)
    assert await kit.inspector.is_paused(QUEUE.name)
    await kit.inspector.resume(QUEUE.name)
    assert "greet" == (await kit.claim(broker)).job.name


async def test_the_rate_limit_holds_over_two_workers(kit: WireKit) -> None:
    """All workers together claim no more jobs in a window than the limit. The answer is the time left in the window."""
    limited = queue(rate_max=3, rate_duration=2)
    for number in range(6):
        await kit.enqueue("greet", number)
    brokers = [await kit.broker([limited]), await kit.broker([limited])]
    taken, started = 0, time.monotonic()
    while taken < 3:
        taken += not isinstance(await brokers[taken % 2].claim(limited), NotNow)
    for broker in brokers:
        answer = await broker.claim(limited)
        assert isinstance(answer, NotNow)
        assert (False, True) == (answer.listen, answer.limited)
        assert 0 < answer.seconds <= 2
    for number in range(3):
        await kit.claim(brokers[number % 2], limited)
    assert time.monotonic() - started >= 1.99


async def test_a_silent_workers_job_is_recovered(kit: WireKit) -> None:
    """Another worker gets a job whose lease is not renewed, as the same attempt; the first has lost it."""
    job_id = await kit.enqueue("greet", DATA)
    dead, alive = await kit.broker(lease_duration=1.0), await kit.broker(lease_duration=1.0)
    lost = await kit.claim(dead)
    recovered = await _recover(kit, alive)
    assert (job_id, 1) == (recovered.job.id, recovered.job.attempt)
    with pytest.raises(LeaseLostError):
        await lost.done({})
    await recovered.done({})
    assert State.COMPLETED == (await kit.view(job_id)).state


async def test_a_renewed_lease_is_kept(kit: WireKit) -> None:
    """A job that takes longer than a lease stays with its worker as long as the lease is renewed."""
    await kit.enqueue("greet", DATA)
    broker, other = await kit.broker(lease_duration=3.0), await kit.broker(lease_duration=3.0)
    lease = await kit.claim(broker)
    for _ in range(12):  # often, as a busy machine is late with some
        await asyncio.sleep(0.3)
        await kit.chore(broker, "renew leases")
        await kit.chore(other, "recover jobs")
    assert isinstance(await other.claim(QUEUE), NotNow)
    await lease.done({})


async def test_an_abandoned_job_is_recovered(kit: WireKit) -> None:
    """An abandoned lease is not renewed, so the worker that looks for lost jobs gets the job."""
    job_id = await kit.enqueue("greet", DATA)
    broker = await kit.broker(lease_duration=1.0)
    lease = await kit.claim(broker)
    lease.abandon()
    await kit.chore(broker, "renew leases")
    assert job_id == (await _recover(kit, broker)).job.id


async def test_the_third_crash_is_the_last(kit: WireKit) -> None:
    """A job that has killed its worker three times is refused, with that as its reason."""
    await kit.enqueue("greet", DATA)
    broker = await kit.broker(lease_duration=1.0)
    await kit.claim(broker)
    for _ in range(2):
        lease = await _recover(kit, await kit.broker(lease_duration=1.0))
        assert lease.job.refusal is None
    lease = await _recover(kit, await kit.broker(lease_duration=1.0))
    assert lease.job.refusal is not None
    await lease.bury(Failure(lease.job.refusal))


async def test_a_dead_letter_is_an_entry_for_the_app(kit: WireKit) -> None:
    """A dead letter is named after its job and has all that is needed to enqueue it again. Each job has one."""
    job_id = await kit.enqueue("greet", DATA)
    job = (await kit.claim(await kit.broker())).job
    for reason in ("first", "second"):
        letter = DeadLetter(job=job, failure=Failure(reason, "stack"), failed_at=1_700_000_000.5)
        await kit.dead_letters.add(letter)
    expected: dict[str, Any] = {
        "id": job_id,
        "name": "greet",
        "queue": QUEUE.name,
        "wire": job.wire.value,
        "data": DATA,
        "attemptsMade": 1,
        "reason": "second",
        "stack": "stack",
        "failedAt": 1_700_000_000_500,
    }
    assert [{"name": "greet_failed", "data": expected}] == await kit.letters()


async def test_counts(kit: WireKit) -> None:
    """An operator sees how many jobs are in which state."""
    for number in range(4):
        await kit.enqueue("greet", number)
    await kit.enqueue("greet", 4, delay=60)
    broker = await kit.broker()
    await (await kit.claim(broker)).done(None)
    await (await kit.claim(broker)).bury(FAILURE)
    await kit.claim(broker)
    counts = await kit.inspector.counts(QUEUE.name)
    assert {
        State.WAITING: 1,
        State.DELAYED: 1,
        State.ACTIVE: 1,
        State.COMPLETED: 1,
        State.FAILED: 1,
        State.WAITING_CHILDREN: 0,
    } == counts


async def _recover(kit: WireKit, broker: Any) -> Any:
    """Let leases of one second run out, and claim what comes back."""
    deadline = time.monotonic() + 6
    while time.monotonic() < deadline:
        await kit.chore(broker, "recover jobs")
        claimed = await broker.claim(QUEUE)
        if not isinstance(claimed, NotNow):
            return claimed
        await asyncio.sleep(0.1)
    return pytest.fail("nothing was recovered")
