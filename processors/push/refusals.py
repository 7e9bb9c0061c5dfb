"""Which push services refuse this server, as its jobs have found: `/readyz` names them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from processors.push.delivery import UNASKED, Kind
from queue_lib.errors import PushmillError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from processors.push.delivery import Sender

QUIET = 60.0  # seconds: a push service that took a message so shortly before refuses a subscription, not the server
REMEMBERED = 120.0  # seconds; a job that is refused and put off asks again after 60


class Refusals:
    """The last refusals. `clock` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._refused_at: dict[str, float] = {}

    def note(self, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Take note of how messages ended: push service -> kind -> how often."""
        now = self._clock()
        refusing = [origin for origin, kinds in counts.items() if kinds.keys() - UNASKED == {Kind.CONFIGURATION}]
        if refusing:
            self._refused_at = self._lately(now) | dict.fromkeys(refusing, now)

    async def check(self, sender: Sender) -> None:
        """Raise PushmillError if a push service refuses this server. `sender` knows when each took a message."""
        refused_at = self._lately(self._clock()).items()
        if refusing := sorted(origin for origin, at in refused_at if not sender.has_taken_since(origin, at - QUIET)):
            msg = f"push services refuse this server: {', '.join(refusing)[:150]}"
            raise PushmillError(msg)

    def _lately(self, now: float) -> dict[str, float]:
        return {origin: at for origin, at in self._refused_at.items() if now - at < REMEMBERED}
