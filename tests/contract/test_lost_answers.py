"""Lost answers: the server runs a command, and the connection breaks before the answer.

No job is stranded or done twice.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.addition import Addition
from queue_lib.broker.base import NotNow
from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.together import TURNS
from queue_lib.errors import BrokerUnavailableError
from queue_lib.job import State
from queue_lib.outcome import Failure
from queue_lib.runner.context import RunContext
from tests.support.lossy_link import LossyLink
from tests.support.wire_kit import QUEUE, WireKit, queue, redis_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from queue_lib.broker.base import Broker, Lease

pytestmark = pytest.mark.parametrize("wire", ["bullmq", "rq"])
FAILURE = Failure("it broke", "Traceback: it broke")
UNSERVED_QUEUE = queue(name="unserved")
LONG = 3600.0  # seconds: no lease runs out in a test


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[LossyLink]:
    """The connection to the shared server, which can lose answers."""
    async with LossyLink(redis_url) as link:
        yield link


@pytest.fixture
async def kit(link: LossyLink, wire: str) -> AsyncIterator[WireKit]:
    """One wire whose answers may get lost."""
    async with redis_kit(link.url, wire) as kit:
        yield kit


@pytest.fixture
async def broker(kit: WireKit) -> Broker:
    """A worker's broker."""
    return await kit.broker([QUEUE, UNSERVED_QUEUE], lease_duration=LONG)


@pytest.mark.parametrize("after", [0, 1])
async def test_a_claim(kit: WireKit, broker: Broker, link: LossyLink, after: int) -> None:
    """A job claimed in a lost answer is claimed again, by this worker or another, as if it had waited."""
    await broker.claim(QUEUE)  # the scripts are known to the server from here on
    ids = {await kit.enqueue("greet", number) for number in range(3)}
    link.lose(after)
    leases = [await kit.claim(broker) for _ in ids]

    assert 1 == link.lost
    assert ids == {lease.job.id for lease in leases}
    for lease in leases:
        assert 1 == lease.job.attempt
        await lease.done("ok")
    assert {State.COMPLETED: 3} == {state: n for state, n in (await kit.inspector.counts(QUEUE.name)).items() if n}


async def test_a_job_that_is_held_stays_where_it_is(kit: WireKit, broker: Broker, link: LossyLink) -> None:
    """The search after a lost answer leaves alone the jobs that this worker, or another one, runs."""
    other = await kit.broker(lease_duration=LONG)
    ids = [await kit.enqueue("greet", number) for number in range(4)]
    held = [await kit.claim(broker), await kit.claim(other)]
    link.lose()
    held += [await kit.claim(broker), await kit.claim(broker)]

    assert 1 == link.lost
    assert sorted(ids) == sorted(lease.job.id for lease in held)
    for lease in held:
        await lease.done("ok")
    assert not any(lease.is_lost for lease in held)


async def test_a_completion(kit: WireKit, broker: Broker, link: LossyLink) -> None:
    """The job is done once. The job that came with the lost answer is claimed next."""
    room = iter((0, 1))  # the second one brings the third
    broker.reserve_for(QUEUE, lambda: next(room))
    job_id, next_id = await settle_two(kit, broker, link, lambda lease: lease.done({"sent": 1}))

    view = await kit.view(job_id)
    assert (State.COMPLETED, {"sent": 1}, 1) == (view.state, view.result, view.attempts_made)
    assert next_id == (await kit.claim(broker)).job.id


async def test_answers_that_are_lost_together(kit: WireKit, broker: Broker, link: LossyLink) -> None:
    """Three completions, two of which bring a next job, and a claim: each job is done once, and none is stranded."""
    ids = {await kit.enqueue("greet", number) for number in range(6)}
    leases = [await kit.claim(broker) for _ in range(3)]
    broker.reserve_for(QUEUE, lambda: 2)
    link.lose()
    answers: list[Any] = await asyncio.gather(broker.claim(QUEUE), *(lease.done(1) for lease in leases))
    left = [] if isinstance(answers[0], NotNow) else [answers[0]]
    left += [await kit.claim(broker) for _ in range(3 - len(left))]

    assert 1 == link.lost
    assert ids == {lease.job.id for lease in (*leases, *left)}
    for lease in left:
        await lease.done(1)
    assert {State.COMPLETED: 6} == {state: n for state, n in (await kit.inspector.counts(QUEUE.name)).items() if n}


async def test_a_job_that_a_run_adds(kit: WireKit, broker: Broker, link: LossyLink, wire: str) -> None:
    """It is added once, whichever answer is lost, also to another queue."""
    await kit.enqueue("greet", 1)
    context = RunContext(await kit.claim(broker), lambda _: None, MemoryBoard())
    added = [await context.enqueue(Addition(name="follow", data=0), "unserved")]  # the scripts are known from here on
    answers = {"bullmq": 1, "rq": 2}[wire]
    for number in range(answers):
        link.lose(number)
        added.append(await context.enqueue(Addition(name="follow", data=number), "unserved"))

    assert answers == link.lost
    assert sorted(added) == sorted([(await kit.claim(broker, UNSERVED_QUEUE)).job.id for _ in added])
    assert isinstance(await broker.claim(UNSERVED_QUEUE), NotNow)


