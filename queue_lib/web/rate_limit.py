"""How often a client may do something: a number of times in each window of a minute."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = 60.0  # seconds
MOST_NAMES = 10_000  # that are counted apart; the rest share one count
OTHERS = "others"


class FixedWindow:
    """Counts by name. All counts begin anew when a window has passed."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """At most `most` in a window for each name. `clock` is in seconds."""
        self.most = most
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._until = 0.0

    def wait(self, name: str, number: int = 1) -> int:
        """Whole seconds until `number` more are allowed; 0 if they are now."""
        now = self._now()
        allowed = self._counts[self._key(name)] + number <= self.most
        return 0 if allowed else int(self._until - now) + 1

    def count(self, name: str, number: int = 1) -> None:
        """Count `number` more."""
        self._now()
        self._counts[self._key(name)] += number

    def _now(self) -> float:
        """The time, once a window that has passed is closed."""
        now = self._clock()
        if now >= self._until:
            self._counts.clear()
            self._until = now + WINDOW
        return now

    def _key(self, name: str) -> str:
        return name if name in self._counts or len(self._counts) < MOST_NAMES else OTHERS
