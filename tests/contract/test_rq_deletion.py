"""Deleting RQ's jobs: each job wholly or not at all, and many jobs in few steps."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from rq.group import Group
from rq.job import Job as StockJob
from rq.queue import Queue as Lane

from queue_lib.admin.rq.inspector import AT_ONCE
from queue_lib.errors import LeaseLostError
from queue_lib.job import State
from tests.support.failed_jobs import FAILURE
from tests.support.wire_kit import QUEUE, WireKit

if TYPE_CHECKING:
    from collections.abc import Iterator

LEASE = 1.0  # seconds


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    """A client as stock RQ opens it."""
    with Redis.from_url(redis_url) as connection:
        yield connection


def stock_job(client: Redis, job_id: str) -> StockJob:
    """The job as RQ's tools have it."""
    return StockJob.fetch(job_id, connection=client, serializer="json")


def keys_with(client: Redis, job_id: str) -> list[Any]:
    """What Redis still has of a job: keys named after it, and lists and sets that contain it."""
    found: list[Any] = [key for key in client.keys("*") if job_id.encode() in key]
    named: Any = client.keys("rq:*:work*")
    for key in named:
        if key.startswith(b"rq:kept:"):  # which job ended when; it says nothing of a job
            continue
        kind = client.type(key)
        if kind in {b"list", b"zset"}:
            members = client.lrange(key, 0, -1) if kind == b"list" else client.zrange(key, 0, -1)
            found += [key for member in members if job_id.encode() in member]
    return found


async def recovered(kit: WireKit) -> str:
    """A job whose worker went silent, and which waits in line again."""
    job_id = await kit.enqueue("greet", {})
    broker = await kit.broker(lease_duration=LEASE)
    await kit.claim(broker)
    await asyncio.sleep(LEASE + 0.1)
    await kit.chore(broker, "recover jobs")
    assert State.WAITING == (await kit.view(job_id)).state
    return job_id


async def test_a_recovered_job_is_deleted(rq: WireKit, client: Redis) -> None:
    """At once and wholly."""
    job_id = await recovered(rq)

    assert await rq.inspector.remove(QUEUE.name, job_id)
    assert [] == keys_with(client, job_id)


async def test_a_recovered_job_is_deleted_by_rqs_own_tools(rq: WireKit, client: Redis) -> None:
    """As rq-dashboard does it: no lost execution is left that would make it fail."""
    job_id = await recovered(rq)

    stock_job(client, job_id).delete()
    assert [] == keys_with(client, job_id)


@pytest.mark.parametrize("oddity", ["execution", "group"])
async def test_an_odd_job_is_deleted(rq: WireKit, client: Redis, oddity: str) -> None:
    """Also one with an execution, or a group, that is gone: RQ's own delete raises half-way."""
    job_id = await rq.enqueue("greet", {})
    lease = await rq.claim(await rq.broker())
    await lease.bury(FAILURE)
    if oddity == "execution":
        client.zadd(f"rq:executions:{job_id}", {"gone": 4_000_000_000})
    else:
        client.hset(f"rq:job:{job_id}", "group_id", "gone")

    assert await rq.inspector.remove(QUEUE.name, job_id)
    assert [] == keys_with(client, job_id)


async def test_a_job_of_a_group_leaves_it(rq: WireKit, client: Redis) -> None:
    """As with RQ's delete, one by one or with others."""
    lane = Lane(QUEUE.name, connection=client, serializer="json")
    group = Group.create(client, "batch")
    first, second, third = group.enqueue_many(lane, [Lane.prepare_data("greet", ({},)) for _ in range(3)])
    broker = await rq.broker()
    for _ in range(2):
        await (await rq.claim(broker)).done(None)

    assert await rq.inspector.remove(QUEUE.name, third.id)
    assert {first.id.encode(), second.id.encode()} == client.smembers(group.key)
    assert 2 == await rq.inspector.clean(QUEUE.name, State.COMPLETED, 0.0, 10)
    assert not client.exists(group.key)


