"""Commands to Redis: sent without a task for each, and with a time limit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from embedded.redis_server import RedisServer
from queue_lib.broker.connection import client, options
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerUnavailableError
from tests.support.polling import until

MUCH = b"x" * 32 * 1024 * 1024  # more than the kernel takes for a server that does not read


async def test_a_command_starts_no_task(redis_url: str) -> None:
    """On Python 3.11 redis-py's own connection starts one for each."""
    redis = client(options(redis_url), decode=True, name="test")
    await redis.ping()
    loop = asyncio.get_running_loop()
    started: list[Any] = []

    def start(loop: asyncio.AbstractEventLoop, work: Any) -> asyncio.Task[Any]:
        started.append(work)
        return asyncio.Task(work, loop=loop)

    loop.set_task_factory(start)
    assert await redis.ping()
    loop.set_task_factory(None)
    await redis.aclose()

    assert [] == started


async def test_a_server_that_reads_no_more_is_away() -> None:
    """A command that is not taken within the timeout is an outage, and is not sent later; the client goes on."""
    with RedisServer() as server:
        redis = client(options(server.url) | {"socket_timeout": 0.1}, decode=True, name="test")
        await redis.ping()
        with server.frozen(), pytest.raises(BrokerUnavailableError), outages_translated():
            await redis.set("much", MUCH)
        other = client(options(server.url), decode=True, name="other")

        await until(lambda: _is_gone(other, "test"))
        assert not await redis.exists("much")
        await redis.aclose()
        await other.aclose()


async def _is_gone(redis: Any, name: str) -> Any:
    """Whether the server has ended the connection: what it has read until then is all that will arrive."""
    return name not in {each["name"] for each in await redis.client_list()}


async def test_a_connection_that_broke_is_opened_again(redis_url: str) -> None:
    """What can't be sent over it goes over the new one."""
    redis = client(options(redis_url), decode=True, name="test")
    await redis.ping()
    assert redis.connection is not None
    redis.connection._writer.transport.abort()  # type: ignore[union-attr]  # as a reset does
    await asyncio.sleep(0.01)

    assert await redis.ping()
    await redis.aclose()
