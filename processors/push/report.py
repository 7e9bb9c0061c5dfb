"""What one run of a push job has done, for its result, the metrics and the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import structlog

from processors.push.delivery import UNASKED, UNUSABLE, Kind
from processors.push.endpoints import log_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.push.delivery import End
    from queue_lib.processor import Context

# Lines in the log about single subscriptions; the counts have the rest.
MAX_LINES = 20
# If a larger share than MANY_GONE is gone, of MANY or more, it may be the push service's fault: Google's had such a
# fault in June 2024.
MANY_GONE, MANY = 0.3, 50

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Report:
    """Counts how messages ended, tells the log what went wrong, and raises two alarms."""

    def __init__(self, job_id: str) -> None:
        self._job_id = job_id[:200]
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._pruned = 0
        self._lines = 0
        self._has_alarmed = False

    def add(self, ends: Sequence[End]) -> dict[str, dict[str, int]]:
        """Count these ends, and return their counts alone: push service -> kind -> how often."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for end in ends:
            counts[end.origin][end.delivery.kind] += 1
            self._counts[end.origin][end.delivery.kind] += 1
            self._log(end)
        return {origin: dict(kinds) for origin, kinds in counts.items()}

    def add_pruned(self, rows: int) -> None:
        """Count rows that were deleted or switched off."""
        self._pruned += rows

    def has_sent(self, origin: str) -> bool:
        """Whether this push service has taken a message in this run."""
        return bool(self._counts[origin][Kind.SENT])

    def refusing(self) -> list[str]:
        """All push services that were asked, if each answer of each is a refusal of the server itself; else none."""
        answers = {origin: counts.keys() - UNASKED for origin, counts in self._counts.items()}
        asked = {origin: kinds for origin, kinds in answers.items() if kinds}
        return sorted(asked) if all(kinds == {Kind.CONFIGURATION} for kinds in asked.values()) else []

    def alarm_of_many_gone(self) -> None:
        """Tell the log, once, if a large share of all subscriptions is gone."""
        causes = self._causes()
        gone, total = causes[Kind.GONE], causes.total()
        if total >= MANY and gone > MANY_GONE * total and not self._has_alarmed:
            self._has_alarmed = True
            _log.error("push_many_gone", id=self._job_id, gone=gone, of=total)

    def close(self, context: Context) -> None:
        """Hand the counts over to the metrics, and tell the log how many rows this worker can't use."""
        if self._counts:
            context.count("push_deliveries", self._counts)
        if self._pruned:
            context.count("push_pruned", {"subscriptions": {"gone": self._pruned}})
        causes = self._causes()
        unusable = {kind.value: causes[kind] for kind in sorted(UNUSABLE) if causes[kind]}
        if unusable:
            _log.error("push_unusable", id=self._job_id, of=causes.total(), **unusable)

    def _causes(self) -> Counter[str]:
        return sum(self._counts.values(), Counter[str]())

    def _log(self, end: End) -> None:
        if end.delivery.kind is Kind.SENT or self._lines >= MAX_LINES:
            return
        self._lines += 1
        fields = {**log_fields(end.row.endpoint), "kind": end.delivery.kind.value, "reason": end.delivery.reason}
        if end.delivery.kind is Kind.GONE:
            _log.info("push_gone", **fields)
        else:
            _log.warning("push_failed", **fields)
