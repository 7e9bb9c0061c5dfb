"""Commands to Redis: sent without a task for each, and with a time limit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from queue_lib.broker.connection import client, options
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerUnavailableError

MUCH = b"x" * 32 * 1024 * 1024  # more than the kernel takes for a server that does not read
BUSY = "local ends = os.clock() + 0.5 while os.clock() < ends do end"  # a server at a script reads nothing


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


async def test_a_server_that_reads_no_more_is_away(redis_url: str) -> None:
    """A command that is not taken within the timeout is an outage, and is not sent later; the client goes on."""
    redis = client(options(redis_url) | {"socket_timeout": 0.1}, decode=True, name="test")
    other = client(options(redis_url), decode=True, name="other")
    await redis.ping()
    busy: asyncio.Task[Any] = asyncio.create_task(other.eval(BUSY, 0))  # type: ignore[arg-type]  # it is a coroutine
    await asyncio.sleep(0.05)
    with pytest.raises(BrokerUnavailableError), outages_translated():
        await redis.set("much", MUCH)
    await busy

    assert await redis.ping()
    await asyncio.sleep(0.3)  # time to send what is not to be sent any more
    assert not await redis.exists("much")
    await redis.aclose()
    await other.aclose()


async def test_a_connection_that_broke_is_opened_again(redis_url: str) -> None:
    """What can't be sent over it goes over the new one."""
    redis = client(options(redis_url), decode=True, name="test")
    await redis.ping()
    assert redis.connection is not None
    redis.connection._writer.transport.abort()  # type: ignore[union-attr]  # as a reset does
    await asyncio.sleep(0.01)

    assert await redis.ping()
    await redis.aclose()
