"""Gatherings, in which several jobs' events become one: memory and Redis behave the same."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from queue_lib.broker import gatherings
from queue_lib.broker.board import MemoryBoard, RedisBoard
from queue_lib.broker.connection import client, options
from queue_lib.processor import Gathered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.processor import Board

SOON, LATE = 0.25, 60.0  # seconds
LEFT = Gathered()


@pytest.fixture(params=["memory", "redis"])
async def board(request: pytest.FixtureRequest) -> AsyncIterator[Board]:
    """A board."""
    if request.param == "memory":
        yield MemoryBoard()
        return
    connection = client(options(request.getfixturevalue("redis_url")), decode=True, name="board")
    yield RedisBoard(connection, "bull")
    await connection.aclose()


async def test_the_first_member_waits_and_takes_all(board: Board) -> None:
    """The others are done at once. What comes later is another gathering."""
    first = await board.gather("room", "1", "żółw", SOON)
    assert first.wait is not None
    assert 0 < first.wait < SOON + 0.001
    assert [LEFT, LEFT] == [await board.gather("room", n, f"event {n}", SOON) for n in ("2", "3")]
    await asyncio.sleep(SOON + 0.01)

    assert Gathered(["żółw", "event 2", "event 3"]) == await board.gather("room", "1", "żółw", SOON)
    assert (await board.gather("room", "4", "event 4", LATE)).wait


async def test_each_gathering_is_its_own(board: Board) -> None:
    """Another name, other events."""
    assert (await board.gather("room", "1", "event", LATE)).wait
    assert (await board.gather("hall", "2", "event", LATE)).wait


async def test_a_member_that_comes_again_adds_nothing(board: Board) -> None:
    """Its worker was killed: before the events are taken, and after."""
    for member in ("1", "1", "2", "2"):
        await board.gather("room", member, f"event {member}", SOON)
    await asyncio.sleep(SOON + 0.01)
    taken = await board.gather("room", "1", "event 1", SOON)

    assert Gathered(["event 1", "event 2"]) == taken
    assert (taken, LEFT) == (
        await board.gather("room", "1", "event 1", SOON),
        await board.gather("room", "2", "event 2", SOON),
    )
    await board.forget("room", "1")
    assert [LEFT, LEFT] == [await board.gather("room", n, f"event {n}", SOON) for n in ("1", "2")]


async def test_whoever_comes_late_takes_all(board: Board) -> None:
    """The first member's job was removed: nothing is lost, and it finds nothing to do if it comes back."""
    await board.gather("room", "1", "event 1", SOON)
    await asyncio.sleep(SOON + 0.01)

    assert Gathered(["event 1", "event 2"]) == await board.gather("room", "2", "event 2", SOON)
    assert LEFT == await board.gather("room", "1", "event 1", SOON)


async def test_the_first_member_may_come_days_late(redis_url: str) -> None:
    """The workers were away for so long that the members are forgotten: its event counts once."""
    connection = client(options(redis_url), decode=True, name="board")
    board = RedisBoard(connection, "bull")
    await board.gather("room", "1", "event 1", 0.001)
    assert 1 == await connection.delete("bull:pushmill:gathered:room:members")
    await asyncio.sleep(0.01)

    assert Gathered(["event 1"]) == await board.gather("room", "1", "event 1", 0.001)
    await connection.aclose()


async def test_the_newest_events_are_kept(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ones are counted."""
    monkeypatch.setattr(gatherings, "KEPT", 2)
    for n in range(5):
        await board.gather("room", str(n), f"event {n}", SOON)
    await asyncio.sleep(SOON + 0.01)

    assert Gathered(["event 3", "event 4"], 3) == await board.gather("room", "0", "", SOON)


@pytest.mark.parametrize("bound", [3, 0], ids=["some bytes", "not even one event"])
async def test_the_events_of_a_gathering_have_a_bound(
    board: Board, monkeypatch: pytest.MonkeyPatch, bound: int
) -> None:
    """In bytes: mails may be large. The newest is kept whatever its size, and the older ones are counted."""
    monkeypatch.setattr(gatherings, "KEPT_BYTES", bound)
    for n, event in enumerate(("a", "ü", "b", "c")):
        await board.gather("room", str(n), event, SOON)
    await asyncio.sleep(SOON + 0.01)

    kept = ["b", "c"] if bound else ["c"]
    assert Gathered(kept, 4 - len(kept)) == await board.gather("room", "0", "", SOON)


async def test_every_key_expires(redis_url: str) -> None:
    """In a week at most, whatever becomes of the jobs."""
    connection = client(options(redis_url), decode=True, name="board")
    board = RedisBoard(connection, "bull")
    for name, member, seconds in (("room", "1", LATE), ("hall", "2", SOON)):
        await board.gather(name, member, "event", seconds)
    await asyncio.sleep(SOON + 0.01)
    await board.gather("hall", "2", "event", SOON)
    await connection.aclose()
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        left: dict[Any, Any] = {key: redis.pttl(key) for key in redis.keys("*")}

    prefix = "bull:pushmill:gathered"
    assert {f"{prefix}:room", f"{prefix}:room:members", f"{prefix}:hall:by:2", f"{prefix}:hall:members"} == set(left)
    assert all(0 < each <= (7 * 86_400 + LATE) * 1000 for each in left.values())
