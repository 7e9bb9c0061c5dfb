"""Jobs that an app with bullmq 5 has set aside in a paused queue, as our worker and an operator meet them.

wire/test_node_majors.py tests that they are left as a Node worker leaves them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import redis.asyncio
from bullmq import FlowProducer
from redis import Redis

from queue_lib.addition import Addition
from queue_lib.broker.base import NotNow
from queue_lib.job import State
from tests.support.failed_jobs import failed
from tests.support.wire_kit import PREFIX, QUEUE, WireKit

if TYPE_CHECKING:
    from collections.abc import Iterator


KEY = f"{PREFIX}:{QUEUE.name}:"


@pytest.fixture
def server(redis_url: str) -> Iterator[Redis]:
    """Redis, where an app with bullmq 5 has opened the queue."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        client.hset(KEY + "meta", "version", "bullmq:5.81.5")
        yield client


async def test_jobs_set_aside_count_as_waiting(server: Redis, bullmq: WireKit) -> None:
    """They are listed and found, and `drain` deletes them."""
    before = await bullmq.enqueue("greet", 1)
    await bullmq.inspector.pause(QUEUE.name)
    during = await bullmq.inspector.add(QUEUE.name, Addition(name="greet", data=2))

    assert ([], [during, before]) == (server.lrange(KEY + "wait", 0, -1), server.lrange(KEY + "paused", 0, -1))
    assert 2 == (await bullmq.inspector.counts(QUEUE.name))[State.WAITING]
    pages = [await bullmq.inspector.page(QUEUE.name, State.WAITING, start, 1) for start in (0, 1)]
    assert [[before], [during]] == [[job.id for job in page] for page in pages]
    assert State.WAITING is (await bullmq.view(before)).state
    assert await bullmq.inspector.remove(QUEUE.name, before)
    assert 1 == await bullmq.inspector.drain(QUEUE.name, delayed=False, most=10)
    assert 0 == (await bullmq.inspector.counts(QUEUE.name))[State.WAITING]


@pytest.mark.parametrize("version", ["bullmq:5.81.5", "bullmq:6.7.0", None])
async def test_resume_brings_back_all_jobs_set_aside(server: Redis, bullmq: WireKit, version: str | None) -> None:
    """From both lists, however many, in order, whichever major the app has by then."""
    server.hset(KEY + "meta", "paused", 1)
    aside, line = [f"a{n}" for n in range(15_000)], [f"b{n}" for n in range(10)]
    server.rpush(KEY + "paused", *aside)
    server.rpush(KEY + "wait", *line)
    if version:
        server.hset(KEY + "meta", "version", version)
    else:
        server.hdel(KEY + "meta", "version")

    await bullmq.inspector.resume(QUEUE.name)

    assert 0 == server.exists(KEY + "paused")
    assert sorted(aside + line) == sorted(server.lrange(KEY + "wait", 0, -1))
    assert not server.hexists(KEY + "meta", "paused")


async def test_dead_letters_of_a_paused_queue_are_listed(server: Redis, bullmq: WireKit) -> None:
    """The app may pause the queue `dead`. Its dead letters are still counted and listed, oldest first."""
    server.hset(f"{PREFIX}:dead:meta", mapping={"version": "bullmq:5.81.5", "paused": 1})
    ids = await failed(bullmq, "greet", "greet", "greet")
    assert 3 == server.llen(f"{PREFIX}:dead:paused") == await bullmq.dead_letters.count()
    pages = [await bullmq.dead_letters.page(start, 2) for start in (0, 2)]
    assert [ids[:2], ids[2:]] == [[letter.id for letter in page] for page in pages]


async def test_a_queue_paused_with_bullmq_6_before(server: Redis, bullmq: WireKit) -> None:
    """The next job that waits sets aside what bullmq 6 left in line; bullmq 5 would lose it on `resume`."""
    first = await bullmq.enqueue("greet", 1)
    server.hset(KEY + "meta", "paused", 1)
    second = await bullmq.inspector.add(QUEUE.name, Addition(name="greet", data=2))
    assert (0, [second, first]) == (server.exists(KEY + "wait"), server.lrange(KEY + "paused", 0, -1))


async def test_a_parent_whose_queue_is_paused(server: Redis, redis_url: str, bullmq: WireKit) -> None:
    """A child that completes sets its parent free: into the line, or aside while the parent's queue is paused."""
    server.hset(f"{PREFIX}:parents:meta", mapping={"version": "bullmq:5.81.5", "paused": 1})
    async with redis.asyncio.Redis.from_url(redis_url, decode_responses=True) as client:
        flows = FlowProducer(client, {"prefix": PREFIX})
        child = {"name": "greet", "queueName": QUEUE.name, "data": 1}
        await flows.add(
            {"name": "greet", "queueName": "parents", "data": 2, "opts": {"jobId": "p"}, "children": [child]}
        )

    lease = await bullmq.claim(await bullmq.broker())
    await lease.done(None)

    assert (["p"], 0) == (server.lrange(f"{PREFIX}:parents:paused", 0, -1), server.exists(f"{PREFIX}:parents:wait"))


async def test_a_job_that_is_recovered_during_a_pause(server: Redis, bullmq: WireKit) -> None:
    """A job whose worker went silent is set aside, too."""
    job_id = await bullmq.enqueue("greet", 1)
    broker = await bullmq.broker(lease_duration=0.2)
    await bullmq.claim(broker)
    await bullmq.inspector.pause(QUEUE.name)
    for _ in range(2):  # the first look marks it
        await asyncio.sleep(0.3)
        await bullmq.chore(broker, "recover jobs")
    assert [job_id] == server.lrange(KEY + "paused", 0, -1)
    assert isinstance(await broker.claim(QUEUE), NotNow)
