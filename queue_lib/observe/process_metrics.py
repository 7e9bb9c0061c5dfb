"""How the process itself is: its memory, and how late its loop is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import Gauge, Histogram, ProcessCollector

from queue_lib.observe import memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import CollectorRegistry

LAGS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds


class ProcessMetrics:
    """The process's own metrics: those that Prometheus's libraries have everywhere, and ours."""

    def __init__(
        self,
        registry: CollectorRegistry,
        clock: Callable[[], float] = time.monotonic,
        tree: Callable[[], int] = memory.of_tree,
    ) -> None:
        """`clock` is in seconds, `tree` gives bytes. What `collect` reads is read when it is asked for."""
        self._clock = clock
        self._due: float | None = None
        self._lag = Histogram(
            "pushmill_event_loop_lag_seconds", "How late the loop woke up.", registry=registry, buckets=LAGS
        )
        of_tree = Gauge(
            "pushmill_tree_memory_bytes",
            "Memory of the process and its children; pages that they share count once.",
            registry=registry,
        )
        of_tree.set_function(lambda: float(tree()))
        ProcessCollector(registry=registry)

    def woke(self, every: float) -> None:
        """Called from the loop; `every` is the pause, in seconds, that it asked for since the last call."""
        now = self._clock()
        if self._due is not None:
            self._lag.observe(max(0.0, now - self._due))
        self._due = now + every
