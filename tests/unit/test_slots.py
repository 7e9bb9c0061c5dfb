"""Which wire gets the next slot, and how many slots each may count on."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.job import Wire
from queue_lib.runner import slots as module
from queue_lib.runner.slots import LONGEST_DEBT, Slots
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

BULLMQ, RQ = Wire.BULLMQ, Wire.RQ
ENDLESS = 3600.0  # seconds


@pytest.fixture(autouse=True)
def hold() -> Iterator[None]:
    """No slot goes to another wire because a test was slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "HOLD", ENDLESS)
        yield


async def turns(count: int) -> None:
    """Let other tasks run for this many turns of the loop."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_room_is_for_the_wire_whose_turn_it_is() -> None:
    """Alone a wire may count on all slots; with another, on one if it is not ahead, else on none."""
    slots = Slots(2)
    assert [2, 2] == [slots.room(wire) for wire in Wire]
    await slots.acquire(BULLMQ)
    await slots.acquire(BULLMQ)
    assert slots.all_taken()
    first = asyncio.create_task(slots.acquire(RQ))
    await asyncio.sleep(0)
    assert (0, 1) == (slots.room(BULLMQ), slots.room(RQ))
    second = asyncio.create_task(slots.acquire(BULLMQ))
    await asyncio.sleep(0)
    assert (0, 1) == (slots.room(BULLMQ), slots.room(RQ))
    slots.release()
    await first
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    slots.leave(RQ)
    assert [2, 2] == [slots.room(wire) for wire in Wire]


class Loops:
    """Two wires with endless jobs: how long claims and jobs take, both in turns of the loop."""

    def __init__(self, count: int, claims: tuple[int, int], runs: tuple[int, int]) -> None:
        """There are `count` slots."""
        self.slots = Slots(count)
        self.started: Counter[Wire] = Counter()
        self._claims = dict(zip((BULLMQ, RQ), claims, strict=True))
        self._runs = dict(zip((BULLMQ, RQ), runs, strict=True))
        self._running: set[asyncio.Task[None]] = set()

    async def run(self, jobs: int) -> None:
        """Run until this many jobs have started."""
        loops = [asyncio.create_task(self._consume(wire)) for wire in (BULLMQ, RQ)]
        while self.started.total() < jobs:
            await asyncio.sleep(0)
        for task in (*loops, *self._running):
            task.cancel()
        await asyncio.gather(*loops, *self._running, return_exceptions=True)

    async def _consume(self, wire: Wire) -> None:
        while True:
            await self.slots.acquire(wire)
            await turns(self._claims[wire])
            self.started[wire] += 1
            task = asyncio.create_task(self._run(wire))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, wire: Wire) -> None:
        await turns(self._runs[wire])
        self.slots.release()


@given(
    count=st.integers(1, 6),
    claims=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    runs=st.tuples(st.integers(0, 20), st.integers(0, 20)),
)
def test_wires_with_jobs_get_as_many_each(count: int, claims: tuple[int, int], runs: tuple[int, int]) -> None:
    """However much longer one's claims or jobs take."""
    loops = Loops(count, claims, runs)
    asyncio.run(loops.run(100))
    assert abs(loops.started[BULLMQ] - loops.started[RQ]) <= 2


async def test_a_wire_without_jobs_holds_nothing_back() -> None:
    """It looks now and then while the other goes on, and saves up no turns for later."""
    slots = Slots(3)
    for _ in range(100):
        await slots.acquire(RQ)
        slots.give_back(RQ, limited=False)
        await asyncio.wait_for(slots.acquire(BULLMQ), PATIENCE)
        slots.release()
    started = [RQ, BULLMQ]
    for wire in (RQ, BULLMQ):
        await slots.acquire(wire)
    waiting = {wire: asyncio.create_task(slots.acquire(wire)) for wire in (RQ, BULLMQ)}
    await turns(2)
    assert [True, False] == [waiting[wire].done() for wire in started]
    slots.release()
    await waiting[BULLMQ]


async def test_a_wire_that_the_limit_held_back_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its turns are kept for it, up to a limit."""
    slots = Slots(LONGEST_DEBT * 4)
    await slots.acquire(RQ)
    slots.give_back(RQ, limited=True)
    with monkeypatch.context() as patch:
        patch.setattr(module, "HOLD", 0.0)
        for _ in range(LONGEST_DEBT * 2):
            await slots.acquire(BULLMQ)
    ahead = 1
    await slots.acquire(RQ)
    quicker = asyncio.create_task(slots.acquire(BULLMQ))
    while not quicker.done():
        ahead += 1
        await slots.acquire(RQ)
        await turns(2)
    assert LONGEST_DEBT == ahead


@pytest.mark.parametrize("leaves", [False, True])
async def test_the_wire_that_wakes_first_does_not_get_the_window(leaves: bool) -> None:
    """The limit has sent both away: the quicker gets one job, then the other's turn comes, unless that has ended."""
    slots = Slots(4)
    for wire in (BULLMQ, RQ):
        await slots.acquire(wire)
        slots.give_back(wire, limited=True)
    await slots.acquire(BULLMQ)
    assert 0 == slots.room(BULLMQ)
    second = asyncio.create_task(slots.acquire(BULLMQ))
    await turns(2)
    assert not second.done()
    if leaves:
        slots.leave(RQ)
        slots.release()
    else:
        await slots.acquire(RQ)
    await second


async def test_a_slot_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a claim takes long the other wire goes on, so that no slot stays empty for it."""
    monkeypatch.setattr(module, "HOLD", 0.0)
    slots = Slots(4)
    await slots.acquire(RQ)
    slots.give_back(RQ, limited=True)
    await slots.acquire(BULLMQ)
    await slots.acquire(BULLMQ)
    await slots.acquire(RQ)
    await asyncio.wait_for(slots.acquire(BULLMQ), PATIENCE)


@pytest.mark.parametrize("granted", [False, True])
async def test_a_wait_that_is_cut_short_takes_no_slot(granted: bool) -> None:
    """Neither while it waits, nor when it is cancelled as it gets one."""
    slots = Slots(1)
    await slots.acquire(BULLMQ)
    waiting = asyncio.create_task(slots.acquire(RQ))
    await asyncio.sleep(0)
    if granted:
        slots.release()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    if not granted:
        slots.release()
    await asyncio.wait_for(slots.acquire(BULLMQ), PATIENCE)
    assert slots.all_taken()


@pytest.mark.parametrize("other", list(Wire))
async def test_a_free_slot_skips_a_cancelled_wait(other: Wire) -> None:
    """At a stop both happen in one turn of the loop: a cancelled wait gets no slot."""
    slots = Slots(1)
    await slots.acquire(BULLMQ)
    cut, waiting = asyncio.create_task(slots.acquire(BULLMQ)), asyncio.create_task(slots.acquire(other))
    await turns(1)
    cut.cancel()
    slots.release()

    await waiting
    [end] = await asyncio.gather(cut, return_exceptions=True)
    assert isinstance(end, asyncio.CancelledError)
    slots.release()
    assert not slots.all_taken()


async def test_a_slot_whose_only_wait_is_cancelled_stays_free() -> None:
    """The only one who waited is being cut short."""
    slots = Slots(1)
    await slots.acquire(BULLMQ)
    cut = asyncio.create_task(slots.acquire(RQ))
    await turns(1)
    cut.cancel()
    slots.release()

    [end] = await asyncio.gather(cut, return_exceptions=True)
    assert isinstance(end, asyncio.CancelledError)
    assert not slots.all_taken()
