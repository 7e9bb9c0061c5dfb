"""`cache-warm`: a value is made before anybody asks for it, once for all jobs that want it at the same time."""

from __future__ import annotations

import asyncio
import random
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from processors.maintenance.payload import CacheWarmPayload, CacheWarmResult
from processors.outage import outages_put_off
from queue_lib.errors import BrokerUnavailableError, PermanentError, TransientError, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from processors.maintenance.sources import Sources
    from processors.tools import AppCache
    from queue_lib.processor import Context

LONGEST = 60.0  # seconds that making a value may take
LOCKED = LONGEST + 15.0  # seconds after which a lock ends whose holder was killed
LOOK_EVERY = 0.1  # seconds
JITTER = 0.1  # of the ttl: keys that were warmed together must not expire together
NOT_SET = "CACHE_PREFIX is not set: say there what the keys begin with that cache-warm may write, such as cache:"


@dataclass(frozen=True, slots=True)
class WarmDependencies:
    """The `cache`, what its keys begin with (None: nothing may be written), and what values are made of.

    `chance` gives a number from 0 to 1.
    """

    cache: AppCache
    prefix: str | None
    sources: Sources
    chance: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class CacheWarm:
    """Only the job that holds the lock of a key asks the source; the others wait for what comes of it."""

    def __init__(self, dependencies: WarmDependencies) -> None:
        self._shared = dependencies

    async def __call__(self, payload: CacheWarmPayload, _context: Context, /) -> CacheWarmResult:
        """Run one job. On any error the old value stays as it is, with its end."""
        key, cache = self._fit(payload.cache_key), self._shared.cache
        token = uuid4().hex
        with outages_put_off(), _wrong_types_told(key):
            while (holder := await cache.claim(key, token, LOCKED)) != token:
                if await self._is_made(key, holder):
                    return await self._result(payload, unchanged=True)
            try:
                is_same = await self._written(payload, token)
            except BaseException:
                with suppress(BrokerUnavailableError):  # the lock ends by itself
                    await cache.release(key, token)
                raise
            return await self._result(payload, unchanged=is_same)

    def _fit(self, key: str) -> str:
        prefix = self._shared.prefix
        if prefix is None:
            raise PermanentError(NOT_SET)
        if not key.startswith(prefix):
            msg = f"cacheKey: does not begin with {prefix}, which CACHE_PREFIX names"
            raise PermanentError(msg)
        return key

    async def _is_made(self, key: str, holder: str) -> bool:
        """Wait until this holder gives the lock back, or its time is over. Whether it has written the value."""
        while await self._shared.cache.holder(key) == holder:
            await self._shared.sleep(LOOK_EVERY)
        return await self._shared.cache.is_done(key, holder)

    async def _written(self, payload: CacheWarmPayload, token: str) -> bool:
        """Make the value and write it. Whether the key had it before."""
        key, value = payload.cache_key, await self._made(payload)
        ttl = payload.ttl * (1 + JITTER * (2 * self._shared.chance() - 1))
        is_same = await self._shared.cache.write(key, token, value, ttl)
        # A write whose answer was lost is sent again, and finds the lock given back: the value is there.
        if is_same is None and not await self._shared.cache.is_done(key, token):
            msg = f"the lock of {key} was lost before its value was written: it has ended, or was evicted"
            raise TransientError(msg)
        return is_same is True

    async def _made(self, payload: CacheWarmPayload) -> bytes:
        try:
            async with asyncio.timeout(LONGEST) as limit:
                return await self._shared.sources.value(payload)
        except TimeoutError:
            if not limit.expired():
                raise
            msg = f"{payload.data_source[:100]}: no value within {LONGEST:g} s"
            raise TransientError(msg) from None

    async def _result(self, payload: CacheWarmPayload, *, unchanged: bool) -> CacheWarmResult:
        size, ttl = await self._shared.cache.look(payload.cache_key)
        return CacheWarmResult(
            cache_key=payload.cache_key, bytes=size, ttl=ttl, source=payload.data_source, unchanged=unchanged
        )


@contextmanager
def _wrong_types_told(key: str) -> Iterator[None]:
    try:
        yield
    except BrokerUnavailableError as error:
        if error.trouble is not Trouble.WRONG_TYPE:
            raise
        msg = f"cacheKey: {key} is a list, a hash or the like, and no value of a cache"
        raise PermanentError(msg) from error
