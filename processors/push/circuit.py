"""When to leave a push service alone for the rest of a job."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import structlog

from processors.push.delivery import Delivery, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

# So many answers in a row that say the same: it does not answer, it asks for a pause, it refuses the server's key.
IN_A_ROW = 20
# So many are enough where nothing says that the server's key was ever good. Not one: anybody can store a subscription
# whose endpoint is refused, and it must not cost all the others of a batch.
REFUSALS = 3
# One in so many is sent all the same to an origin that refuses the server: the first ones may be of an older key.
PROBE_EVERY = 50
_STOPPING = frozenset({Kind.CONFIGURATION, Kind.THROTTLED, Kind.TRANSIENT})

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Circuit:
    """Stops sending to an origin that refuses or fails whatever it is sent.

    Three refusals of the server itself stop it, except where the same key was taken within the hour. One message that
    is taken after all sets it going again.
    """

    def __init__(self, is_proven: Callable[[str], bool]) -> None:
        """Take who knows whether an origin has lately taken a message."""
        self._is_proven = is_proven
        self._in_a_row: dict[str, Counter[Kind]] = {}
        self._stopped: dict[str, Delivery] = {}
        self._skipped: Counter[str] = Counter()

    def instead(self, origin: str) -> Delivery | None:
        """What a message to this origin ends with without being sent, if the origin is stopped."""
        stopped = self._stopped.get(origin)
        if stopped is None:
            return None
        self._skipped[origin] += 1
        is_probe = stopped.kind is Kind.CONFIGURATION and self._skipped[origin] % PROBE_EVERY == 0
        return None if is_probe else stopped

    def saw(self, origin: str, delivery: Delivery) -> None:
        """Take note of an ending."""
        if delivery.kind not in _STOPPING:
            self._in_a_row.pop(origin, None)
            if delivery.kind is Kind.SENT:
                self._go_on(origin)
            return
        row = self._in_a_row.setdefault(origin, Counter())
        row[delivery.kind] += 1
        refused = row[Kind.CONFIGURATION] >= REFUSALS and not self._is_proven(origin)
        if (refused or row.total() >= IN_A_ROW) and origin not in self._stopped:
            reason = f"not sent: {origin} was left alone for the rest of the job after {delivery.reason}"
            self._stopped[origin] = Delivery(delivery.kind, reason, delivery.retry_after, tried=False)
            _log.error("push_origin_stopped", origin=origin, kind=delivery.kind.value, reason=delivery.reason)

    def _go_on(self, origin: str) -> None:
        """It has taken a message: the server is not refused. Who asked for a pause, or fails, still has it."""
        stopped = self._stopped.get(origin)
        if stopped is not None and stopped.kind is Kind.CONFIGURATION:
            del self._stopped[origin]
            _log.info("push_origin_resumed", origin=origin, skipped=self._skipped.pop(origin, 0))
