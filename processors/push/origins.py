"""What each push service did in the last minute, as this process and others have seen it, and which may be called."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from processors.push.allowance import FIRST, Allowance, most_in_flight
from processors.push.delivery import Delivery, Kind
from processors.push.gate import Gate, Permit, Total
from processors.push.rest import MINUTE, PROBE, TOPIC, Rest, claim_probe, parse, take_back, tell
from queue_lib.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from queue_lib.processor import Board

# Push services that are remembered. Windows' and Apple's have many hosts, but fewer than this.
MAX_ORIGINS = 1000
# Rests at one time that are written to the log and the board, which all processes read each second. Any user can store
# subscriptions of hosts that do not answer.
MOST_TOLD = 100
HEAR_EVERY = 1.0  # seconds between reads of the board
# Seconds for an answer beyond which a push service is slow. A slow one may hold half of the queue's slots.
SLOW = 1.0
# Requests without an answer that count as an outage, if none has been answered since they began. A single one may be
# due to its connection or its subscription.
SEVERAL = 2
IN_A_ROW = 10  # requests that fail, with an answer or at once
FIRST_REST, LONGEST_REST = 10.0, 60.0  # seconds; doubled with each probe that fails
# Seconds of rests without any answer, after which a message that is not sent uses up an attempt. Otherwise follow-ups
# to a push service that no longer exists would run every minute until their time is over.
PATIENCE = 3600.0
AGAIN = 5.0  # seconds until a job that met a probe under way, or a slow push service, may try again
# Follow-ups of one push service that fall due within a second: a fifth of what the queue takes.
DUE_A_SECOND = 20
# A failed request that took longer was not answered in time, in seconds: connecting may take 5, the whole 10.
SILENT = 4.5
_FAILED = frozenset({Kind.TRANSIENT, Kind.THROTTLED})
# Answers that only the push service itself can have given.
_ANSWERED = frozenset({Kind.SENT, Kind.MESSAGE, Kind.KEY_MISMATCH, Kind.CONFIGURATION, Kind.REFUSED, Kind.REDIRECT})

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class _Origin:
    """What is known of one push service."""

    def __init__(self, name: str, gate: Gate, allowance: Allowance) -> None:
        self.name = name
        self.gate = gate
        self.allowance = allowance
        self.rest: Rest | None = None
        self.answered_at = -math.inf
        self.usual = 0.0  # seconds that an answer takes
        self.failures = 0  # in a row
        self.asked_by: str | None = None  # the subscription for which a pause was asked for last
        self.last_due = -math.inf
        self.ours_until = -math.inf  # this process is the one that may probe
        self.seen_at = -math.inf
        self.watch: asyncio.TimerHandle | None = None

    def rests_lately(self, now: float) -> bool:
        """Whether it is left alone, or was a minute ago."""
        return self.rest is not None and now - self.rest.until < MINUTE

    def is_forgotten(self, now: float) -> bool:
        """Whether it may be forgotten."""
        return now - self.seen_at > MINUTE and not self.gate.is_used and not self.rests_lately(now)

    def has_stalled(self, now: float) -> bool:
        """Whether several requests have waited for more than a second, and none was answered meanwhile."""
        return now - max(self.gate.unanswered(SEVERAL), self.answered_at) > SLOW


class Origins:
    """Hands out permits for requests, and learns from how they end. Times are seconds of `clock`."""

    def __init__(self, slots: int, clock: Callable[[], float] = time.monotonic, most: int | None = None) -> None:
        """The queue has `slots` slots in this process; `most` requests may be in flight in all."""
        self._clock = clock
        self._share = max(1, slots // 2)
        self.total = Total(most or most_in_flight())
        self._known: OrderedDict[str, _Origin] = OrderedDict()
        self._heard_at = -math.inf
        self._hearing = asyncio.Lock()

    async def hear(self, board: Board) -> None:
        """Read what other processes have written on the board, at most once a second."""
        async with self._hearing:
            if self._clock() - self._heard_at < HEAR_EVERY:
                return
            told = [(each, each.rest) for each in self._known.values() if each.rest is not None and each.rest.is_told]
            try:
                facts = await board.read(TOPIC)
            except BrokerUnavailableError:
                return
            finally:  # a caller that waited for this read does not begin another
                self._heard_at = self._clock()
            for name, fact in facts.items():
                self._heard(name, fact.text, fact.left - MINUTE)
            for origin, rest in told:
                if origin.name not in facts and origin.rest is rest:  # another process has taken it back
                    self._end_rest(origin)

    async def enter(self, name: str, job: object, board: Board, *, small: bool) -> Permit | Delivery:
        """A permit for a request to this origin, or how it ends without being sent.

        Jobs take turns; `job` tells them apart. A `small` one sends to few: it does not wait for a slow push service.
        """
        origin = self._of(name)
        while True:
            now = self._clock()
            if origin.rest is not None:
                return await self._probe(origin, origin.rest, board)
            if small and origin.has_stalled(now):
                return _not_sent(origin, "has not answered for a second", AGAIN)
            if (permit := origin.gate.enter(now, small=small)) is not None:
                return permit
            if small and origin.usual > SLOW:
                return _not_sent(origin, "is slow, and has its share of the requests in flight", AGAIN)
            if origin.watch is None:
                origin.watch = asyncio.get_running_loop().call_later(SLOW, self._watch, origin)
            if (permit := await origin.gate.wait(job, now, small=small)) is not None:
                return permit

    async def saw(self, name: str, permit: Permit, delivery: Delivery, subscription_id: str, board: Board) -> None:
        """The request of this permit ended so."""
        origin, now = self._of(name), self._clock()
        permit.is_answered = True
        was_probe = origin.rest is not None and origin.rest.probe is permit
        if delivery.kind in _ANSWERED:
            self._answered(origin, permit, now)
        elif delivery.kind in _FAILED:
            self._failed(origin, permit, delivery, subscription_id, now)
        if origin.rest is not None and not origin.rest.is_told and not self._do_many_rest(now):
            await tell(board, origin.name, origin.rest, now)
        elif was_probe and origin.rest is None:
            await take_back(board, origin.name)

    def leave(self, name: str, permit: Permit) -> None:
        """Give the permit back."""
        origin = self._of(name)
        if origin.rest is not None and origin.rest.probe is permit:
            origin.rest.probe = None  # it was cancelled, or its end says nothing
        origin.gate.leave(permit, self._clock())

    def due(self, name: str, delay: float) -> float:
        """When a follow-up is due that may run in `delay` seconds: while the origin rests, one after another."""
        origin, now = self._of(name), self._clock()
        if origin.rest is None and not origin.has_stalled(now) and origin.usual <= SLOW:
            return delay
        soonest = now + AGAIN if origin.rest is None else max(now, origin.rest.until)
        origin.last_due = max(soonest, origin.last_due + 1 / DUE_A_SECOND)
        return max(delay, origin.last_due - now)

    def is_resting(self, name: str) -> bool:
        """Whether it is left alone."""
        return self._of(name).rest is not None

    def _of(self, name: str) -> _Origin:
        origin, now = self._known.get(name), self._clock()
        if origin is None or origin.is_forgotten(now):
            allowance = Allowance()
            origin = self._known[name] = _Origin(name, Gate(self.total, allowance, self._share), allowance)
            unused = (each for each, other in self._known.items() if each != name and not other.gate.is_used)
            if len(self._known) > MAX_ORIGINS and (oldest := next(unused, None)) is not None:
                del self._known[oldest]
        origin.seen_at = now
        self._known.move_to_end(name)
        return origin

    async def _probe(self, origin: _Origin, rest: Rest, board: Board) -> Permit | Delivery:
        """A permit for the probe, once the rest is over; one job of one process gets it."""
        left = rest.until - self._clock()
        if left > 0:
            return self._left_alone(origin, rest, left)
        if rest.probe is None:
            permit = rest.probe = origin.gate.begin(self._clock(), small=True)
            is_ours = False
            try:
                is_ours = await self._may_probe(origin, board)
            finally:
                if not is_ours:
                    self.leave(origin.name, permit)
            if is_ours:
                return permit
            rest.until = self._clock() + AGAIN
        return self._left_alone(origin, rest, AGAIN)

    async def _may_probe(self, origin: _Origin, board: Board) -> bool:
        """Whether this process may probe. It keeps the right for 15 s, because a probe may say nothing."""
        now = self._clock()
        if now >= origin.ours_until and await claim_probe(board, origin.name):
            origin.ours_until = now + PROBE
        return now < origin.ours_until

    def _left_alone(self, origin: _Origin, rest: Rest, seconds: float) -> Delivery:
        delivery = _not_sent(origin, rest.reason, seconds, rest.kind)
        return replace(delivery, tried=self._clock() - rest.since > PATIENCE)

    def _answered(self, origin: _Origin, permit: Permit, now: float) -> None:
        """It has answered. Only a probe ends a rest: an older request may be answered during it."""
        origin.usual += (now - permit.begun - origin.usual) / 5
        origin.answered_at = now
        origin.failures = 0
        origin.asked_by = None
        origin.allowance.answered(now - permit.begun, now, all_used=origin.gate.is_crowded)
        if origin.rest is not None and origin.rest.probe is permit:
            self._end_rest(origin)
            _log.info("push_origin_back", origin=origin.name)

    def _failed(self, origin: _Origin, permit: Permit, delivery: Delivery, subscription_id: str, now: float) -> None:
        origin.failures += 1
        origin.allowance.refused(permit.begun, now, least=1 if delivery.kind is Kind.THROTTLED else FIRST)
        was_probe = origin.rest is not None and origin.rest.probe is permit
        seconds = self._pause(origin, permit, delivery, subscription_id, now)
        if origin.rest is None and seconds is not None:
            self._begin_rest(origin, Rest(now + seconds, FIRST_REST, delivery.kind, delivery.reason, now))
        elif origin.rest is not None and was_probe:
            longer = min(LONGEST_REST, 2 * origin.rest.seconds)
            until = now + max(longer, seconds or 0.0)
            self._begin_rest(origin, Rest(until, longer, delivery.kind, delivery.reason, origin.rest.since))

    def _pause(
        self, origin: _Origin, permit: Permit, delivery: Delivery, subscription_id: str, now: float
    ) -> float | None:
        """Seconds for which the origin is to be left alone because of this failure, if it is.

        If it asks for a pause for two subscriptions in a row, the pause is for all.
        """
        asked = delivery.retry_after if delivery.kind is Kind.THROTTLED else None
        if asked is not None:
            before, origin.asked_by = origin.asked_by, subscription_id
            if before not in {None, subscription_id}:
                return asked
        is_silent = now - permit.begun > SILENT and origin.answered_at < permit.begun
        return FIRST_REST if origin.failures >= (SEVERAL if is_silent else IN_A_ROW) else None

    def _begin_rest(self, origin: _Origin, rest: Rest) -> None:
        now = self._clock()
        if origin.rest is None and not self._do_many_rest(now):
            seconds = max(0.0, round(rest.until - now, 1))
            _log.error("push_origin_rests", origin=origin.name, kind=rest.kind.value, reason=rest.reason, delay=seconds)
        origin.rest = rest
        origin.gate.send_away(small_only=False)

    def _do_many_rest(self, now: float) -> bool:
        return sum(each.rests_lately(now) for each in self._known.values()) > MOST_TOLD

    def _end_rest(self, origin: _Origin) -> None:
        origin.rest = None
        origin.failures = 0
        origin.usual = 0.0
        origin.allowance.restart()

    def _heard(self, name: str, text: str, left: float) -> None:
        """The board says that an origin rests."""
        rest = parse(text, self._clock(), left)
        origin = self._of(name)
        if rest is None or (origin.rest is not None and origin.rest.probe is not None):
            return
        if origin.rest is None or origin.rest.until < rest.until - HEAR_EVERY:
            rest.since = min(rest.since, rest.since if origin.rest is None else origin.rest.since)
            self._begin_rest(origin, rest)

    def _watch(self, origin: _Origin) -> None:
        """Check each second, while requests wait, whether the origin has stalled: then small jobs stop waiting."""
        origin.watch = None
        if origin.has_stalled(self._clock()):
            origin.gate.send_away(small_only=True)
        if origin.gate.is_crowded:
            origin.watch = asyncio.get_running_loop().call_later(SLOW, self._watch, origin)


def _not_sent(origin: _Origin, reason: str, seconds: float, kind: Kind = Kind.TRANSIENT) -> Delivery:
    return Delivery(kind, f"not sent: {origin.name} is left alone for now: {reason}", seconds, tried=False)