@pytest.mark.parametrize("moment", ["claimed", "started", "canceled"])
async def test_a_claimed_or_running_job_is_not_deleted(
    rq: WireKit, client: Redis, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Even if it was canceled meanwhile."""
    job_id = await rq.enqueue("greet", {})
    broker: Any = await rq.broker()
    if moment == "claimed":
        real = broker._session.batch.send

        async def removed_meanwhile(*args: Any, **kwargs: Any) -> Any:
            assert not await rq.inspector.remove(QUEUE.name, job_id)
            return await real(*args, **kwargs)

        monkeypatch.setattr(broker._session.batch, "send", removed_meanwhile)
    lease = await rq.claim(broker)
    if moment == "canceled":
        stock_job(client, job_id).cancel()

    assert not await rq.inspector.remove(QUEUE.name, job_id)
    assert job_id == lease.job.id
    assert client.exists(f"rq:job:{job_id}")


@pytest.mark.parametrize("started", [False, True])
async def test_a_job_that_another_tool_deletes_is_not_written_again(rq: WireKit, client: Redis, started: bool) -> None:
    """Before it starts or while it runs: its worker loses it, and writes nothing more."""
    job_id = await rq.enqueue("greet", {})
    broker: Any = await rq.broker()
    if started:
        lease = await rq.claim(broker)
        client.delete(f"rq:job:{job_id}")
        with pytest.raises(LeaseLostError):
            await lease.done({"sent": 1})
        client.delete(f"rq:executions:{job_id}")
        client.delete(*client.keys(f"rq:execution:{job_id}:*"))
    else:
        real = broker._session.batch.send

        async def deleted_meanwhile(*args: Any, **kwargs: Any) -> Any:
            client.delete(f"rq:job:{job_id}")
            return await real(*args, **kwargs)

        broker._session.batch.send = deleted_meanwhile
        await broker.claim(QUEUE)

    assert [] == keys_with(client, job_id)


async def test_many_jobs_are_cleaned_in_few_steps(rq: WireKit, client: Redis) -> None:
    """One command for each step, not several for each job; nothing is left of a job."""
    jobs = 2 * AT_ONCE + 10
    await rq.enqueue("greet", {})
    lease = await rq.claim(await rq.broker())
    await lease.done({"sent": 1})
    pattern = lease.job.id
    key, results = f"rq:job:{pattern}", f"rq:results:{pattern}"
    with client.pipeline() as pipe:
        for number in range(1, jobs):
            pipe.copy(key, f"{key}-{number}")
            pipe.copy(results, f"{results}-{number}")
            pipe.zadd(f"rq:finished:{QUEUE.name}", {f"{pattern}-{number}": 4_000_000_000 + number})
        pipe.execute()
    await asyncio.sleep(0.01)
    client.config_resetstat()

    assert jobs == await rq.inspector.clean(QUEUE.name, State.COMPLETED, 0.0, 10 * jobs)

    calls = {name.removeprefix("cmdstat_"): each["calls"] for name, each in client.info("commandstats").items()}
    assert calls.get("evalsha", 0) + calls.get("eval", 0) < 10
    assert not {"hgetall", "multi", "watch"} & set(calls)
    assert [] == keys_with(client, pattern)


async def test_jobs_that_stay_are_looked_at_once(rq: WireKit, client: Redis) -> None:
    """Young jobs among old ones, in any order of the registry: the old ones go, and the loop ends."""
    broker = await rq.broker()
    ids = []
    for _ in range(6):
        await rq.enqueue("greet", {})
        lease = await rq.claim(broker)
        await lease.done(None)
        ids.append(lease.job.id)
    for job_id in ids[::2]:
        client.hset(f"rq:job:{job_id}", "ended_at", "2020-01-02T03:04:05.000000Z")
    client.hset(f"rq:job:{ids[1]}", "ended_at", "whenever")
    client.zadd(f"rq:finished:{QUEUE.name}", {"gone": 1.0})

    cleaned = 0
    while count := await rq.inspector.clean(QUEUE.name, State.COMPLETED, 3600.0, 2):
        assert count <= 2
        cleaned += count

    assert 4 == cleaned
    assert {ids[3].encode(), ids[5].encode()} == set(client.zrange(f"rq:finished:{QUEUE.name}", 0, -1))
