"""How many requests may be in flight at one push service. Pure."""

from __future__ import annotations

import math

from processors.outbound import most_connections

# Requests in flight in the whole process, and at one push service. At 100 ms an answer, 200 keep a core busy.
MAX_IN_FLIGHT, MAX_AT_ORIGIN = 400, 300
# Where a push service was not used for a minute. It doubles with each round of answers until one is refused.
FIRST = 5
# An answer is quick if it takes at most QUICK times as long as the quickest recent one, plus SLACK seconds. A slower
# one waited in a queue, there or here, and more requests in flight would make that queue longer.
QUICK, SLACK = 2.0, 0.02
# Seconds after which the quickest answer is forgotten, and twice that at most.
LATELY = 30.0


def most_in_flight() -> int:
    """Requests to push services that this process may have in flight."""
    return max(FIRST, min(MAX_IN_FLIGHT, most_connections()))


class Allowance:
    """The size grows while answers stay quick and all of it is used; a refusal or a time-out halves it.

    Additive increase and multiplicative decrease, as TCP has it (RFC 5681). Times are seconds of any one clock.
    """

    def __init__(self, most: int = MAX_AT_ORIGIN) -> None:
        """It never exceeds `most`."""
        self._most = most
        self._exact = float(min(FIRST, most))
        self._doubles = True
        self._quickest, self._before = math.inf, math.inf
        self._since = -math.inf
        self._halved_at = -math.inf

    @property
    def size(self) -> int:
        """Requests that may be in flight."""
        return int(self._exact)

    def restart(self) -> None:
        """Begin again, as where a push service was not used for a minute."""
        self._exact = float(min(FIRST, self._most))
        self._doubles = True

    def answered(self, seconds: float, now: float, *, all_used: bool) -> None:
        """A request was answered after `seconds`; `all_used`: another request waits for a permit."""
        if now - self._since > LATELY:
            self._before, self._quickest, self._since = self._quickest, seconds, now
        self._quickest = min(seconds, self._quickest)
        if all_used and seconds <= QUICK * min(self._quickest, self._before) + SLACK:
            self._exact = min(self._most, self._exact + (1.0 if self._doubles else 1.0 / self._exact))

    def refused(self, begun: float, now: float, least: int = 1) -> None:
        """A request that began at `begun` was refused or not answered: halve the size, but keep at least `least`.

        Requests that began before the last halving change nothing.
        """
        if begun >= self._halved_at:
            self._exact = max(float(min(least, self.size)), self._exact / 2)
            self._doubles = False
            self._halved_at = now
