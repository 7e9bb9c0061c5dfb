"""Adds and cancels jobs over a connection of its own, which is closed at once: what no worker does for its jobs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

from queue_lib.addition import Batch, NewJob
from queue_lib.broker.board import RedisBoard
from queue_lib.broker.bullmq.producer import Producer
from queue_lib.broker.connection import client, redis_options, synchronous_client
from queue_lib.broker.rq import producer as rq
from queue_lib.broker.trouble import outages_translated
from queue_lib.job import Wire
from queue_lib.redis_settings import RedisSettings
from queue_lib.settings import load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import redis.asyncio

NAME = "pushmill:dispatch"  # of the connection, as the server lists it


async def add(job: NewJob, wire: Wire | Literal["bullmq", "rq"]) -> str:
    """Add a job; returns its id."""
    if wire == Wire.RQ:
        return await _add_on_rq(job)
    async with _producer() as producer:
        return await producer.add(job.queue, job.addition)


async def add_batch(jobs: Sequence[NewJob], then: NewJob | None, *, even_if_failed: bool) -> Batch:
    """Add jobs on BullMQ's wire, and `then`, which runs when they have ended."""
    async with _producer() as producer:
        if not then:
            return Batch(tuple(await producer.add_all(jobs)), None)
        if not jobs:
            return Batch((), await producer.add(then.queue, then.addition))
        *ids, last = await producer.add_batch(jobs, then, even_if_failed=even_if_failed)
        return Batch(tuple(ids), last)


async def cancel(key: str, seconds: float) -> None:
    """Cancel a key."""
    async with _connected() as (connection, prefix):
        await RedisBoard(connection, prefix).cancel(key, seconds)


@asynccontextmanager
async def _producer() -> AsyncIterator[Producer]:
    async with _connected() as (connection, prefix):
        yield Producer(connection, prefix, {})


@asynccontextmanager
async def _connected() -> AsyncIterator[tuple[redis.asyncio.Redis, str]]:
    """A connection, and BullMQ's prefix."""
    [settings] = load(RedisSettings)
    connection = client(redis_options(settings), decode=True, name=NAME)
    try:
        yield connection, settings.bullmq_prefix
    finally:
        await connection.aclose()


async def _add_on_rq(job: NewJob) -> str:
    [settings] = load(RedisSettings)
    connection = synchronous_client(redis_options(settings), name=NAME)
    try:
        with outages_translated():
            return await asyncio.to_thread(rq.add, connection, job.queue, job.addition)
    finally:
        connection.close()
