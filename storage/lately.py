"""Remember a server's last refusal for a minute, so that readiness checks report what jobs have met."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from storage.errors import StorageAwayError

if TYPE_CHECKING:
    from collections.abc import Callable

LATELY = 60.0  # seconds: four times the delay of a job that is put off


class Lately:
    """The last refusal, until a later request succeeds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refusal: tuple[str, float] | None = None

    def refused(self, reason: str) -> None:
        """Remember the refusal."""
        self._refusal = reason, self._clock()

    def done(self) -> None:
        """Forget the refusal: a request has succeeded."""
        self._refusal = None

    def check(self) -> None:
        """Raise StorageAwayError if a request was refused within the last minute."""
        if self._refusal is not None and self._clock() - self._refusal[1] < LATELY:
            raise StorageAwayError(self._refusal[0])
