"""The cost of a push service that is slow, or hangs, for the jobs that send to it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from processors.push import origins as origins_module
from processors.push.allowance import FIRST
from processors.push.delivery import Delivery
from processors.push.gate import Permit
from processors.push.origins import (
    AGAIN,
    DUE_A_SECOND,
    FIRST_REST,
    SLOW,
    Origins,
)
from tests.support.push_fakes import ORIGIN
from tests.support.push_world import OTHER, SENT, World


@pytest.fixture
def world() -> World:
    """Two processes."""
    return World()


async def test_a_hanging_push_service_is_handed_over_before_its_first_time_out(world: World) -> None:
    """After a second without an answer to several requests no other job waits for it; a batch does."""
    await world.enter()
    world.clock.now += SLOW + 0.1
    assert isinstance(await world.enter(), Permit)
    world.clock.now += SLOW + 0.1

    told = await world.is_left_alone()

    assert told is not None
    assert (AGAIN, False) == (told.retry_after, told.tried)
    assert isinstance(await world.enter(small=False), Permit)


async def test_waiting_jobs_give_up_when_a_push_service_stalls(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that wait for a permit give their slots back; the batch's requests wait on."""
    monkeypatch.setattr(origins_module, "SLOW", 0.0)
    for _ in range(FIRST):
        await world.enter(small=False)
    batch = asyncio.create_task(world.enter(small=False))
    device = asyncio.create_task(world.enter())
    await asyncio.sleep(0)
    world.clock.now += 5

    assert isinstance(await device, Delivery)
    assert not batch.done()
    batch.cancel()


async def test_a_single_waiting_job_gives_up_as_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It need not wait until the requests before it time out."""
    monkeypatch.setattr(origins_module, "SLOW", 0.0)
    for _ in range(FIRST):
        await world.enter(small=False)
    device = asyncio.create_task(world.enter())
    await asyncio.sleep(0)
    world.clock.now += 5

    assert isinstance(await asyncio.wait_for(device, 10), Delivery)


async def test_a_slow_push_service_holds_a_share_of_the_slots(world: World) -> None:
    """With three seconds an answer, jobs that would have to wait for a permit come again later."""
    for _ in range(20):
        await world.ask(SENT, 3.0)
    permits = [await world.enter() for _ in range(FIRST)]
    assert all(isinstance(permit, Permit) for permit in permits)
    world.clock.now += 0.5

    told = await world.enter()

    assert isinstance(told, Delivery)
    assert "slow" in told.reason


async def test_small_jobs_have_half_of_the_slots_in_flight_at_a_push_service(world: World) -> None:
    """The other half stays free when it stops answering; a batch holds one slot and is not counted."""
    origins = Origins(6, world.clock)
    for _ in range(3):
        assert isinstance(await world.enter(origins), Permit)
    fourth = asyncio.create_task(world.enter(origins))
    await asyncio.sleep(0)

    assert isinstance(await world.enter(origins, small=False), Permit)
    assert not fourth.done()
    fourth.cancel()


async def test_follow_ups_of_a_resting_push_service_come_one_after_another(world: World) -> None:
    """From when it may be probed, so many a second: they must not fill the queue."""
    assert 7.0 == world.one.due(ORIGIN, 7.0)
    await world.hang()

    dues = [world.one.due(ORIGIN, 7.0) for _ in range(1000)]

    assert FIRST_REST == dues[0]
    assert all(later - earlier > 0.9 / DUE_A_SECOND for earlier, later in itertools.pairwise(dues))
    assert dues[-1] == pytest.approx(FIRST_REST + 999 / DUE_A_SECOND)
    assert 30.0 == world.one.due(OTHER, 30.0)


async def test_push_services_are_forgotten_where_there_are_too_many(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never one with requests in flight."""
    monkeypatch.setattr(origins_module, "MAX_ORIGINS", 1)
    permit = await world.enter()
    for number in range(10):
        await world.is_left_alone(name=f"https://{number}.test")

    await world.end(permit, SENT)

    assert 0 == world.one.total.in_flight
