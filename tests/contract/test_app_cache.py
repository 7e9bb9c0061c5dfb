"""The app's cache: the same in memory and in Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import redis

from queue_lib.broker.app_cache import AppCaches, MemoryAppCache
from queue_lib.errors import BrokerUnavailableError, ConfigurationError, Trouble
from queue_lib.redis_settings import RedisSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.tools import AppCache

KEY = "cache:top"


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[AppCache]:
    """An empty cache."""
    if request.param == "memory":
        yield MemoryAppCache()
        return
    caches = AppCaches(RedisSettings(redis_url=request.getfixturevalue("redis_url")))
    yield caches.at(None)
    await caches.close()


async def test_the_holder_of_a_key_writes_it(cache: AppCache) -> None:
    """Others see who holds it, and afterwards that it is done."""
    assert [await cache.claim(KEY, token, 60) for token in ("a", "b", "a")] == ["a", "a", "a"]
    assert await cache.holder(KEY) == "a"
    assert await cache.is_done(KEY, "a") is False

    assert await cache.write(KEY, "a", b"\x00caf\xc3\xa9\xff", 60) is False

    assert [await cache.holder(KEY), await cache.is_done(KEY, "a"), await cache.is_done(KEY, "b")] == [
        None,
        True,
        False,
    ]
    size, ttl = await cache.look(KEY)
    assert size == 7
    assert 50 < ttl <= 60
    assert await cache.claim(KEY, "b", 60) == "b"
    assert await cache.write(KEY, "b", b"\x00caf\xc3\xa9\xff", 90) is True
    assert (await cache.look(KEY))[1] > 80


async def test_who_lost_the_key_writes_nothing(cache: AppCache) -> None:
    """Its value is older than that of the one who has it now."""
    await cache.claim(KEY, "a", 60)
    await cache.write(KEY, "a", b"new", 60)
    assert await cache.write(KEY, "a", b"old", 60) is None
    await cache.claim(KEY, "b", 60)
    assert await cache.write(KEY, "a", b"old", 60) is None
    await cache.release(KEY, "a")
    assert await cache.holder(KEY) == "b"
    await cache.release(KEY, "b")
    assert await cache.holder(KEY) is None
    assert (await cache.look(KEY))[0] == 3


async def test_a_lock_ends_by_itself(cache: AppCache) -> None:
    """As where its holder was killed. Values end, too."""
    await cache.claim(KEY, "a", 0.05)
    async with asyncio.timeout(10):
        while await cache.claim(KEY, "b", 60) != "b":
            await asyncio.sleep(0.01)
        await cache.write(KEY, "b", b"x", 0.05)
        while await cache.look(KEY) != (0, 0.0):
            await asyncio.sleep(0.01)


async def test_a_key_of_another_type_is_not_overwritten(redis_url: str) -> None:
    """A list of the app's is no value of a cache."""
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    client.rpush(KEY, "x")
    caches = AppCaches(RedisSettings(redis_url=redis_url))
    cache = caches.at(None)
    await cache.claim(KEY, "a", 60)
    with pytest.raises(BrokerUnavailableError) as caught:
        await cache.write(KEY, "a", b"y", 60)
    await caches.close()
    assert caught.value.trouble is Trouble.WRONG_TYPE
    assert client.lrange(KEY, 0, -1) == ["x"]
    client.close()


async def test_the_cache_may_be_another_redis(redis_url: str) -> None:
    """Its URL is checked at the start; one that is away tells so."""
    caches = AppCaches(RedisSettings(redis_url=redis_url))
    with pytest.raises(ConfigurationError, match="CACHE_REDIS_URL: not a Redis URL"):
        caches.at("http://cache")
    away = caches.at("redis://127.0.0.1:1")
    with pytest.raises(BrokerUnavailableError):
        await away.check()
    other = caches.at(urlsplit(redis_url)._replace(path="/9").geturl())
    await other.claim(KEY, "a", 60)
    await other.write(KEY, "a", b"x", 60)
    await other.check()
    assert await caches.at(None).look(KEY) == (0, 0.0)
    await caches.close()
