"""Permits for requests in flight: limited for each push service and in all, in fair turns for the jobs that wait."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processors.push.allowance import Allowance


@dataclass(eq=False, slots=True)
class Permit:
    """The permit of a request that began at `begun`; `small`: of a job that sends to few, whose slot waits for it."""

    begun: float
    small: bool
    is_answered: bool = False


@dataclass(eq=False, slots=True)
class _Waiting:
    permit: asyncio.Future[Permit | None]
    small: bool


class Total:
    """What all gates of a process share: `most` requests in flight, and the order of the gates."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.in_flight = 0
        self.crowded: deque[Gate] = deque()  # gates with waiting requests, each once

    def let_in(self, now: float) -> None:
        """Give permits to waiting requests, gate by gate, as long as there are any."""
        for _ in range(len(self.crowded)):
            if self.in_flight >= self.most:
                return
            gate = self.crowded.popleft()
            gate.let_in(now)
            if gate.is_crowded:
                self.crowded.append(gate)


class Gate:
    """The limit of one push service. Jobs take turns, so that one device does not wait for a million others."""

    def __init__(self, total: Total, allowance: Allowance, share: int) -> None:
        """At most `share` requests are of small jobs: each holds one of the queue's slots until it is answered."""
        self._total = total
        self._allowance = allowance
        self._share = share
        self._small = 0
        self._in_flight: dict[Permit, None] = {}  # the oldest first
        self._lines: OrderedDict[object, deque[_Waiting]] = OrderedDict()

    @property
    def is_crowded(self) -> bool:
        """Whether a request waits."""
        return bool(self._lines)

    @property
    def is_used(self) -> bool:
        """Whether a request is in flight, or waits."""
        return bool(self._in_flight or self._lines)

    def unanswered(self, count: int) -> float:
        """Since when `count` requests have been in flight without an answer; infinity if there are fewer."""
        begun = (permit.begun for permit in self._in_flight if not permit.is_answered)
        return next(islice(begun, count - 1, None), math.inf)

    def enter(self, now: float, *, small: bool) -> Permit | None:
        """A permit, if one is free and no request waits."""
        return None if self._lines or not self._has_room(small=small) else self.begin(now, small=small)

    def begin(self, now: float, *, small: bool) -> Permit:
        """A permit, whatever the limits are."""
        permit = Permit(now, small)
        self._in_flight[permit] = None
        self._total.in_flight += 1
        self._small += small
        return permit

    async def wait(self, job: object, now: float, *, small: bool) -> Permit | None:
        """Wait for a permit, in turns with other jobs. None if `send_away` was called: look again."""
        waiting = _Waiting(asyncio.get_running_loop().create_future(), small)
        if not self._lines:
            self._total.crowded.append(self)
        self._lines.setdefault(job, deque()).append(waiting)
        self.let_in(now)  # it may overtake small jobs that wait for their share
        try:
            return await waiting.permit
        except asyncio.CancelledError:
            if waiting.permit.cancelled():
                self._forget(job, waiting)
            elif (permit := waiting.permit.result()) is not None:
                self.leave(permit, now)
            raise

    def leave(self, permit: Permit, now: float) -> None:
        """The request has ended."""
        del self._in_flight[permit]
        self._total.in_flight -= 1
        self._small -= permit.small
        self._total.let_in(now)

    def let_in(self, now: float) -> None:
        """Give permits to waiting requests: one for each job, then another one for each."""
        passed_over = 0
        while passed_over < len(self._lines) and self._has_room(small=False):
            job, line = next(iter(self._lines.items()))
            if not self._has_room(small=line[0].small):
                passed_over += 1
                self._lines.move_to_end(job)
                continue
            passed_over = 0
            waiting = self._next(job, line)
            if not waiting.permit.done():
                waiting.permit.set_result(self.begin(now, small=waiting.small))

    def send_away(self, *, small_only: bool) -> None:
        """End the waits, so that their callers look again: all, or those of small jobs."""
        for job, line in list(self._lines.items()):
            staying = deque(each for each in line if small_only and not each.small)
            for waiting in line:
                if (waiting.small or not small_only) and not waiting.permit.done():
                    waiting.permit.set_result(None)
            self._lines[job] = staying
            if not staying:
                self._close(job)

    def _has_room(self, *, small: bool) -> bool:
        return (
            len(self._in_flight) < self._allowance.size
            and self._total.in_flight < self._total.most
            and not (small and self._small >= self._share)
        )

    def _next(self, job: object, line: deque[_Waiting]) -> _Waiting:
        waiting = line.popleft()
        self._lines.move_to_end(job)
        if not line:
            self._close(job)
        return waiting

    def _forget(self, job: object, waiting: _Waiting) -> None:
        line = self._lines.get(job)
        if line is not None and waiting in line:
            line.remove(waiting)
            if not line:
                self._close(job)

    def _close(self, job: object) -> None:
        del self._lines[job]
        if not self._lines and self in self._total.crowded:
            self._total.crowded.remove(self)
