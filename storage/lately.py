"""What a server has refused lately: jobs that are put off ask again, but whoever looks after the worker does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from storage.errors import StorageAwayError

if TYPE_CHECKING:
    from collections.abc import Callable

LATELY = 60.0  # seconds: four times as long as a job is put off


class Lately:
    """The last refusal, unless something has been done since."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """None yet."""
        self._clock = clock
        self._refusal: tuple[str, float] | None = None

    def refused(self, reason: str) -> None:
        """Keep it for a minute."""
        self._refusal = reason, self._clock()

    def done(self) -> None:
        """It does what it is asked."""
        self._refusal = None

    def check(self) -> None:
        """Raise StorageAwayError if something was refused lately."""
        if self._refusal is not None and self._clock() - self._refusal[1] < LATELY:
            raise StorageAwayError(self._refusal[0])
