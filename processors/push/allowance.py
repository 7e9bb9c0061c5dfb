"""How many requests may be in flight at one push service. Pure."""

from __future__ import annotations

import math

from processors.outbound import most_connections

# In the whole process, and of it at one push service: at 100 ms an answer, 200 keep a core busy.
MAX_IN_FLIGHT, MAX_AT_ORIGIN = 400, 300
# At a push service that has not been heard of for a minute. It doubles with each round of answers until one is refused.
FIRST = 5
# An answer is quick if it takes no more than so many times the quickest of late, and so many seconds. What takes
# longer stands in a line, there or here, and more in flight would make that line longer.
QUICK, SLACK = 2.0, 0.02
# Seconds after which the quickest answer is forgotten, and twice that at most.
LATELY = 30.0


def most_in_flight() -> int:
    """Requests to push services that this process may have in flight."""
    return max(FIRST, min(MAX_IN_FLIGHT, most_connections()))


class Allowance:
    """Grows while answers stay quick and all of it is used; a refusal or a time-out halves it.

    Additive increase and multiplicative decrease, as TCP has it (RFC 5681). Times are seconds of any one clock.
    """

    def __init__(self, most: int = MAX_AT_ORIGIN) -> None:
        """`most` is the bound."""
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
        """Begin anew, as at a push service that nobody has heard of for a minute."""
        self._exact = float(min(FIRST, self._most))
        self._doubles = True

    def answered(self, seconds: float, now: float, *, all_used: bool) -> None:
        """A request was answered after so many seconds; `all_used`: another one waits for a permit."""
        if now - self._since > LATELY:
            self._before, self._quickest, self._since = self._quickest, seconds, now
        self._quickest = min(seconds, self._quickest)
        if all_used and seconds <= QUICK * min(self._quickest, self._before) + SLACK:
            self._exact = min(self._most, self._exact + (1.0 if self._doubles else 1.0 / self._exact))

    def refused(self, begun: float, now: float, least: int = 1) -> None:
        """A request that was begun then was refused or not answered: half of it is left, and `least` in any case.

        What was begun before the last halving says nothing new.
        """
        if begun >= self._halved_at:
            self._exact = max(float(min(least, self.size)), self._exact / 2)
            self._doubles = False
            self._halved_at = now
