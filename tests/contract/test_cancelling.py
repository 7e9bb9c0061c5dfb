"""Taking jobs back by their cancel key: memory and Redis behave the same, on both wires."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from queue_lib.addition import Addition
from queue_lib.broker.board import MemoryBoard, RedisBoard
from queue_lib.broker.connection import client, options
from queue_lib.runner.context import RunContext
from tests.support.wire_kit import PREFIX, QUEUE, WireKit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.broker.base import Broker
    from queue_lib.processor import Board, Context

KEYS = ["message:1", "żółw 🐢\n*", "a" * 200, "half \ud83d"]


@asynccontextmanager
async def opened(redis_url: str) -> AsyncIterator[RedisBoard]:
    """The board of one process."""
    connection = client(options(redis_url), decode=True, name="board")
    yield RedisBoard(connection, PREFIX)
    await connection.aclose()


@pytest.fixture(params=["memory", "redis"])
async def boards(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Board, Board]]:
    """The same board, opened by two processes."""
    if request.param == "memory":
        board = MemoryBoard()
        yield board, board
        return
    url = request.getfixturevalue("redis_url")
    async with opened(url) as one, opened(url) as other:
        yield one, other


@pytest.fixture
async def board(kit: WireKit, request: pytest.FixtureRequest) -> AsyncIterator[Board]:
    """The board beside the kit's queue."""
    if kit.name == "memory":
        yield MemoryBoard()
        return
    async with opened(request.getfixturevalue("redis_url")) as board:
        yield board


async def run(kit: WireKit, broker: Broker, board: Board) -> tuple[Any, Context]:
    """The lease and the context of the next job."""
    lease = await kit.claim(broker)
    return lease, RunContext(lease, lambda _: None, board)


@pytest.mark.parametrize("key", KEYS, ids=["plain", "odd", "long", "half an emoji"])
async def test_another_process_sees_when_a_key_was_cancelled(boards: tuple[Board, Board], key: str) -> None:
    """Keys are any text. The last call counts, and other keys are not concerned."""
    one, other = boards
    await one.cancel(key, 60)
    [first] = (await other.cancelled([key, f"{key}!"])).values()

    await one.cancel(key, 60)

    assert first < (await other.cancelled([key]))[key]
    assert {} == await other.cancelled([f"{key}!"])


async def test_a_mark_expires(boards: tuple[Board, Board]) -> None:
    """It is kept for as long as the caller says."""
    one, other = boards
    await one.cancel("message:1", 0.05)
    await one.cancel("message:2", 60)

    async with asyncio.timeout(5):
        while len(await other.cancelled(["message:1", "message:2"])) > 1:
            await asyncio.sleep(0.01)

    assert ["message:2"] == list(await other.cancelled(["message:1", "message:2"]))


async def test_jobs_that_were_added_before_are_taken_back(kit: WireKit, board: Board) -> None:
    """A job that is added right after the call is not, though its key is the same; nor is one without a key."""
    broker = await kit.broker()
    await kit.enqueue("greet", {})
    await board.cancel("message:1", 60)
    await kit.enqueue("greet", {})

    lease, before = await run(kit, broker, board)
    assert [True, False, False] == [await before.is_cancelled(key) for key in ("message:1", "message:2", None)]
    await lease.done({})
    _, after = await run(kit, broker, board)
    assert not await after.is_cancelled("message:1")


async def test_the_worker_s_own_additions_count_as_well(kit: WireKit, board: Board) -> None:
    """A job that a running job has added is taken back, and so is one that was put off or failed once."""
    broker = await kit.broker()
    await kit.enqueue("greet", {})
    lease, _ = await run(kit, broker, board)
    await lease.enqueue(QUEUE.name, Addition(job_id="follow", name="follow", data={}))
    await lease.snooze(0.1)
    await board.cancel("message:1", 60)

    for _ in range(2):
        lease, context = await run(kit, broker, board)
        assert await context.is_cancelled("message:1"), lease.job.id
        await lease.done({})


async def test_a_job_may_act_for_an_earlier_one(kit: WireKit, board: Board) -> None:
    """Then the time of the first one counts."""
    broker = await kit.broker()
    await kit.enqueue("greet", {})
    lease, first = await run(kit, broker, board)
    await board.cancel("message:1", 60)
    await lease.enqueue(QUEUE.name, Addition(job_id="follow", name="follow", data={}))
    await lease.done({})

    _, follow_up = await run(kit, broker, board)

    assert not await follow_up.is_cancelled("message:1")
    assert await follow_up.is_cancelled("message:1", since=first.job.created_at)


async def test_a_mark_is_one_key_that_expires(redis_url: str) -> None:
    """The app's QueueService writes the same key. What other programs left there does no harm."""
    async with opened(redis_url) as board:
        before = time.time() * 1000
        await board.cancel("message:1", 60)
        with Redis.from_url(redis_url, decode_responses=True) as redis:
            [key] = redis.keys("*")
            assert "bull:pushmill:cancelled:message:1" == key
            assert before <= int(str(redis.get(key))) < time.time() * 1000
            assert 0 < int(str(redis.pttl(key))) <= 60_000
            for number, text in enumerate(["", "soon", "-1", "1e999", "9" * 400]):
                redis.set(f"bull:pushmill:cancelled:{number}", text)
            redis.set("bull:pushmill:cancelled:node", "1795572060000")

        assert {"node": 1795572060.0} == await board.cancelled([*map(str, range(5)), "node"])
