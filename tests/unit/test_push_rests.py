"""When a push service rests, and how a probe ends the rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from processors.push.delivery import Delivery, Kind
from processors.push.gate import Permit
from processors.push.origins import (
    AGAIN,
    FIRST_REST,
    IN_A_ROW,
    LONGEST_REST,
    PATIENCE,
    SILENT,
)
from tests.support.push_fakes import ORIGIN
from tests.support.push_world import FAILED, OTHER, SENT, World


@pytest.fixture
def world() -> World:
    """Two processes."""
    return World()


async def test_some_timeouts_begin_a_rest(world: World) -> None:
    """If nothing was answered since they began: later messages are handed over at once, in all processes."""
    await world.hang()
    world.clock.now += 1

    for origins in (world.one, world.two):
        told = await world.is_left_alone(origins)
        assert told is not None
        assert (Kind.TRANSIENT, False, FIRST_REST - 1) == (told.kind, told.tried, told.retry_after)
        assert "no answer in time" in told.reason
        assert await world.is_left_alone(origins, OTHER) is None


async def test_a_time_out_beside_answers_says_nothing_of_the_push_service(world: World) -> None:
    """Some subscriptions are odd, or their connection was."""
    for _ in range(3):
        hanging = await world.enter()
        world.clock.now += SILENT
        await world.ask(SENT)
        world.clock.now += SILENT
        await world.end(hanging, FAILED)

    assert await world.is_left_alone() is None


async def test_failures_in_a_row_begin_a_rest(world: World) -> None:
    """Also quick ones: a refused connection, a 500."""
    for _ in range(IN_A_ROW - 1):
        await world.ask(FAILED)
    assert await world.is_left_alone() is None
    await world.ask(FAILED)

    assert await world.is_left_alone() is not None


async def test_one_probe_ends_a_rest_in_all_processes(world: World) -> None:
    """Only one request is sent when the rest is over, whichever process is first."""
    await world.hang()
    await world.is_left_alone(world.two)
    world.clock.now += FIRST_REST

    probe = await world.enter(world.two)
    assert isinstance(probe, Permit)
    for origins in (world.one, world.two):
        told = await world.is_left_alone(origins)
        assert told is not None
        assert AGAIN == told.retry_after
    await world.end(probe, SENT, origins=world.two)
    world.clock.now += 1

    assert [None, None] == [await world.is_left_alone(origins) for origins in (world.one, world.two)]


async def test_a_probe_that_fails_makes_the_rest_longer(world: World) -> None:
    """Up to a minute."""
    await world.hang()
    rests = []
    for _ in range(5):
        told = await world.is_left_alone()
        assert told is not None
        rests.append(told.retry_after)
        world.clock.now += told.retry_after or 0.0
        await world.ask(FAILED, 20.0)

    assert [FIRST_REST, 2 * FIRST_REST, 4 * FIRST_REST, LONGEST_REST, LONGEST_REST] == rests


async def test_a_rest_uses_up_attempts_after_an_hour(world: World) -> None:
    """Of failed probes, in all processes: that push service may be gone."""
    await world.hang()
    begun = world.clock.now
    while world.clock.now - begun <= PATIENCE:
        told = await world.is_left_alone()
        assert told is not None
        assert not told.tried
        world.clock.now += told.retry_after or 0.0
        await world.ask(FAILED, 1.0)

    for origins in (world.one, world.two):
        told = await world.is_left_alone(origins)
        assert told is not None
        assert (Kind.TRANSIENT, True) == (told.kind, told.tried)


async def test_a_probe_that_is_cut_short_leaves_it_to_another(world: World) -> None:
    """So does one that ends without a request to the push service."""
    await world.hang()
    world.clock.now += FIRST_REST
    world.one.leave(ORIGIN, await world.enter())
    world.clock.now += 20  # the claim to be the only probe is over

    await world.ask(Delivery(Kind.GONE, "past its expirationTime"))
    world.clock.now += 20
    await world.ask(SENT)

    assert await world.is_left_alone() is None


async def test_a_job_cancelled_before_its_probe_leaves_it_to_another(world: World) -> None:
    """Redis may take its time to grant the probe."""
    await world.hang()
    world.clock.now += FIRST_REST
    waiting = asyncio.Event()

    async def slow(*_: Any) -> bool:
        await waiting.wait()
        return True

    claim, world.board.claim = world.board.claim, slow  # type: ignore[method-assign,assignment]
    probe = asyncio.create_task(world.enter())
    for _ in range(3):
        await asyncio.sleep(0)
    probe.cancel()
    await asyncio.wait([probe])
    world.board.claim = claim  # type: ignore[method-assign]

    assert 0 == world.one.total.in_flight
    assert isinstance(await world.enter(), Permit)


async def test_a_probe_that_says_nothing_is_followed_by_another_at_once(world: World) -> None:
    """Its row was unusable, say, and no request was sent: the same process probes again, and the others do not wait."""
    await world.hang()
    world.clock.now += FIRST_REST
    for _ in range(3):
        await world.ask(Delivery(Kind.GONE, "past its expirationTime"))
        assert await world.is_left_alone(world.two) is not None
    await world.ask(SENT)

    assert await world.is_left_alone() is None


async def test_an_earlier_request_does_not_end_a_rest(world: World) -> None:
    """The requested pause holds, whatever answers arrive from requests under way."""
    before = await world.enter()
    for row in "12":
        await world.end(await world.enter(), Delivery(Kind.THROTTLED, "HTTP 429", 30.0), row)
    await world.end(before, SENT)

    assert await world.is_left_alone() is not None


async def test_two_requested_pauses_pause_all_pushes(world: World) -> None:
    """In all processes, for as long as requested. One subscription alone may be pushed to too often."""
    throttled = Delivery(Kind.THROTTLED, "HTTP 429", 30.0)
    for row in ("1", "1"):
        await world.end(await world.enter(), throttled, row)
    assert await world.is_left_alone() is None
    await world.end(await world.enter(), throttled, "2")

    world.clock.now += 2
    for origins in (world.one, world.two):
        told = await world.is_left_alone(origins)
        assert told is not None
        assert (Kind.THROTTLED, 28.0) == (told.kind, told.retry_after)


async def test_an_answer_between_two_pauses_makes_each_its_own(world: World) -> None:
    """Two devices that are pushed to too often do not stop the others."""
    for row in "12":
        await world.end(await world.enter(), Delivery(Kind.THROTTLED, "HTTP 429", 30.0), row)
        await world.ask(SENT)

    assert await world.is_left_alone() is None


async def test_the_log_has_a_rest_and_its_end_once(world: World) -> None:
    """With the reason, and for how long."""
    with capture_logs() as logs:
        permits = [await world.enter() for _ in range(3)]
        world.clock.now += 10
        for permit in permits:
            await world.end(permit, FAILED)
        world.clock.now += FIRST_REST
        await world.ask(SENT)

    assert ["push_origin_rests", "push_origin_back"] == [entry["event"] for entry in logs]
    assert (ORIGIN, FAILED.reason, FIRST_REST) == (logs[0]["origin"], logs[0]["reason"], logs[0]["delay"])
