"""When to leave a push service that refuses the server alone for the rest of a job."""

from __future__ import annotations

import asyncio
import enum

import structlog

from processors.push.delivery import Delivery, Kind

# Refusals in a row that raise a doubt about the server's key. More than one, because any user can store a subscription
# whose endpoint is refused. If the doubt was wrong, the refused ones are old subscriptions: then it takes many more.
REFUSALS, MORE_REFUSALS = 3, 3000
# Subscriptions from the other end of the list that are asked then, one by one: the first ones may be of an older key.
PROBES = 5
# Once it is stopped, one message in PROBE_EVERY is sent all the same, and more of the first ones.
PROBE_EVERY = 50

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Turn(enum.Enum):
    """What is to be done with an origin's next subscription."""

    SEND = enum.auto()
    PROBE = enum.auto()  # send to one from the other end of the list
    SKIP = enum.auto()


class _Doubt:
    """What is known of one origin since it has last taken a message."""

    def __init__(self) -> None:
        self.refusals = 0
        self.reason = ""
        self.probes = 0
        self.is_probed = False
        self.news = asyncio.Event()
        self.is_stopped = False
        self.skipped = 0


class CircuitBreaker:
    """Stops sending to an origin that refuses the server itself, whatever it is sent.

    After some refusals in a row all wait for probes: subscriptions from the other end of the list. If no probe is
    taken, the rest is not sent, apart from a probe now and then. One message that is taken closes the circuit again.
    """

    def __init__(self) -> None:
        self._doubts: dict[str, _Doubt] = {}
        self._were_wrong: set[str] = set()

    def doubts(self, origin: str) -> bool:
        """Whether messages are to wait, or not to be sent."""
        doubt = self._doubts.get(origin)
        enough = MORE_REFUSALS if origin in self._were_wrong else REFUSALS
        return doubt is not None and doubt.refusals >= enough

    async def turn(self, origin: str) -> Turn:
        """What to do next. A caller that gets PROBE must call `probed` afterwards."""
        while self.doubts(origin):
            doubt = self._doubts[origin]
            if doubt.is_stopped:
                return _after(doubt)
            if not doubt.is_probed:
                doubt.is_probed = True
                return Turn.PROBE
            await doubt.news.wait()
        return Turn.SEND

    def short_circuit(self, origin: str) -> Delivery:
        """How a message to this origin ends if it is skipped."""
        reason = self._doubts[origin].reason if origin in self._doubts else ""
        told = f"not sent: {origin} was left alone for the rest of the job after {reason}"
        return Delivery(Kind.CONFIGURATION, told, tried=False)

    def saw(self, origin: str, delivery: Delivery) -> None:
        """Take note of how a message ended."""
        if delivery.kind is Kind.SENT:
            self._go_on(origin)
        elif delivery.kind is Kind.CONFIGURATION:
            doubt = self._doubts.setdefault(origin, _Doubt())
            doubt.refusals += 1
            doubt.reason = delivery.reason
        elif not self.doubts(origin):
            self._doubts.pop(origin, None)

    def is_last_probe(self, origin: str) -> bool:
        """Whether the probe under way is the one that decides."""
        doubt = self._doubts.get(origin)
        return doubt is not None and doubt.probes == PROBES - 1

    def probed(self, origin: str, *, is_asked: bool = True) -> None:
        """A probe has ended. It decides nothing unless the origin was asked."""
        doubt = self._doubts.get(origin)
        if doubt is None:
            return
        doubt.is_probed = False
        doubt.probes += is_asked
        if is_asked and doubt.probes == PROBES:
            doubt.is_stopped = True
            _log.error("push_origin_stopped", origin=origin, reason=doubt.reason)
        doubt.news.set()
        doubt.news = asyncio.Event()

    def _go_on(self, origin: str) -> None:
        was_doubted = self.doubts(origin)
        doubt = self._doubts.pop(origin, None)
        if doubt is None:
            return
        if was_doubted:
            self._were_wrong.add(origin)
        doubt.news.set()
        if doubt.is_stopped:
            _log.info("push_origin_resumed", origin=origin, skipped=doubt.skipped)


def _after(doubt: _Doubt) -> Turn:
    """Skip, except the first, the second, the fourth, the eighth ..., and one in PROBE_EVERY."""
    doubt.skipped += 1
    number = doubt.skipped
    is_due = number % PROBE_EVERY == 0 or (number < PROBE_EVERY and number & (number - 1) == 0)
    if not is_due or doubt.is_probed:
        return Turn.SKIP
    doubt.is_probed = True
    return Turn.PROBE
