"""Commands to Redis: sent together, and with a time limit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.exceptions import ResponseError

from embedded.redis_server import RedisServer
from queue_lib.broker.connection import client, options
from queue_lib.broker.together import MOST
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerUnavailableError
from tests.support.polling import until

MUCH = b"x" * 32 * 1024 * 1024  # more than the kernel takes for a server that does not read


async def test_commands_that_are_asked_for_together_are_sent_together(redis_url: str) -> None:
    """Each gets its own answer or error; one task and one write serve all, where redis-py has them for each."""
    redis = client(options(redis_url), decode=True, name="test")
    other = client(options(redis_url), decode=True, name="other")
    await redis.set("text", "no number")
    before = await _reads(other)
    loop = asyncio.get_running_loop()
    started: list[Any] = []

    def start(loop: asyncio.AbstractEventLoop, work: Any) -> asyncio.Task[Any]:
        started.append(work)
        return asyncio.Task(work, loop=loop)

    asked: list[Any] = [asyncio.ensure_future(redis.echo(str(number))) for number in range(20)]
    refused = asyncio.ensure_future(redis.incr("text"))
    loop.set_task_factory(start)
    answers = await asyncio.gather(*asked, refused, return_exceptions=True)
    loop.set_task_factory(None)

    assert [str(number) for number in range(20)] == answers[:-1]
    assert isinstance(answers[-1], ResponseError)
    assert 1 == len(started)
    assert 1 == await _reads(other) - before - 1  # of them, and of the question itself
    await redis.aclose()
    await other.aclose()


async def _reads(redis: Any) -> int:
    """How often the server has read from a client."""
    return int((await redis.info("stats"))["total_reads_processed"])


async def test_a_command_that_is_given_up_before_its_turn_is_not_sent(redis_url: str) -> None:
    """The others go on over the same connection."""
    redis = client(options(redis_url), decode=True, name="test")
    me = await redis.client_id()
    asked: list[Any] = [asyncio.ensure_future(redis.set(key, 1)) for key in ("first", "second", "third")]
    await asyncio.sleep(0)  # they have asked, and nothing is sent
    asked[1].cancel()

    assert [True, True] == [await asked[0], await asked[2]]
    assert asked[1].cancelled()
    assert 2 == await redis.exists("first", "second", "third")
    assert me == await redis.client_id()
    await redis.aclose()


async def test_a_command_that_is_given_up_while_others_are_under_way_leaves_them_alone() -> None:
    """Its answer is read, and dropped; where nobody waits any more the connection is closed."""
    with RedisServer() as server:
        redis = client(options(server.url), decode=True, name="test")
        me = await redis.client_id()
        with server.frozen():
            asked = await _under_way(redis, "a", "b", "c")
            asked[0].cancel()
            await asyncio.sleep(0)

        assert ["b", "c"] == await asyncio.gather(*asked[1:])
        assert me == await redis.client_id()

        with server.frozen():
            [alone] = await _under_way(redis, "a")
            alone.cancel()
            await asyncio.sleep(0)

        assert me != await redis.client_id()
        await redis.aclose()


async def _under_way(redis: Any, *texts: str) -> list[asyncio.Future[Any]]:
    """Commands that are sent, each of which answers with its text."""
    asked = [asyncio.ensure_future(redis.echo(text)) for text in texts]
    while not redis._under_way:
        await asyncio.sleep(0)
    return asked


async def test_what_was_asked_for_before_a_connection_broke_is_answered_over_the_next(redis_url: str) -> None:
    """All of it, in its order."""
    redis = client(options(redis_url), decode=True, name="test")
    me = await redis.client_id()
    asked: list[Any] = [asyncio.ensure_future(redis.rpush("list", number)) for number in range(5)]
    await asyncio.sleep(0)
    redis.connection._writer.transport.abort()  # type: ignore[union-attr]  # as a reset does

    assert [1, 2, 3, 4, 5] == await asyncio.gather(*asked)
    assert ["0", "1", "2", "3", "4"] == await redis.lrange("list", 0, -1)
    assert me != await redis.client_id()
    await redis.aclose()


async def test_large_commands_do_not_share_a_write() -> None:
    """What is sent together has one timeout together."""
    with RedisServer() as server:
        redis: Any = client(options(server.url), decode=True, name="test")
        await redis.ping()
        with server.frozen():
            asked = await _under_way(redis, "a", "b", "c" * MOST, "d" * MOST, "e")
            first = len(redis._under_way)

        answers = await asyncio.gather(*asked)
        assert 2 == first
        assert "abcde" == "".join(answer[0] for answer in answers)
        await redis.aclose()


def test_a_command_of_a_loop_that_ends_is_answered(redis_url: str) -> None:
    """The loop cancels the task that sends before it has begun; a job that is cut short then still goes back."""
    answers: list[Any] = []

    async def job(redis: Any) -> None:
        try:
            await redis.ping()
        finally:
            async with asyncio.timeout(5):
                answers.append(await redis.echo("back"))
                await redis.aclose()

    async def main() -> None:
        redis = client(options(redis_url), decode=True, name="test")
        await redis.ping()
        jobs.append(asyncio.create_task(job(redis)))

    jobs: list[asyncio.Task[None]] = []
    asyncio.run(main())
    assert ["back"] == answers


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
