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
_STOPPING = frozenset({Kind.CONFIGURATION, Kind.THROTTLED, Kind.TRANSIENT})

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Circuit:
    """Stops sending to an origin that refuses or fails whatever it is sent.

    Three refusals of the server itself stop it, except where the same key was taken within the hour.
    """

    def __init__(self, is_proven: Callable[[str], bool]) -> None:
        """Take who knows whether an origin has lately taken a message."""
        self._is_proven = is_proven
        self._in_a_row: dict[str, Counter[Kind]] = {}
        self._stopped: dict[str, Delivery] = {}

    def instead(self, origin: str) -> Delivery | None:
        """What a message to this origin ends with without being sent, if the origin is stopped."""
        return self._stopped.get(origin)

    def saw(self, origin: str, delivery: Delivery) -> None:
        """Take note of an ending."""
        if delivery.kind not in _STOPPING:
            self._in_a_row.pop(origin, None)
            return
        row = self._in_a_row.setdefault(origin, Counter())
        row[delivery.kind] += 1
        refused = row[Kind.CONFIGURATION] >= REFUSALS and not self._is_proven(origin)
        if (refused or row.total() >= IN_A_ROW) and origin not in self._stopped:
            reason = f"not sent: {origin} was left alone for the rest of the job after {delivery.reason}"
            self._stopped[origin] = Delivery(delivery.kind, reason, delivery.retry_after)
            _log.error("push_origin_stopped", origin=origin, kind=delivery.kind.value, reason=delivery.reason)
