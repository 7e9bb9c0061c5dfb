"""RQ's own ways of settling when an answer is lost: repeats, dependents, and jobs that are canceled meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis
from rq import Queue as Lane
from rq import Repeat
from rq.job import Job

from queue_lib.errors import BrokerUnavailableError
from tests.support.lossy_link import LossyLink
from tests.support.wire_kit import QUEUE, WireKit, redis_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

LONG = 3600.0  # seconds: no lease runs out in a test
ANSWERS = range(22)  # more than a completion in RQ's own way has


@pytest.fixture
def lane(redis_url: str) -> Iterator[Lane]:
    """Stock RQ's queue, on a connection that loses nothing."""
    with Redis.from_url(redis_url) as connection:
        yield Lane(QUEUE.name, connection=connection, serializer="json")


@pytest.fixture
async def link(redis_url: str) -> AsyncIterator[LossyLink]:
    """The connection to the shared server, which can lose answers."""
    async with LossyLink(redis_url) as link:
        yield link


@pytest.fixture
async def kit(link: LossyLink) -> AsyncIterator[WireKit]:
    """RQ's wire, whose answers may get lost."""
    async with redis_kit(link.url, "rq") as kit:
        yield kit


@pytest.mark.parametrize("after", ANSWERS)
async def test_a_job_that_repeats(kit: WireKit, link: LossyLink, lane: Lane, after: int) -> None:
    """Whichever answer is lost, it has run once, and waits once to run again."""
    broker = await kit.broker(lease_duration=LONG)
    job = lane.enqueue("greet", 1, repeat=Repeat(times=2, interval=0))
    lease = await kit.claim(broker)
    link.lose(after)
    await _done(lease)

    assert [job.id] == lane.job_ids
    assert 1 == _successes(kit, lane)


@pytest.mark.parametrize("after", ANSWERS)
async def test_a_job_with_a_dependent(kit: WireKit, link: LossyLink, lane: Lane, after: int) -> None:
    """Whichever answer is lost, it is done once, and its dependent waits in line."""
    broker = await kit.broker(lease_duration=LONG)
    job = lane.enqueue("greet", 1)
    dependent = lane.enqueue("greet", 2, depends_on=job)
    lease = await kit.claim(broker)
    link.lose(after)
    await _done(lease)

    assert [dependent.id] == lane.job_ids
    assert 1 == _successes(kit, lane)
    assert "finished" == job.get_status()


async def test_an_unacknowledged_claim_of_a_canceled_job(kit: WireKit, link: LossyLink, lane: Lane) -> None:
    """The job does not come back."""
    broker = await kit.broker(lease_duration=LONG)
    await broker.claim(QUEUE)  # the scripts are known to the server from here on
    claimed, other = lane.enqueue("greet", 1), lane.enqueue("greet", 2)
    link.lose()
    assert other.id == (await kit.claim(broker)).job.id
    Job.fetch(claimed.id, lane.connection, serializer=lane.serializer).cancel()
    await kit.chore(broker, "renew leases")

    assert [] == lane.job_ids
    assert "canceled" == claimed.get_status()


async def test_a_claim_of_a_stock_worker_is_not_ours(kit: WireKit, lane: Lane) -> None:
    """A job that ran here before is left alone while another worker is about to start it."""
    broker = await kit.broker(lease_duration=LONG)
    job = lane.enqueue("greet", 1)
    await (await kit.claim(broker)).release()
    lane.connection.lmove(lane.key, lane.intermediate_queue_key, "LEFT", "RIGHT")  # the first thing that it does
    broker._unacknowledged.suspect(QUEUE.name)  # type: ignore[attr-defined]
    await kit.chore(broker, "renew leases")

    assert [] == lane.job_ids
    assert [job.id.encode()] == lane.connection.lrange(lane.intermediate_queue_key, 0, -1)


async def _done(lease: object) -> None:
    """Settle as the executor does: again after an outage."""
    for _ in range(5):
        try:
            return await lease.done("ok")  # type: ignore[attr-defined, no-any-return]
        except BrokerUnavailableError:
            continue
    pytest.fail("the server is there")


def _successes(kit: WireKit, lane: Lane) -> int:
    [broker] = kit.brokers
    return int(lane.connection.hget(broker._session.worker.key, "successful_job_count") or 0)  # type: ignore[attr-defined]
