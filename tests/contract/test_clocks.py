"""Workers whose clocks differ: times are compared by the server's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis
from rq.utils import utcformat

from queue_lib.addition import Addition
from queue_lib.broker.base import NotNow
from queue_lib.broker.rq.retention import clock
from queue_lib.broker.rq.scripts import COMMON
from queue_lib.errors import BrokerUnavailableError
from queue_lib.job import State
from queue_lib.outcome import Failure
from tests.support.clocks import clock_ahead
from tests.support.wire_kit import QUEUE, WireKit

if TYPE_CHECKING:
    from collections.abc import Iterator

LEASE = 1.0  # seconds
FAR = (-86_400.0, -90.0, 90.0, 86_400.0)  # seconds: all of them longer than a lease
pytestmark = pytest.mark.parametrize("ahead", FAR)


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    """A client as stock RQ opens it."""
    with Redis.from_url(redis_url) as connection:
        yield connection


def scores(client: Redis, key: str) -> dict[str, float]:
    """A sorted set of jobs."""
    found: Any = client.zrange(key, 0, -1, withscores=True)
    return {job_id.decode(): score for job_id, score in found}


async def test_a_running_job_stays_with_its_worker(rq: WireKit, ahead: float) -> None:
    """Another worker does not take it for lost, neither at once nor after a renewal."""
    job_id = await rq.enqueue("greet", {})
    worker, other = await rq.broker(), await rq.broker()
    with clock_ahead(ahead):
        lease = await rq.claim(worker)
    await rq.chore(other, "recover jobs")
    with clock_ahead(ahead):
        await rq.chore(worker, "renew leases")
    await rq.chore(other, "recover jobs")
    with clock_ahead(ahead):
        await rq.chore(worker, "recover jobs")

    assert [] == rq.events
    assert not lease.is_lost
    await lease.done(None)
    assert 1 == (await rq.view(job_id)).attempts_made


async def test_a_silent_workers_job_is_recovered(rq: WireKit, ahead: float) -> None:
    """It runs again after one lease, not earlier and not much later."""
    job_id = await rq.enqueue("greet", {})
    worker, other = await rq.broker(lease_duration=LEASE), await rq.broker(lease_duration=LEASE)
    with clock_ahead(ahead):
        await rq.claim(worker)
    await rq.chore(other, "recover jobs")
    assert isinstance(await other.claim(QUEUE), NotNow)

    await asyncio.sleep(LEASE + 0.1)
    await rq.chore(other, "recover jobs")

    assert job_id == (await rq.claim(other)).job.id
    assert 1 == len(rq.events)


async def test_a_claim_stays_with_its_worker(
    rq: WireKit, client: Redis, monkeypatch: pytest.MonkeyPatch, ahead: float
) -> None:
    """A job that is claimed and never started is recovered after one lease, too."""
    await rq.enqueue("greet", {})
    worker: Any = await rq.broker(lease_duration=LEASE)
    other = await rq.broker(lease_duration=LEASE)
    monkeypatch.setattr(worker._session.batch, "send", _away)
    with clock_ahead(ahead), pytest.raises(BrokerUnavailableError):
        await worker.claim(QUEUE)
    await rq.chore(other, "recover jobs")
    assert 0 == client.llen(f"rq:queue:{QUEUE.name}")

    await asyncio.sleep(LEASE + 0.1)
    await rq.chore(other, "recover jobs")

    assert 1 == client.llen(f"rq:queue:{QUEUE.name}")


async def _away(*_: Any, **__: Any) -> None:
    raise ConnectionError


async def test_delays(rq: WireKit, client: Redis, ahead: float) -> None:
    """A retry, a follow-up and an operator's job with a delay of five seconds are due in five, in whole seconds."""
    await rq.enqueue("greet", {})
    broker = await rq.broker()
    with clock_ahead(ahead):
        lease = await rq.claim(broker)
        await lease.enqueue(QUEUE.name, Addition(job_id="follow-up", name="call", data={}, delay=5.0))
        await lease.retry(5.0, Failure("it broke"))
        await rq.inspector.add(QUEUE.name, Addition(name="greet", data={}, job_id="own", delay=5.0))

    now = clock(client)
    due = {job_id: at - now for job_id, at in scores(client, f"rq:scheduled:{QUEUE.name}").items()}
    assert {lease.job.id, "follow-up", "own"} == set(due)
    assert {} == {job_id: left for job_id, left in due.items() if not 3.5 < left < 6.1}


async def test_a_scheduled_job_starts_by_the_servers_clock(rq: WireKit, ahead: float) -> None:
    """A job that its producer has scheduled starts neither early nor late if the worker's clock is wrong."""
    await rq.enqueue("greet", {}, delay=60.0)
    due = await rq.enqueue("greet", {}, delay=0.01)
    broker = await rq.broker()
    with clock_ahead(ahead):
        assert due == (await rq.claim(broker)).job.id
        assert isinstance(await broker.claim(QUEUE), NotNow)


async def test_retention(rq: WireKit, client: Redis, ahead: float) -> None:
    """A finished job is listed as long as its hash exists."""
    await rq.enqueue("greet", {})
    with clock_ahead(ahead):
        await (await rq.claim(await rq.broker())).done(None)
        await rq.chore(rq.brokers[0], "apply retention")

    [(job_id, until)] = scores(client, f"rq:finished:{QUEUE.name}").items()
    assert QUEUE.keep_completed.age - 5 < until - clock(client) <= QUEUE.keep_completed.age + 0.1
    assert State.COMPLETED == (await rq.view(job_id)).state


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=st.datetimes(datetime(1990, 1, 1), datetime(2199, 12, 31)))  # noqa: DTZ001 -- hypothesis wants naive ones
def test_dates_are_written_as_rq_writes_them(client: Redis, ahead: float, moment: datetime) -> None:
    """To the second; of a fraction Lua may lose the last digits."""
    at = moment.replace(tzinfo=UTC)
    written = client.eval(f"{COMMON} return iso(tonumber(ARGV[1]))", 0, f"{at.timestamp() + ahead:.6f}").decode()
    expected = utcformat(datetime.fromtimestamp(at.timestamp() + ahead, UTC))
    assert (expected[:19], len(expected)) == (written[:19], len(written))
