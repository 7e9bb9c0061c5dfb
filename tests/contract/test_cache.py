"""The cache of a team's own jobs: the same in memory and in Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from queue_lib.broker.cache import MemoryCache, RedisCache
from queue_lib.broker.connection import client, options
from queue_lib.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.jobs import Cache


@pytest.fixture(params=["memory", "redis"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[Cache]:
    """A cache."""
    if request.param == "memory":
        yield MemoryCache()
        return
    connection = client(options(request.getfixturevalue("redis_url")), decode=True, name="cache")
    made = RedisCache()
    made.connect(connection, "bull")
    yield made
    await connection.aclose()


async def test_a_text_is_kept_until_it_is_replaced_or_deleted(cache: Cache) -> None:
    """Each key is independent."""
    await cache.set("rate", "1.08", 60)
    await cache.set("other", "x\ny", 60)
    assert ("1.08", "x\ny") == (await cache.get("rate"), await cache.get("other"))

    await cache.set("rate", "", 60)
    assert "" == await cache.get("rate")

    await cache.delete("rate")
    await cache.delete("rate")
    assert (None, "x\ny") == (await cache.get("rate"), await cache.get("other"))


async def test_only_the_first_claim_of_a_key_is_kept(cache: Cache) -> None:
    """All others read it. Once it is deleted, or its time is over, the next one is the first."""
    assert ["mine", "mine", "mine"] == [await cache.claim("key", text, 60) for text in ("mine", "yours", "mine")]

    await cache.delete("key")
    assert "yours" == await cache.claim("key", "yours", 0.01)
    async with asyncio.timeout(5):
        while await cache.claim("key", "theirs", 60) != "theirs":
            await asyncio.sleep(0.01)


async def test_a_text_expires(cache: Cache) -> None:
    """The time may be a fraction of a second."""
    await cache.set("rate", "1.08", 0.05)

    async with asyncio.timeout(5):
        while await cache.get("rate") is not None:
            await asyncio.sleep(0.01)


async def test_keys_of_the_cache_are_never_those_of_a_queue(redis_url: str) -> None:
    """A job can't reach BullMQ's keys through the cache, also not those of a queue called `cache`."""
    connection = client(options(redis_url), decode=True, name="cache")
    made = RedisCache()
    with pytest.raises(BrokerUnavailableError, match="not started"):
        await made.get("rate")
    made.connect(connection, "bull")
    await made.set("meta", "x", 60)

    assert ["bull:pushmill:cache:meta"] == await connection.keys("*")
    await connection.aclose()
