"""What RQ does in its own way when an answer is lost: repeats, dependents, jobs that are canceled meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis
from rq import Queue as Lane
from rq import Repeat
from rq.job import Job

from queue_lib.errors import BrokerUnavailableError
from tests.support.lossy_link import LossyLink
from tests.support.mills import QUEUE, Mill, redis_mill

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
    """The way to the shared server."""
    async with LossyLink(redis_url) as link:
        yield link


@pytest.fixture
async def mill(link: LossyLink) -> AsyncIterator[Mill]:
    """RQ's wire, whose answers may get lost."""
    async with redis_mill(link.url, "rq") as mill:
        yield mill


@pytest.mark.parametrize("after", ANSWERS)
async def test_a_job_that_repeats(mill: Mill, link: LossyLink, lane: Lane, after: int) -> None:
    """Whichever answer is lost on the way, it has run once, and waits once to run again."""
    broker = await mill.broker(lease_duration=LONG)
    job = lane.enqueue("greet", 1, repeat=Repeat(times=2, interval=0))
    lease = await mill.claim(broker)
    link.lose(after)
    await _done(lease)

    assert [job.id] == lane.job_ids
    assert 1 == _successes(mill, lane)


@pytest.mark.parametrize("after", ANSWERS)
async def test_a_job_with_a_dependent(mill: Mill, link: LossyLink, lane: Lane, after: int) -> None:
    """Whichever answer is lost on the way, it is done once, and its dependent waits in line."""
    broker = await mill.broker(lease_duration=LONG)
    job = lane.enqueue("greet", 1)
    dependent = lane.enqueue("greet", 2, depends_on=job)
    lease = await mill.claim(broker)
    link.lose(after)
    await _done(lease)

    assert [dependent.id] == lane.job_ids
    assert 1 == _successes(mill, lane)
    assert "finished" == job.get_status()


async def test_a_stray_that_is_canceled(mill: Mill, link: LossyLink, lane: Lane) -> None:
    """It does not come back."""
    broker = await mill.broker(lease_duration=LONG)
    await broker.claim(QUEUE)  # the scripts are known to the server from here on
    stray, other = lane.enqueue("greet", 1), lane.enqueue("greet", 2)
    link.lose()
    assert other.id == (await mill.claim(broker)).job.id
    Job.fetch(stray.id, lane.connection, serializer=lane.serializer).cancel()
    await mill.chore(broker, "renew leases")

    assert [] == lane.job_ids
    assert "canceled" == stray.get_status()


async def test_what_a_stock_worker_has_just_taken(mill: Mill, lane: Lane) -> None:
    """A job that ran here before is no stray of ours while another worker is about to start it."""
    broker = await mill.broker(lease_duration=LONG)
    job = lane.enqueue("greet", 1)
    await (await mill.claim(broker)).release()
    lane.connection.lmove(lane.key, lane.intermediate_queue_key, "LEFT", "RIGHT")  # the first thing that it does
    broker._unacknowledged.suspect(QUEUE.name)  # type: ignore[attr-defined]
    await mill.chore(broker, "renew leases")

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


def _successes(mill: Mill, lane: Lane) -> int:
    [broker] = mill.brokers
    return int(lane.connection.hget(broker._session.worker.key, "successful_job_count") or 0)  # type: ignore[attr-defined]
