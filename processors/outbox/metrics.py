"""The metrics of the outbox and of the bridges."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client.metrics_core import Metric

    from storage.ports import Backlog


class OutboxMetrics(Collector):
    """What this process has published, and what it saw when it last looked."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch."""
        self._clock = clock
        self._published = self._refused = 0
        self._backlog: Backlog | None = None

    def published(self, rows: int, bad: int) -> None:
        """Count a round."""
        self._published += rows
        self._refused += bad

    def saw(self, backlog: Backlog) -> None:
        """Keep it for the next scrape."""
        self._backlog = backlog

    def collect(self) -> Iterable[Metric]:
        """What Prometheus gets."""
        rows = CounterMetricFamily(
            "pushmill_outbox_rows", "Rows of the outbox that were dealt with.", labels=["result"]
        )
        rows.add_metric(["published"], self._published)
        rows.add_metric(["bad"], self._refused)
        yield rows
        if (seen := self._backlog) is None:
            return
        age = 0.0 if seen.oldest is None else max(0.0, self._clock() - seen.oldest)
        yield GaugeMetricFamily("pushmill_outbox_oldest_seconds", "Age of the first unpublished row.", age)
        yield GaugeMetricFamily("pushmill_outbox_unpublished", "Rows to publish, 10,000 at most.", seen.unpublished)
        yield GaugeMetricFamily("pushmill_outbox_bad_rows", "Rows that can't be published.", seen.bad)


class BridgeMetrics(Collector):
    """What a subscriber has heard, and what is known to be lost."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.heard = 0
        self.lost = {"bad": 0, "refused": 0, "away": 0}
        self.deaf_seconds = 0.0

    def collect(self) -> Iterable[Metric]:
        """What Prometheus gets."""
        yield CounterMetricFamily("pushmill_bridge_messages", "Messages that bridges have heard.", value=self.heard)
        lost = CounterMetricFamily(
            "pushmill_bridge_lost",
            "Messages that became no job: bad ones, and those that Redis did not take.",
            labels=["reason"],
        )
        for reason, count in self.lost.items():
            lost.add_metric([reason], count)
        yield lost
        meaning = "Seconds in which this process wanted to listen and could not."
        yield CounterMetricFamily("pushmill_bridge_deaf_seconds", meaning, value=self.deaf_seconds)
