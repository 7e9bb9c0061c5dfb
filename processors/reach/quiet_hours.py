"""Quiet hours: when they end, by the clock on the user's wall. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY, HOURS = 86_400, 24  # a time of day is in seconds since midnight
ZONES = 1024  # names that are remembered: an app's users live in fewer, and a wrong name is looked for in many files
# As apps, Postgres and SQLite write it; a date before it and a zone after it do not count.
_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ])?([0-9]{1,2}):([0-5][0-9])(:([0-5][0-9])(\.[0-9]*)?)?(Z|[+-][0-9:]{2,6})?"
)
_NUMBER = re.compile(r"([0-9]{1,4})(\.0*)?")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end`, in seconds since midnight: also over midnight. If both are the same, none are quiet."""

    start: int
    end: int
    zone: tzinfo = UTC

    def until(self, now: float) -> float | None:
        """When they end, in seconds since the epoch; None if `now` is not within them.

        They last as long as the clock shows a time within them. Where clocks change, they may end at the change.
        """
        now = int(now)
        if (left := self._left(self._time(now))) == 0:
            return None
        end = now + left
        if self._offset(now) == self._offset(end):
            return end
        change = self._change(now, end)
        return change + self._left(self._time(change))

    def _left(self, time: int) -> int:
        """Seconds until they end at this time of day, if no clock changes; 0 if it is not within them."""
        if self.start < self.end:
            return self.end - time if self.start <= time < self.end else 0
        if self.start > self.end and time >= self.start:
            return self.end + DAY - time
        return self.end - time if self.start > self.end and time < self.end else 0

    def _time(self, moment: int) -> int:
        local = datetime.fromtimestamp(moment, self.zone)
        return local.hour * 3600 + local.minute * 60 + local.second

    def _offset(self, moment: int) -> timedelta | None:
        return datetime.fromtimestamp(moment, self.zone).utcoffset()

    def _change(self, before: int, after: int) -> int:
        """The first second, after `before` and at most `after`, at which the clocks have changed."""
        offset = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if self._offset(middle) == offset else (before, middle)
        return after


def parse_time(text: str) -> int | None:
    """A time of day in seconds: `22:00`, `22:00:00`, or a number; None for anything else.

    A number has minutes since midnight. Up to 24 it has hours: nobody's quiet hours last from 22 to 7 minutes.
    """
    if number := _NUMBER.fullmatch(text):
        seconds = int(number[1]) * (3600 if int(number[1]) <= HOURS else 60)
    elif found := _TIME.fullmatch(text):
        seconds = int(found[2]) * 3600 + int(found[3]) * 60 + int(found[5] or 0)
    else:
        return None
    return seconds if seconds <= DAY else None


@lru_cache(ZONES)
def find_zone(name: str) -> tzinfo | None:
    """The time zone of this name, such as `Europe/Berlin`; None if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder's name is an OSError
        return None
