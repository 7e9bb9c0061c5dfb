"""What processes share about push services."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from processors.push import origins as origins_module
from processors.push.origins import (
    FIRST_REST,
    SILENT,
)
from processors.push.rest import MINUTE, TOPIC
from queue_lib.errors import BrokerUnavailableError
from tests.support.push_fakes import ORIGIN
from tests.support.push_world import FAILED, World


@pytest.fixture
def world() -> World:
    """Two processes."""
    return World()


async def test_while_redis_is_away_a_process_knows_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells the others as soon as it can."""

    async def away(*_: Any) -> Any:
        raise BrokerUnavailableError

    with monkeypatch.context() as patch:
        for name in ("read", "write", "claim", "erase"):
            patch.setattr(world.board, name, away)
        before = await world.enter()
        await world.hang()
        assert await world.is_left_alone() is not None
        world.clock.now += FIRST_REST
        await world.ask(FAILED, SILENT + 1)  # its probe needs no permission
    await world.end(before, FAILED)

    assert await world.is_left_alone(world.two) is not None


async def test_jobs_share_one_wait_for_the_board(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that hangs costs its timeout once, and not for each job in turn."""
    reads = 0

    async def away(_: str) -> Any:
        nonlocal reads
        reads += 1
        await asyncio.sleep(0)
        world.clock.now += 10
        raise BrokerUnavailableError

    monkeypatch.setattr(world.board, "read", away)
    await asyncio.gather(*(world.one.hear(world.board) for _ in range(5)))

    assert 1 == reads


async def test_shared_facts_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any user can store subscriptions of many dead hosts: then each process keeps its own facts."""
    monkeypatch.setattr(origins_module, "MOST_TOLD", 2)
    rest = '{"seconds": 10, "kind": "transient", "reason": "no answer in time"}'
    for name in ("https://1.test", "https://2.test"):
        await world.board.write(TOPIC, name, rest, 1000)
    with capture_logs() as logs:
        await world.hang()

    assert await world.is_left_alone() is not None
    assert ORIGIN not in await world.board.read(TOPIC)
    assert 3 == len(logs)  # and no line more for each of a thousand
    world.clock.now += 1000 + MINUTE
    await world.hang()
    assert [ORIGIN] == list(await world.board.read(TOPIC))


async def test_facts_are_forgotten_after_a_minute(world: World) -> None:
    """A push service that has had no request since begins anew."""
    await world.hang()
    await world.is_left_alone(world.two)
    world.clock.now += FIRST_REST + MINUTE + 1

    assert [None, None] == [await world.is_left_alone(origins) for origins in (world.one, world.two)]
    assert {} == await world.board.read(TOPIC)


async def test_malformed_facts_are_ignored(world: World) -> None:
    """A text that is no rest counts as none."""
    for name, text in {"a": "", "b": "[]", "c": '{"seconds": "x"}', "d": '{"kind": "?"}'}.items():
        await world.board.write(TOPIC, name, text, 100)

    assert [None] * 4 == [await world.is_left_alone(name=name) for name in "abcd"]
