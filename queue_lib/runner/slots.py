"""The slots for the running jobs of one queue in this process, shared by its wires."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queue_lib.job import Wire

HOLD = 0.02  # seconds that a free slot is kept for a wire that is behind, while it claims
LONGEST_DEBT = 50  # jobs that a wire may be behind


@dataclass(eq=False)
class _Waiting:
    wire: Wire
    slot: asyncio.Future[None]
    is_held: bool = False
    is_overdue: bool = False


class Slots:
    """Wires with jobs get the same number of slots each; if one wire alone has jobs, it gets all of them.

    Serving the wire that has waited longest would not be fair: claims take longer on one wire than on the other, so the
    quicker one would get more turns. A wire that was given more jobs is ahead. It waits, for a moment at most, while
    a wire that is behind claims its next job, or is about to: both ask again when the rate limit's window ends, and the
    one that wakes first would get the next window for itself.
    """

    def __init__(self, count: int) -> None:
        """`count` jobs may run at once."""
        self._count = count
        self._free = count
        self._line: list[_Waiting] = []
        self._claiming: set[Wire] = set()  # wires that have a slot, and do not know yet whether there is a job for it
        self._refused: set[Wire] = set()  # wires that the rate limit sent away; they come back when its window ends
        self._given: Counter[Wire] = Counter()  # slots
        self._sated: set[Wire] = set()  # wires that had no job when they were given a slot

    async def acquire(self, wire: Wire) -> None:
        """Wait for a slot. Safe to cancel."""
        self._catch_up(wire)
        waiting = _Waiting(wire, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
        self._hand_out()
        try:
            await waiting.slot
        except asyncio.CancelledError:
            if waiting.slot.cancelled():
                self._line.remove(waiting)  # only now: what comes free in between passes it by
            else:
                self._take_back(wire)
            raise

    def release(self) -> None:
        """A job has ended: its slot is free."""
        self._free += 1
        self._hand_out()

    def give_back(self, wire: Wire, *, limited: bool) -> None:
        """Give back a slot for which there was no job; `limited` says whether the rate limit was why."""
        (self._refused if limited else self._sated).add(wire)
        self._take_back(wire)

    def leave(self, wire: Wire) -> None:
        """The wire asks for no more."""
        self._claiming.discard(wire)
        self._refused.discard(wire)

    def all_taken(self) -> bool:
        """Whether a newcomer would have to wait."""
        return not self._free or bool(self._line)

    def room(self, wire: Wire) -> int:
        """How many of the slots that come free next are this wire's: none while another wire is behind."""
        others = self._others(wire)
        if not others:
            return self._count
        return 1 if all(self._given[wire] <= self._given[other] for other in others) else 0

    def _others(self, wire: Wire) -> set[Wire]:
        """The other wires that want slots."""
        return {*self._claiming, *self._refused, *(waiting.wire for waiting in self._line)} - {wire}

    def _take_back(self, wire: Wire) -> None:
        self._claiming.discard(wire)
        self._given[wire] -= 1
        self.release()

    def _catch_up(self, wire: Wire) -> None:
        """A wire that had no jobs has earned nothing meanwhile."""
        self.leave(wire)
        most = max(self._given.values(), default=0)
        self._given[wire] = max(self._given[wire], most if wire in self._sated else most - LONGEST_DEBT)
        self._sated.discard(wire)

    def _hand_out(self) -> None:
        while self._free and (line := [each for each in self._line if not each.slot.cancelled()]):
            first = min(
                line, key=lambda waiting: self._given[waiting.wire]
            )  # of equals the one that has waited longest
            if self._is_held(first):
                return
            self._line.remove(first)
            self._free -= 1
            self._given[first.wire] += 1
            self._claiming.add(first.wire)
            first.slot.set_result(None)

    def _is_held(self, waiting: _Waiting) -> bool:
        """Whether a wire that is behind is claiming at the moment, or about to."""
        given, others = self._given, self._claiming | self._refused
        if waiting.is_overdue or not any(given[other] < given[waiting.wire] for other in others):
            return False
        if not waiting.is_held:
            waiting.is_held = True
            asyncio.get_running_loop().call_later(HOLD, self._let_go, waiting)
        return True

    def _let_go(self, waiting: _Waiting) -> None:
        waiting.is_overdue = True
        self._hand_out()
