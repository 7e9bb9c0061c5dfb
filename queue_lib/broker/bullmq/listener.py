"""Waits for a job in one queue of BullMQ."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

if TYPE_CHECKING:
    import redis.asyncio

AFTER_A_BROKEN_WAIT = 0.5  # seconds


class Listener:
    """Waits on the queue's marker: a sorted set that every producer of jobs adds to, scored by when they are due."""

    def __init__(self, client: redis.asyncio.Redis, marker: str) -> None:
        """`client` is this listener's alone; `marker` is the key of the set."""
        self._client = client
        self._marker = marker

    async def connect(self) -> None:
        """Open the connection. Raises redis-py's errors."""
        await self._client.ping()

    async def listen(self, seconds: float) -> None:
        """Wait until a job is due, so many seconds at most. It takes the marker. Safe to cancel."""
        until = time.time() + seconds
        try:
            while (left := until - time.time()) > 0:
                # 0 would mean "for ever", and Redis counts in milliseconds.
                news = await self._client.bzpopmin(self._marker, timeout=max(0.001, round(left, 3)))
                if not news or (due := float(news[2]) / 1000) <= time.time():
                    return
                until = min(due, until)
        except (RedisError, OSError):
            await asyncio.sleep(AFTER_A_BROKEN_WAIT)  # the next claim says what is wrong

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
