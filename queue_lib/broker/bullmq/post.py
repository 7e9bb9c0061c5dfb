"""What chores send jobs and messages with, over a connection of their own: a long pipeline delays no claim."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from redis.asyncio.lock import Lock
from redis.exceptions import LockError

from queue_lib.broker.board import RedisBoard
from queue_lib.broker.bullmq.packing import packed
from queue_lib.broker.bullmq.producer import Producer
from queue_lib.broker.connection import client
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from redis.asyncio.client import PubSub

    from queue_lib.addition import NewJob
    from queue_lib.chore import PackedJob

LISTENS = 15.0  # seconds for which a process that has gone silent keeps others from listening
RENEWED = 5.0  # seconds


class BullMQPost:
    """The port `Post` of `queue_lib.chore`."""

    def __init__(self, redis: dict[str, Any], prefix: str, name: str) -> None:
        """`redis` are connection options; `name` is what the server lists. Nothing is connected yet."""
        self._redis, self._prefix, self._name = redis, prefix, name
        self._client = client(redis, decode=True, name=name)
        self._producer = Producer(self._client, prefix, {})
        self._lock, self._token = f"{prefix}:pushmill:listener", uuid4().hex
        self.board = RedisBoard(self._client, prefix)

    def pack(self, job: NewJob) -> PackedJob:
        """Make the script's arguments."""
        return packed(job, self._prefix)

    async def add(self, jobs: Sequence[PackedJob]) -> dict[str, str]:
        """Run a script for each queue."""
        return await self._producer.add_many(jobs)

    @asynccontextmanager
    async def listen(self, pattern: str) -> AsyncIterator[AsyncIterator[tuple[str, str]] | None]:
        """Subscribe, under a lock that is renewed."""
        lock = Lock(self._client, self._lock, timeout=LISTENS)
        with outages_translated():
            is_ours = await self._acquired(lock)
        if not is_ours:
            yield None
            return
        listener = client(self._redis, decode=True, name=f"{self._name}:listener")
        try:
            with outages_translated():
                channels = listener.pubsub(ignore_subscribe_messages=True)
                await channels.psubscribe(pattern)
                await channels.get_message(timeout=RENEWED)  # Redis has taken it, or raises that it may not
            yield self._heard(channels, lock)
        finally:
            await listener.aclose()
            await self._let_go(lock)

    async def _acquired(self, lock: Lock) -> bool:
        if await lock.acquire(blocking=False, token=self._token):
            return True
        try:
            await lock.do_release(self._token)  # type: ignore[arg-type]  # a text will do
        except LockError:
            return False
        # It was this process's own: an outage has kept it from being released.
        return bool(await lock.acquire(blocking=False, token=self._token))

    async def _heard(self, channels: PubSub, lock: Lock) -> AsyncIterator[tuple[str, str]]:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            with outages_translated():
                message = await channels.get_message(timeout=RENEWED)
                if loop.time() - renewed >= RENEWED:
                    await _renew(lock)
                    renewed = loop.time()
            if message is not None:
                yield message["channel"], message["data"]

    @staticmethod
    async def _let_go(lock: Lock) -> None:
        try:
            with outages_translated():
                await lock.release()
        except (LockError, BrokerUnavailableError):
            pass  # another has it by now, or it runs out

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


async def _renew(lock: Lock) -> None:
    try:
        await lock.reacquire()
    except LockError:
        msg = "another process listens by now"
        raise BrokerUnavailableError(msg) from None
