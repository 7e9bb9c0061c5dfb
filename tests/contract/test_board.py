"""The board, on which processes share facts: memory and Redis behave the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from queue_lib.broker.board import MemoryBoard, RedisBoard
from queue_lib.broker.connection import client, options
from queue_lib.errors import BrokerUnavailableError, Trouble
from tests.support.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.processor import Board


@pytest.fixture(params=["memory", "redis"])
async def boards(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Board, Board]]:
    """The same board, opened by two processes."""
    if request.param == "memory":
        board = MemoryBoard()
        yield board, board
        return
    clients = [
        client(options(request.getfixturevalue("redis_url")), decode=True, name=f"board-{number}") for number in (1, 2)
    ]
    yield RedisBoard(clients[0], "bull"), RedisBoard(clients[1], "bull")
    for each in clients:
        await each.aclose()


async def test_a_fact_is_read_by_the_other_process(boards: tuple[Board, Board]) -> None:
    """It comes with its remaining lifetime, and only under its own topic."""
    one, other = boards
    await one.write("weather", "here", "rain\nand more", 60)
    await one.write("weather", "there", "sun", 30)
    await one.write("news", "here", "none", 60)

    facts = await other.read("weather")

    assert {"here": "rain\nand more", "there": "sun"} == {name: fact.text for name, fact in facts.items()}
    assert 50 < facts["here"].left <= 60
    assert 20 < facts["there"].left <= 30


async def test_the_last_fact_of_a_name_counts(boards: tuple[Board, Board]) -> None:
    """A fact replaces the earlier one of its name, and can be taken back."""
    one, other = boards
    await one.write("weather", "here", "rain", 60)
    await other.write("weather", "here", "sun", 60)
    assert "sun" == (await one.read("weather"))["here"].text

    await one.erase("weather", "here")

    assert {} == await other.read("weather")


async def test_a_fact_expires(boards: tuple[Board, Board]) -> None:
    """Other facts of its topic stay."""
    one, other = boards
    await one.write("weather", "here", "rain", 0.05)
    await one.write("weather", "there", "sun", 60)

    async def names() -> list[str]:
        return list(await other.read("weather"))

    await until_equal(["there"], names)


async def test_one_process_gets_a_claim(boards: tuple[Board, Board]) -> None:
    """Of all processes that claim the same name, one gets it until the claim expires."""
    one, other = boards

    assert [True, False, True] == [
        await one.claim("weather", "look", 0.2),
        await other.claim("weather", "look", 0.2),
        await other.claim("weather", "other", 0.2),
    ]

    async def again() -> bool:
        return await other.claim("weather", "look", 60)

    await until_equal(True, again)  # noqa: FBT003 -- what is expected


async def test_messages_are_heard_by_those_who_listen(boards: tuple[Board, Board]) -> None:
    """In memory nobody listens; tests look at what was published."""
    one, _ = boards

    assert [0] == await one.publish([("notifications:a\n*", "x")])
    assert [0, 0] == await one.publish([("notifications:a", "1"), ("notifications:b", "2")])
    assert [] == await one.publish([])


async def test_a_client_of_redis_hears_a_message(redis_url: str) -> None:
    """On the channel itself, without a prefix, in the order in which they were published."""
    shared, listening = (client(options(redis_url), decode=True, name=name) for name in ("board", "listener"))
    async with listening.pubsub() as listener:
        await listener.subscribe("notifications:ada")
        await listener.get_message(timeout=5)

        heard = await RedisBoard(shared, "bull").publish([("other", "x"), ("notifications:ada", "é")])

        message = await listener.get_message(timeout=5)
    await shared.aclose()
    await listening.aclose()
    assert [0, 1] == heard
    assert message is not None
    assert "é" == message["data"]


async def test_a_user_without_channels_is_told_apart(redis_url: str) -> None:
    """An ACL without channels is Redis 7's default for a new user."""
    with Redis.from_url(redis_url) as redis:
        redis.execute_command("ACL", "SETUSER", "mute", "on", ">secret", "~*", "+@all", "resetchannels")
        shared = client(options(redis_url.replace("://", "://mute:secret@")), decode=True, name="mute")
        with pytest.raises(BrokerUnavailableError) as refusal:
            await RedisBoard(shared, "bull").publish([("notifications:ada", "x")])
        await shared.aclose()
        redis.execute_command("ACL", "DELUSER", "mute")

    assert Trouble.FORBIDDEN is refusal.value.trouble


async def test_every_key_of_the_board_expires(redis_url: str) -> None:
    """Entries that other programs have written do no harm."""
    shared = client(options(redis_url), decode=True, name="board")
    board = RedisBoard(shared, "bull")
    await board.write("weather", "here", "rain", 60)
    await board.claim("weather", "look", 60)
    with Redis.from_url(redis_url) as redis:
        redis.hset("bull:board:weather", mapping={"odd": "?", "late": "9" * 400 + " rain", "never": f"{10**15} rain"})
        ends: list[Any] = [redis.pttl(key) for key in redis.keys("bull:board:*")]

    facts = await board.read("weather")
    await shared.aclose()

    assert ["here"] == list(facts)
    assert 2 == len(ends)
    assert all(0 < end <= 60_000 for end in ends)


async def until_equal(expected: object, ask: Any) -> None:
    """Read again until the value is as expected."""
    got: list[object] = []

    async def is_so() -> Any:
        got.append(await ask())
        return got[-1] == expected

    await until(is_so, 10, lambda: f"{got[-1]}, not {expected}")
