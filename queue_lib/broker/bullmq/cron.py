"""When a cron pattern is due next: cronsim walks the wall clock, and this module says what happens when it is set.

The package's own way is left out: it pins a croniter that is an hour off on the days on which clocks change (croniter
issue 149), and does not know the presets of Node's cron-parser.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import datetime, timedelta, timezone, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from queue_lib.broker.bullmq.pattern import PatternError, parse

FIXED = re.compile(r"utc(?:([+-]\d{1,2})(?::(\d{2}))?)?", re.IGNORECASE)  # as luxon reads it


def next_time(pattern: str, zone: str | None, after: float, seed: str) -> float:
    """The first time after `after` at which `pattern` is due, both in seconds since the epoch.

    `zone` is a name that Node's luxon knows; None is the zone of this process. `seed` is what `H` is drawn by.

    A time that the clock skips runs later by what was skipped: 02:30 at 03:30. A time that comes twice runs the first
    time only. A pattern of all 24 hours runs every hour instead: not in a skipped hour, and twice in an hour that comes
    twice. Raises PatternError.
    """
    parsed, clock = parse(pattern, seed), Clock(_tz(zone))
    try:
        due = _next_of_every_hour if parsed.every_hour else _next_of_some_hours
        return due(parsed.plain, clock, after)
    except (CronSimError, StopIteration, OverflowError):
        msg = "there is no such day"
        raise PatternError(msg) from None


class Clock:
    """The wall clock of a time zone; wall times have no zone of their own. None is the zone of this process."""

    def __init__(self, tz: tzinfo | None) -> None:
        """Read it."""
        self._tz = tz

    def wall(self, moment: float) -> datetime:
        """What the clock shows; `fold` is 1 if it shows so for the second time."""
        return datetime.fromtimestamp(moment, self._tz).replace(tzinfo=None)

    def moment(self, wall: datetime) -> float:
        """When the clock shows `wall`; if it never does, as if it had not been set yet."""
        return wall.replace(tzinfo=self._tz).timestamp()

    def skips(self, wall: datetime) -> bool:
        """Whether the clock never shows it."""
        return self.wall(self.moment(wall)) != wall

    def repeats(self, wall: datetime) -> bool:
        """Whether the clock shows it twice."""
        return not self.skips(wall) and self.moment(wall.replace(fold=0)) != self.moment(wall.replace(fold=1))


def _next_of_some_hours(plain: str, clock: Clock, after: float) -> float:
    start = clock.wall(after)
    walls = CronSim(plain, start.replace(fold=0))
    wall = next(walls)
    while start.fold and clock.repeats(wall):  # it was due when the clock showed it first
        wall = next(walls)
    moments = [clock.moment(wall)]
    while clock.skips(wall):  # what follows may be sooner than what is put off
        wall = next(walls)
        moments.append(clock.moment(wall))
    return min(moments)


def _next_of_every_hour(plain: str, clock: Clock, after: float) -> float:
    start = clock.wall(after)
    walls = CronSim(plain, start.replace(fold=0))
    wall = next(walls)
    while clock.skips(wall):
        wall = next(walls)
    if clock.repeats(start) and not start.fold and not clock.repeats(wall):  # but before it the clock is set back
        again = next(CronSim(plain, clock.wall(_set_back(clock, after)) - timedelta(seconds=1)))
        return clock.moment((again if clock.repeats(again) else wall).replace(fold=1))
    return clock.moment(wall.replace(fold=start.fold))


def _set_back(clock: Clock, after: float) -> int:
    """The second from which on the clock shows again what it has shown, soon after `after`."""
    shown_again = clock.moment(clock.wall(after).replace(fold=1))
    seconds = range(int(after), int(shown_again) + 1)
    return seconds[bisect_left(seconds, 1, key=lambda second: clock.wall(second).fold)]


def _tz(name: str | None) -> tzinfo | None:
    if not name or name.lower() in {"local", "system"}:
        return None
    fixed = FIXED.fullmatch("utc" if name.lower() == "gmt" else name)
    try:
        if fixed:
            minutes = int(fixed[2] or 0)
            signed = -minutes if (fixed[1] or "").startswith("-") else minutes
            return timezone(timedelta(hours=int(fixed[1] or 0), minutes=signed))
        return ZoneInfo(_names().get(name.lower(), ""))
    except (ValueError, OSError):
        msg = f"there is no time zone {name[:100]!r}"
        raise PatternError(msg) from None


@cache
def _names() -> dict[str, str]:
    """Node takes the names of time zones in any case."""
    return {name.lower(): name for name in available_timezones()}
