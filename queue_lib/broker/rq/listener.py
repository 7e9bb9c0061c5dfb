"""Waits for a job in one lane of RQ."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from queue_lib.broker.rq.lanes import waiting_key

if TYPE_CHECKING:
    import redis.asyncio

LISTEN = 12  # seconds that a blocking wait takes; there are four of them, and commands are counted
AFTER_A_BROKEN_WAIT = 0.5  # seconds


class Listener:
    """Waits for a job in one lane without taking it: a blocking move of the first job onto its own place."""

    def __init__(self, client: redis.asyncio.Redis, lane: str) -> None:
        """`client` is this listener's alone."""
        self._client = client
        self._key = waiting_key(lane)
        self._task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Open the connection. Raises redis-py's errors."""
        await self._client.ping()

    def news(self) -> asyncio.Task[None]:
        """A task that ends when the lane has a job. It outlives a wait: cancelling it costs a connection."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())
        return self._task

    async def _listen(self) -> None:
        try:
            while await self._client.blmove(self._key, self._key, LISTEN, "LEFT", "LEFT") is None:
                pass
        except (RedisError, OSError):
            await asyncio.sleep(AFTER_A_BROKEN_WAIT)  # the next claim says what is wrong

    async def close(self) -> None:
        """Stop listening."""
        while self._task is not None and not self._task.done():
            self._task.cancel()  # again and again: redis-py swallows a cancellation that comes while it connects
            await asyncio.wait([self._task], timeout=0.2)
        await self._client.aclose()
