"""What is remembered of a push service beyond one job: by the process, and through the board by the others."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from structlog.testing import capture_logs

from processors.push import origins as origins_module
from processors.push.allowance import FIRST
from processors.push.delivery import Delivery, Kind
from processors.push.gate import Place
from processors.push.origins import (
    AGAIN,
    DUE_A_SECOND,
    FIRST_REST,
    IN_A_ROW,
    LONGEST_REST,
    MINUTE,
    PATIENCE,
    SEVERAL,
    SILENT,
    SLOW,
    Origins,
)
from queue_lib.broker.board import MemoryBoard
from queue_lib.errors import BrokerUnavailableError
from tests.support.push_fakes import Clock

ORIGIN, OTHER = "https://push.test", "https://other.test"
SENT, FAILED = Delivery(Kind.SENT), Delivery(Kind.TRANSIENT, "no answer in time")


class World:
    """Two processes that share a board, and one clock."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self.clock = Clock()
        self.board = MemoryBoard(self.clock)
        self.one, self.two = (Origins(10, self.clock) for _ in range(2))

    async def enter(self, origins: Origins | None = None, name: str = ORIGIN, *, small: bool = True) -> Any:
        """Ask for a place, as a job does."""
        origins = origins or self.one
        await origins.hear(self.board)
        return await origins.enter(name, object(), self.board, small=small)

    async def end(self, place: Any, delivery: Delivery, row: str = "1", origins: Origins | None = None) -> None:
        """The request of this place ends so."""
        assert isinstance(place, Place)
        origins = origins or self.one
        await origins.saw(ORIGIN, place, delivery, row, self.board)
        origins.leave(ORIGIN, place)

    async def ask(self, delivery: Delivery, seconds: float = 0.0, origins: Origins | None = None) -> None:
        """One request, which ends so after so many seconds."""
        place = await self.enter(origins)
        self.clock.now += seconds
        await self.end(place, delivery, origins=origins)

    async def hang(self) -> None:
        """Several requests are not answered in time."""
        for place in [await self.enter() for _ in range(SEVERAL)]:
            self.clock.now += SILENT + 1
            await self.end(place, FAILED)

    async def is_left_alone(self, origins: Origins | None = None, name: str = ORIGIN) -> Delivery | None:
        """What a request ends with that is not sent; None if it might be."""
        place = await self.enter(origins, name)
        if isinstance(place, Delivery):
            return place
        (origins or self.one).leave(name, place)
        return None


@pytest.fixture
def world() -> World:
    """Two processes."""
    return World()


async def test_some_requests_that_are_not_answered_in_time_are_enough(world: World) -> None:
    """If nothing was since they were begun: all that comes then is handed over at once, in all processes."""
    await world.hang()
    world.clock.now += 1

    for origins in (world.one, world.two):
        told = await world.is_left_alone(origins)
        assert told is not None
        assert (Kind.TRANSIENT, False, FIRST_REST - 1) == (told.kind, told.tried, told.retry_after)
        assert "no answer in time" in told.reason
        assert await world.is_left_alone(origins, OTHER) is None


async def test_a_time_out_beside_answers_says_nothing_of_the_push_service(world: World) -> None:
    """Some of its subscriptions are odd, or were sent to over a connection that was."""
    for _ in range(3):
        hanging = await world.enter()
        world.clock.now += SILENT
        await world.ask(SENT)
        world.clock.now += SILENT
        await world.end(hanging, FAILED)

    assert await world.is_left_alone() is None


async def test_failures_in_a_row_are_enough(world: World) -> None:
    """Also where each comes at once: a refused connection, a 500."""
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
    assert isinstance(probe, Place)
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


async def test_to_be_left_alone_uses_up_attempts_after_an_hour(world: World) -> None:
    """Of probes that fail, and in all processes: that push service may be no more."""
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
    """As one does that ends without having asked the push service."""
    await world.hang()
    world.clock.now += FIRST_REST
    world.one.leave(ORIGIN, await world.enter())
    world.clock.now += 20  # the claim to be the only probe is over

    await world.ask(Delivery(Kind.GONE, "past its expirationTime"))
    world.clock.now += 20
    await world.ask(SENT)

    assert await world.is_left_alone() is None


async def test_who_is_cancelled_before_it_may_probe_leaves_it_to_another(world: World) -> None:
    """Redis may take its time to say whose the probe is."""
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
    assert isinstance(await world.enter(), Place)


async def test_a_probe_that_says_nothing_is_followed_by_another_at_once(world: World) -> None:
    """Its row has ended, say, and nobody was asked: the others do not wait for it. It is the same process that asks."""
    await world.hang()
    world.clock.now += FIRST_REST
    for _ in range(3):
        await world.ask(Delivery(Kind.GONE, "past its expirationTime"))
        assert await world.is_left_alone(world.two) is not None
    await world.ask(SENT)

    assert await world.is_left_alone() is None


async def test_what_was_begun_before_a_rest_does_not_end_it(world: World) -> None:
    """Who asks for a pause has it, however an answer that was under way turns out."""
    before = await world.enter()
    for row in "12":
        await world.end(await world.enter(), Delivery(Kind.THROTTLED, "HTTP 429", 30.0), row)
    await world.end(before, SENT)

    assert await world.is_left_alone() is not None


async def test_a_pause_is_for_all_once_two_were_told(world: World) -> None:
    """In all processes, and for as long as was asked. One subscription alone may be pushed to too often."""
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
    """Two devices that are pushed to too often are no reason to leave all others alone."""
    for row in "12":
        await world.end(await world.enter(), Delivery(Kind.THROTTLED, "HTTP 429", 30.0), row)
        await world.ask(SENT)

    assert await world.is_left_alone() is None