@pytest.mark.parametrize("suspected", [False, True])
async def test_a_claim_that_is_answered_says_that_the_server_is_there(
    kit: WireKit, broker: Broker, link: LossyLink, suspected: bool
) -> None:
    """A job fetched before the server went away does not count as an answer of the server."""
    broker.reserve_for(QUEUE, lambda: 1)
    ids = [await kit.enqueue("greet", number) for number in range(3)]
    first = await kit.claim(broker)
    done = asyncio.create_task(first.done("ok"))
    for _ in range(TURNS + 2):
        await asyncio.sleep(0)  # its command is under way: the claim's is the next
    link.lose(after=1)
    link.refuse()
    if suspected:
        broker._unacknowledged.suspect(QUEUE.name)  # type: ignore[attr-defined]  # both wires have it
    for _ in range(2):
        with pytest.raises(BrokerUnavailableError):
            await broker.claim(QUEUE)
        since = time.monotonic()
        await broker.wait(QUEUE, NotNow(0.2, listen=False))
        assert time.monotonic() - since >= 0.19
    await done
    await link.listen()

    assert 1 == link.lost
    assert sorted(ids[1:]) == sorted([(await kit.claim(broker)).job.id for _ in ids[1:]])


@pytest.mark.parametrize("delay", [0.0, 0.5])
async def test_a_retry(kit: WireKit, broker: Broker, link: LossyLink, delay: float) -> None:
    """One attempt is counted."""
    await settle_two(kit, broker, link, lambda lease: lease.retry(delay, FAILURE))
    assert [1, 2, 2] == sorted([(await kit.claim(broker)).job.attempt for _ in range(3)])


async def test_a_burial(kit: WireKit, broker: Broker, link: LossyLink) -> None:
    """The job has failed, with its reason."""
    job_id, _ = await settle_two(kit, broker, link, lambda lease: lease.bury(FAILURE))
    view = await kit.view(job_id)
    assert (State.FAILED, "it broke") == (view.state, view.reason)


async def test_a_snooze(kit: WireKit, broker: Broker, link: LossyLink) -> None:
    """No attempt is counted, and the job has its delay."""
    await settle_two(kit, broker, link, lambda lease: lease.snooze(0.5))
    assert [1, 1, 1] == [(await kit.claim(broker)).job.attempt for _ in range(3)]


async def test_a_release(kit: WireKit, broker: Broker, link: LossyLink) -> None:
    """The job is back at the front."""
    second_id, third_id = await settle_two(kit, broker, link, lambda lease: lease.release())
    assert [second_id, third_id] == [(await kit.claim(broker)).job.id for _ in range(3)][::2]


async def test_a_busy_worker_gives_back_jobs_it_never_heard_of(kit: WireKit, broker: Broker, link: LossyLink) -> None:
    """With no free slot it claims nothing, so it looks when it renews leases; another worker gets the job."""
    ids = {await kit.enqueue("greet", number) for number in range(2)}
    await broker.claim(UNSERVED_QUEUE)  # the scripts are known to the server from here on
    link.lose()
    mine = await kit.claim(broker)
    await kit.chore(broker, "renew leases")
    other = await kit.claim(await kit.broker(lease_duration=LONG))

    assert 1 == link.lost
    assert ids == {mine.job.id, other.job.id}
    assert not mine.is_lost


async def test_a_worker_that_stops_gives_back_jobs_it_never_heard_of(
    kit: WireKit, broker: Broker, link: LossyLink
) -> None:
    """Before it closes its connections."""
    for number in range(2):
        await kit.enqueue("greet", number)
    await broker.claim(UNSERVED_QUEUE)
    link.lose()
    await (await kit.claim(broker)).release()
    await broker.close()
    kit.brokers.remove(broker)

    assert 1 == link.lost
    counts = await kit.inspector.counts(QUEUE.name)
    assert (2, 0) == (counts[State.WAITING], counts[State.ACTIVE])


async def settle_two(
    kit: WireKit, broker: Broker, link: LossyLink, settle: Callable[[Lease], Awaitable[None]]
) -> tuple[str, str]:
    """Settle two jobs, the second one with a lost answer; the first makes the scripts known to the server.

    Returns the ids of the second one, and of a third that waits.
    """
    _, second_id, third_id = [await kit.enqueue("greet", number) for number in range(3)]
    first, second = await kit.claim(broker), await kit.claim(broker)
    await settle(first)
    link.lose()
    await settle(second)
    assert 1 == link.lost
    return second_id, third_id
