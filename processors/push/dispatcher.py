"""Sends one run's message: line by line, each request once it has a permit, and never two to one subscription."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from processors.locales import lookup
from processors.push.circuit_breaker import CircuitBreaker, Turn
from processors.push.delivery import UNASKED, Delivery, End, Kind, Message
from processors.push.flight import Flight
from processors.push.lines import Line, Lines
from queue_lib.errors import BrokerUnavailableError, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processors.push.dependencies import PushDependencies
    from processors.push.ledger import Ledger
    from processors.push.other_end import OtherEnd
    from queue_lib.processor import Board
    from storage.ports import Subscription

# Requests of one call that may wait for permits: this many, or a fifth of a longer list. Each takes some KiB, and a
# batch has eight pages under way.
AT_ONCE = 50
# Noted at once. Another run may repeat the others: they are retried anyway, or refused again without harm.
_SETTLED = frozenset({Kind.SENT, Kind.MESSAGE, Kind.REDIRECT})


@dataclass(eq=False)  # each run is one, and takes its turn as such
class Dispatcher:
    """What one run sends, and what it has learned of push services. `message` is worth nothing after `deadline`.

    `bodies` has the message's texts by locale.
    """

    dependencies: PushDependencies
    board: Board
    ledger: Ledger
    lines: Lines
    other_end: OtherEnd
    message: Message
    deadline: float  # seconds since the epoch
    bodies: Mapping[str, bytes]
    _circuit: CircuitBreaker = field(default_factory=CircuitBreaker)
    _flight: Flight = field(default_factory=Flight)

    async def send_all(self, rows: Sequence[Subscription], ends: list[End]) -> None:
        """Send to all, and add how each ended to `ends`. Raises what stopped this call, or another one."""
        await self.dependencies.origins.hear(self.board)
        before, lines = len(ends), self.lines.of(rows, ends)
        if len(rows) == 1:
            await self._work(lines[0])  # without a task, which costs time
        else:
            await self._flight.all(self._work(line) for line in lines for _ in range(self._workers(line)))
        is_whole = len(ends) - before == len(rows)
        if self._flight.failure is not None and not is_whole:  # another call failed, so this one stopped
            raise self._flight.failure

    async def ask_the_other_end(self, refusing: set[str]) -> None:
        """Where these push services have refused all, send to the last rows of a long list before their turn."""
        await self.other_end.ask(refusing, self._send_early)

    def _workers(self, line: Line) -> int:
        waiting = len(line.rows)
        return min(self.dependencies.origins.total.most, waiting, max(AT_ONCE, waiting // 5))

    async def _work(self, line: Line) -> None:
        """Send to one row after another of a line that other workers share."""
        while line.rows and not self._flight.is_stopped:
            turn = await self._circuit.turn(line.origin)
            if turn is Turn.SKIP:
                line.end_next(self._circuit.short_circuit(line.origin))
            elif turn is Turn.PROBE:
                await self._probe(line)
            else:
                await self._take(line)

    async def _probe(self, line: Line) -> None:
        """Send to the last row of the line and, if that was the last probe, to the last rows of the whole list."""
        is_asked = False
        try:
            is_asked = await self._take(line, is_probe=True)
            if is_asked and self._circuit.is_last_probe(line.origin):
                await self.ask_the_other_end({line.origin})
        finally:
            self._circuit.probed(line.origin, is_asked=is_asked)

    async def _send_early(self, rows: Sequence[Subscription]) -> list[End]:
        early: list[End] = []
        lines = [Line(self.lines.origin(row), deque([row]), early, small=False) for row in rows]
        await self._flight.all(self._take(line, is_probe=True) for line in lines)
        return early

    async def _take(self, line: Line, *, is_probe: bool = False) -> bool:
        """Send to the next row (the last one, if it is a probe) once there is a permit. Whether a row was sent to."""
        origins = self.dependencies.origins
        permit = await origins.enter(line.origin, self, self.board, small=line.small)
        if isinstance(permit, Delivery):
            line.end_next(permit)
            return False
        try:
            is_doubted = not is_probe and self._circuit.doubts(
                line.origin
            )  # the doubt came while it waited for its permit
            if not line.rows or is_doubted or self._flight.is_stopped:
                return False
            row = line.rows.pop() if is_probe else line.rows.popleft()
            delivery = await self._send(row, line.origin)
            line.end(row, delivery)
            try:
                await origins.saw(line.origin, permit, delivery, row.id, self.board)
            finally:  # also if this is cancelled, and before the permit is given back: its note counts as in flight
                if delivery.kind in _SETTLED:
                    await self._settle(row)
            return True
        finally:
            origins.leave(line.origin, permit)

    async def _send(self, row: Subscription, origin: str) -> Delivery:
        left = self.deadline - self.dependencies.clock()
        if left <= 0:
            return Delivery(Kind.EXPIRED, "its time was over when its turn came")
        if self.message.ttl > left:
            self.message = replace(self.message, ttl=math.ceil(max(1.0, left)))
        try:
            delivery = await self.dependencies.sender.send(row, self._message_for(row))
        except Exception as error:  # noqa: BLE001 -- an unexpected fault must stay with its subscription
            delivery = Delivery(Kind.MESSAGE, f"unexpected {type(error).__name__}")
        if delivery.kind not in UNASKED:
            self._circuit.saw(origin, delivery)
        return delivery

    def _message_for(self, row: Subscription) -> Message:
        body = lookup(row.locale, self.bodies) if self.bodies else None
        return self.message if body is None else replace(self.message, body=body)

    async def _settle(self, row: Subscription) -> None:
        try:
            await self.ledger.settle(row)
        except (BrokerUnavailableError, LeaseLostError):  # before another request begins
            self._flight.stop()
            raise
