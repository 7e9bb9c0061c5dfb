"""The app's own cache: values under the keys that the app reads, in the queues' Redis or in another one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from queue_lib.broker.connection import client, options
from queue_lib.broker.trouble import outages_translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from queue_lib.redis_settings import RedisSettings

SCRIPT = (Path(__file__).parent / "app_cache.lua").read_text()
TOLD_FOR = 60.0  # seconds for which a write is told to those that wait for it


class AppCaches:
    """The caches of this process, by the URL of their Redis. Each is connected with its first command."""

    def __init__(self, settings: RedisSettings) -> None:
        """`settings` name the queues' Redis, and how certificates are checked."""
        self._settings = settings
        self._opened: list[RedisAppCache] = []

    def at(self, url: str | None) -> RedisAppCache:
        """The cache in the Redis of CACHE_REDIS_URL, or in the queues' own. Raises ConfigurationError."""
        known = self._settings
        variable = known.redis_variable if url is None else "CACHE_REDIS_URL"
        parts = options(url or known.redis, variable=variable, ca=known.redis_tls_ca, insecure=known.redis_tls_insecure)
        self._opened.append(made := RedisAppCache(parts))
        return made

    async def close(self) -> None:
        """Close the connections."""
        for cache in self._opened:
            await cache.close()


class RedisAppCache:
    """The port `AppCache` of `processors.tools`. Its connection is its own: a large value delays no claim."""

    def __init__(self, parts: dict[str, Any]) -> None:
        """`parts` are options of redis-py."""
        self._client = client(parts, decode=False, name="pushmill:app-cache")
        self._run = self._client.register_script(SCRIPT)

    async def claim(self, key: str, token: str, seconds: float) -> str:
        """Set the lock if it is missing, else read it; once more if it ends in between."""
        while True:
            with outages_translated():
                if await self._client.set(_lock(key), token, px=_milliseconds(seconds), nx=True):
                    return token
            if (holder := await self.holder(key)) is not None:
                return holder

    async def holder(self, key: str) -> str | None:
        """Read the lock."""
        with outages_translated():
            found: Any = await self._client.get(_lock(key))
        return None if found is None else bytes(found).decode(errors="replace")

    async def is_done(self, key: str, token: str) -> bool:
        """Look for the mark."""
        with outages_translated():
            return bool(await self._client.exists(_done(key, token)))

    async def write(self, key: str, token: str, value: bytes, seconds: float) -> bool | None:
        """Run the script."""
        found = await self._script(key, token, value, _milliseconds(seconds), _milliseconds(TOLD_FOR))
        return None if found < 0 else bool(found)

    async def release(self, key: str, token: str) -> None:
        """Run the script."""
        await self._script(key, token)

    async def look(self, key: str) -> tuple[int, float]:
        """Ask for the length and for the time that is left."""
        with outages_translated():
            size, left = await self._client.strlen(key), await self._client.pttl(key)
        return size, max(0, left) / 1000

    async def check(self) -> None:
        """Ping."""
        with outages_translated():
            await self._client.ping()

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def _script(self, key: str, *args: str | bytes | int) -> int:
        with outages_translated():
            return int(await self._run(keys=[key, _lock(key), _done(key, str(args[0]))], args=list(args)))


class MemoryAppCache:
    """The fake."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self.values: dict[str, tuple[bytes, float]] = {}

    async def claim(self, key: str, token: str, seconds: float) -> str:
        """Keep the lock if there is none."""
        if (holder := await self.holder(key)) is not None:
            return holder
        self._keep(_lock(key), token.encode(), seconds)
        return token

    async def holder(self, key: str) -> str | None:
        """Look."""
        found = self._value(_lock(key))
        return None if found is None else found.decode()

    async def is_done(self, key: str, token: str) -> bool:
        """Look."""
        return self._value(_done(key, token)) is not None

    async def write(self, key: str, token: str, value: bytes, seconds: float) -> bool | None:
        """Keep it."""
        if await self.holder(key) != token:
            return None
        is_same = self._value(key) == value
        self._keep(key, value, seconds)
        self._keep(_done(key, token), b"1", TOLD_FOR)
        await self.release(key, token)
        return is_same

    async def release(self, key: str, token: str) -> None:
        """Forget the lock."""
        if await self.holder(key) == token:
            del self.values[_lock(key)]

    async def look(self, key: str) -> tuple[int, float]:
        """Look."""
        found = self._value(key)
        return (0, 0.0) if found is None else (len(found), self.values[key][1] - self._clock())

    async def check(self) -> None:
        """It is there."""

    def _keep(self, key: str, value: bytes, seconds: float) -> None:
        self.values[key] = value, self._clock() + seconds

    def _value(self, key: str) -> bytes | None:
        value, end = self.values.get(key, (b"", 0.0))
        return value if end > self._clock() else None


def _lock(key: str) -> str:
    return f"{key}:pushmill-lock"


def _done(key: str, token: str) -> str:
    return f"{key}:pushmill-done:{token}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
