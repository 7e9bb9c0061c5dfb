"""What each push service did in the last minute, as this process has seen it and others have told: who may be asked."""

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

# Windows' and Apple's services have many hosts, but not so many.
MAX_ORIGINS = 1000
# That rest at once and are told, to the log and on the board, which all processes read each second. Anybody can store
# subscriptions of hosts that do not answer.
MOST_TOLD = 100
HEAR_EVERY = 1.0  # seconds between looks at what other processes tell
# Seconds that a quick push service takes at most for an answer. One that is slower holds a share of the slots.
SLOW = 1.0
# So many requests that are not answered say something of the push service, if none has been since they were begun. One
# may be due to its connection, or its subscription.
SEVERAL = 2
IN_A_ROW = 10  # requests that fail, with an answer or at once
FIRST_REST, LONGEST_REST = 10.0, 60.0  # seconds; doubled with each probe that fails
# Seconds of rests without an answer between them after which to be left alone uses up an attempt: whoever sends to a
# push service that is no more would have a follow-up of each push run every minute until its time is over.
PATIENCE = 3600.0
AGAIN = 5.0  # seconds until those who found a probe under way, or a slow service, may come again
# Follow-ups of one push service that fall due within a second: a fifth of what the queue takes.
DUE_A_SECOND = 20
# Seconds that a request took which was not answered in time: connecting may take 5, all of it 10.
SILENT = 4.5
_FAILED = frozenset({Kind.TRANSIENT, Kind.THROTTLED})
# What only the push service itself can have said; the others may be found out without asking it.
_ANSWERED = frozenset({Kind.SENT, Kind.MESSAGE, Kind.KEY_MISMATCH, Kind.CONFIGURATION, Kind.REFUSED, Kind.REDIRECT})

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class _Origin:
    """What is known of one."""

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
        """Whether nothing of it concerns anybody any more."""
        return now - self.seen_at > MINUTE and not self.gate.is_used and not self.rests_lately(now)

    def has_stalled(self, now: float) -> bool:
        """Whether it answers nothing, and has several requests to answer."""
        return now - max(self.gate.unanswered(SEVERAL), self.answered_at) > SLOW


class Origins:
    """Hands out the right to send a request, and learns from how it ends. Times are seconds of `clock`."""

    def __init__(self, slots: int, clock: Callable[[], float] = time.monotonic, most: int | None = None) -> None:
        """Jobs of the queue have so many `slots` in this process; `most` requests may be in flight."""
        self._clock = clock
        self._share = max(1, slots // 2)
        self.total = Total(most or most_in_flight())
        self._known: OrderedDict[str, _Origin] = OrderedDict()
        self._heard_at = -math.inf
        self._hearing = asyncio.Lock()

    async def hear(self, board: Board) -> None:
        """Take note of what other processes tell, once a second."""
        async with self._hearing:
            if self._clock() - self._heard_at < HEAR_EVERY:
                return
            told = [(each, each.rest) for each in self._known.values() if each.rest is not None and each.rest.is_told]
            try:
                facts = await board.read(TOPIC)
            except BrokerUnavailableError:
                return
            finally:  # who has waited for this does not wait for another one
                self._heard_at = self._clock()
            for name, fact in facts.items():
                self._heard(name, fact.text, fact.left - MINUTE)
            for origin, rest in told:
                if origin.name not in facts and origin.rest is rest:  # another process has taken it back
                    self._end_rest(origin)

    async def enter(self, name: str, job: object, board: Board, *, small: bool) -> Permit | Delivery:
        """The right to send a request to this origin, or what it ends with without being sent.

        A `job` has its turn among others. A `small` one sends to few: it does not wait for a push service that is slow.
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
        """The request of this permit was answered, or not, in this way."""
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
            origin.rest.probe = None  # it was cut short, or says nothing
        origin.gate.leave(permit, self._clock())

    def due(self, name: str, delay: float) -> float:
        """Seconds until a follow-up that may come in `delay` is to come: while the origin rests, one after another."""
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
        """The right to send one request, once the rest is over: to one job of one process."""
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
        """Whether it is this process that probes: until its time is over, for a probe may say nothing."""
        now = self._clock()
        if now >= origin.ours_until and await claim_probe(board, origin.name):
            origin.ours_until = now + PROBE
        return now < origin.ours_until

    def _left_alone(self, origin: _Origin, rest: Rest, seconds: float) -> Delivery:
        delivery = _not_sent(origin, rest.reason, seconds, rest.kind)
        return replace(delivery, tried=self._clock() - rest.since > PATIENCE)

    def _answered(self, origin: _Origin, permit: Permit, now: float) -> None:
        """It is there. Only a probe ends a rest: what was begun before may still be answered."""
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
        """Seconds for which this failure is a reason to leave the origin alone, if it is one.

        A pause that was asked for two subscriptions in a row is meant for all of them.
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
        """Another process, or this one, has told that an origin rests."""
        rest = parse(text, self._clock(), left)
        origin = self._of(name)
        if rest is None or (origin.rest is not None and origin.rest.probe is not None):
            return
        if origin.rest is None or origin.rest.until < rest.until - HEAR_EVERY:
            rest.since = min(rest.since, rest.since if origin.rest is None else origin.rest.since)
            self._begin_rest(origin, rest)

    def _watch(self, origin: _Origin) -> None:
        """Look each second, while somebody waits, whether an origin has stalled: small jobs wait no longer then."""
        origin.watch = None
        if origin.has_stalled(self._clock()):
            origin.gate.send_away(small_only=True)
        if origin.gate.is_crowded:
            origin.watch = asyncio.get_running_loop().call_later(SLOW, self._watch, origin)


def _not_sent(origin: _Origin, reason: str, seconds: float, kind: Kind = Kind.TRANSIENT) -> Delivery:
    return Delivery(kind, f"not sent: {origin.name} is left alone for now: {reason}", seconds, tried=False)
