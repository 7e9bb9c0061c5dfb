"""The cache of a team's own jobs: texts under keys of their own in Redis."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis.asyncio


class RedisCache:
    """The port `Cache` of `queue_lib.jobs`, over the connection that the worker has for commands."""

    def __init__(self) -> None:
        """It is connected when the worker is wired."""
        self._client: redis.asyncio.Redis | None = None
        self._prefix = ""

    def connect(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it stays the caller's to close. `prefix` is BullMQ's.

        Two names stand before a key: with one, an app's queue called `cache` would have the same keys.
        """
        self._client, self._prefix = client, f"{prefix}:pushmill:cache"

    async def get(self, key: str) -> str | None:
        """Read it."""
        with outages_translated():
            text: Any = await self._connected().get(self._key(key))
        return None if text is None else str(text)

    async def set(self, key: str, text: str, seconds: float) -> None:
        """Write it, with its end."""
        with outages_translated():
            await self._connected().set(self._key(key), text, px=max(1, round(seconds * 1000)))

    async def claim(self, key: str, text: str, seconds: float) -> str:
        """Set it if it is missing, else read it; once more if it ends in between."""
        while True:
            with outages_translated():
                milliseconds = max(1, round(seconds * 1000))
                if await self._connected().set(self._key(key), text, px=milliseconds, nx=True):
                    return text
            if (kept := await self.get(key)) is not None:
                return kept

    async def delete(self, key: str) -> None:
        """Delete it."""
        with outages_translated():
            await self._connected().delete(self._key(key))

    def _key(self, key: str) -> str:
        return f"{self._prefix}:{key}"

    def _connected(self) -> redis.asyncio.Redis:
        if self._client is None:
            msg = "the worker has not started yet"
            raise BrokerUnavailableError(msg)
        return self._client


class MemoryCache:
    """The fake."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._texts: dict[str, tuple[str, float]] = {}

    async def get(self, key: str) -> str | None:
        """Look."""
        text, end = self._texts.get(key, ("", 0.0))
        return text if end > self._clock() else None

    async def set(self, key: str, text: str, seconds: float) -> None:
        """Keep it."""
        self._texts[key] = (text, self._clock() + seconds)

    async def claim(self, key: str, text: str, seconds: float) -> str:
        """Keep it if there is none."""
        if (kept := await self.get(key)) is not None:
            return kept
        await self.set(key, text, seconds)
        return text

    async def delete(self, key: str) -> None:
        """Forget it."""
        self._texts.pop(key, None)