async def test_a_hanging_push_service_is_handed_over_before_its_first_time_out(world: World) -> None:
    """After a second without an answer to several no other job waits for it; a batch does."""
    await world.enter()
    world.clock.now += SLOW + 0.1
    assert isinstance(await world.enter(), Place)
    world.clock.now += SLOW + 0.1

    told = await world.is_left_alone()

    assert told is not None
    assert (AGAIN, False) == (told.retry_after, told.tried)
    assert isinstance(await world.enter(small=False), Place)


async def test_who_waits_is_told_when_it_has_stalled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs that wait for a place give their slots back; the batch's requests wait on."""
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


async def test_who_waits_alone_is_told_as_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It need not wait until the requests before it time out."""
    monkeypatch.setattr(origins_module, "SLOW", 0.0)
    for _ in range(FIRST):
        await world.enter(small=False)
    device = asyncio.create_task(world.enter())
    await asyncio.sleep(0)
    world.clock.now += 5

    assert isinstance(await asyncio.wait_for(device, 10), Delivery)


async def test_a_slow_push_service_holds_a_share_of_the_slots(world: World) -> None:
    """It answers, after three seconds each: whoever would have to wait for a place comes again later."""
    for _ in range(20):
        await world.ask(SENT, 3.0)
    places = [await world.enter() for _ in range(FIRST)]
    assert all(isinstance(place, Place) for place in places)
    world.clock.now += 0.5

    told = await world.enter()

    assert isinstance(told, Delivery)
    assert "slow" in told.reason


async def test_small_jobs_have_half_of_the_slots_in_flight_at_a_push_service(world: World) -> None:
    """So the others are free when it stops answering all of a sudden; a batch holds one slot and is not counted."""
    origins = Origins(6, world.clock)
    for _ in range(3):
        assert isinstance(await world.enter(origins), Place)
    fourth = asyncio.create_task(world.enter(origins))
    await asyncio.sleep(0)

    assert isinstance(await world.enter(origins, small=False), Place)
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


async def test_while_redis_is_away_a_process_knows_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tells the others as soon as it can."""

    async def away(*_: Any) -> Any:
        raise BrokerUnavailableError

    with monkeypatch.context() as patch:
        for name in ("read", "write", "claim", "erase"):
            patch.setattr(world.board, name, away)
        before = await world.enter()
        await world.hang()
        assert await world.is_left_alone() is not None
        world.clock.now += FIRST_REST
        await world.ask(FAILED, SILENT + 1)  # its probe needs nobody's leave
    await world.end(before, FAILED)

    assert await world.is_left_alone(world.two) is not None


async def test_who_waits_for_the_board_does_not_wait_for_each_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that does not answer takes seconds to say so: once, and not for each job in turn."""
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


async def test_no_more_is_told_than_all_may_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can store subscriptions of many hosts that do not answer: then each process knows for itself."""
    monkeypatch.setattr(origins_module, "MOST_TOLD", 2)
    rest = '{"seconds": 10, "kind": "transient", "reason": "no answer in time"}'
    for name in ("https://1.test", "https://2.test"):
        await world.board.write(origins_module.TOPIC, name, rest, 1000)
    with capture_logs() as logs:
        await world.hang()

    assert await world.is_left_alone() is not None
    assert ORIGIN not in await world.board.read(origins_module.TOPIC)
    assert 3 == len(logs)  # and no line more for each of a thousand
    world.clock.now += 1000 + MINUTE
    await world.hang()
    assert [ORIGIN] == list(await world.board.read(origins_module.TOPIC))


async def test_it_is_all_forgotten_a_minute_after(world: World) -> None:
    """A push service that nobody has asked since begins anew."""
    await world.hang()
    await world.is_left_alone(world.two)
    world.clock.now += FIRST_REST + MINUTE + 1

    assert [None, None] == [await world.is_left_alone(origins) for origins in (world.one, world.two)]
    assert {} == await world.board.read(origins_module.TOPIC)


async def test_what_others_write_on_the_board_harms_nobody(world: World) -> None:
    """A text that is no rest is as good as none."""
    for name, text in {"a": "", "b": "[]", "c": '{"seconds": "x"}', "d": '{"kind": "?"}'}.items():
        await world.board.write(origins_module.TOPIC, name, text, 100)

    assert [None] * 4 == [await world.is_left_alone(name=name) for name in "abcd"]


async def test_the_log_tells_of_a_rest_and_its_end_once(world: World) -> None:
    """With the reason, and for how long."""
    with capture_logs() as logs:
        places = [await world.enter() for _ in range(3)]
        world.clock.now += 10
        for place in places:
            await world.end(place, FAILED)
        world.clock.now += FIRST_REST
        await world.ask(SENT)

    assert ["push_origin_rests", "push_origin_back"] == [entry["event"] for entry in logs]
    assert (ORIGIN, FAILED.reason, FIRST_REST) == (logs[0]["origin"], logs[0]["reason"], logs[0]["delay"])


async def test_push_services_are_forgotten_where_there_are_too_many(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never one whose requests are in flight."""
    monkeypatch.setattr(origins_module, "MAX_ORIGINS", 1)
    place = await world.enter()
    for number in range(10):
        await world.is_left_alone(name=f"https://{number}.test")

    await world.end(place, SENT)

    assert 0 == world.one.total.in_flight
