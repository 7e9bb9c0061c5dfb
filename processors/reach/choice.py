"""What a user's preferences say of one message: the most specific row that says something wins. Pure."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, TypeVar

from processors.reach.quiet_hours import QuietHours, find_zone, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import tzinfo

    from storage.ports import Preference

T = TypeVar("T")
MUTED = math.inf  # until when a muted message waits
ANY = ("", "*")  # how a row says that it is for all channels, or for all types


class Channel(enum.StrEnum):
    """The ways to a person, as preferences name them: also in capitals, and with an underscore for the hyphen."""

    PUSH = "push"
    EMAIL = "email"
    IN_APP = "in-app"


class Quiet(enum.StrEnum):
    """What becomes of a message in quiet hours."""

    WAIT = "wait"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Occasion:
    """A message, as preferences see it: its `channel`, its `type` in the app's words, and what quiet hours do to it.

    `passes`: they do nothing to it.
    """

    channel: str
    type: str | None = None
    quiet: Quiet = Quiet.WAIT
    passes: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """`until` when the message waits (seconds since the epoch): None for not at all, MUTED if it is not wanted.

    `unreadable` values do not count: times of day and time zones that are none. Without a time zone it is UTC.
    """

    until: float | None = None
    unreadable: int = 0


def choose(rows: Iterable[Preference], occasion: Occasion, now: float) -> Choice:
    """What the rows of one user say. Of rows that are equally specific, the one that holds back more wins."""
    levels = _by_level(rows, occasion)
    if not all(_first(levels, lambda row: row.enabled)):
        return Choice(MUTED)
    if occasion.passes:
        return Choice()
    zone = next(iter(_first(levels, _zone)), UTC)
    hours = _first(levels, lambda row: _hours(row, zone))
    ends = [end for each in hours if (end := each.until(now)) is not None]
    unreadable = sum(_unreadable(row) for level in levels for row in level)
    if ends and occasion.quiet is Quiet.DROP:
        return Choice(MUTED, unreadable)
    return Choice(max(ends, default=None), unreadable)


def _by_level(rows: Iterable[Preference], occasion: Occasion) -> Sequence[Sequence[Preference]]:
    """The rows that are for this occasion, the most specific first: for channel and type, channel, type, all."""
    levels: tuple[list[Preference], ...] = ([], [], [], [])
    for row in rows:
        any_channel, any_type = row.channel in ANY, row.type in ANY
        if (any_channel or _plain(row.channel) == _plain(occasion.channel)) and (any_type or row.type == occasion.type):
            levels[2 * any_channel + any_type].append(row)
    return levels


def _first(levels: Iterable[Iterable[Preference]], read: Callable[[Preference], T | None]) -> list[T]:
    """What the rows of the first level say of which any says something."""
    said = ([value for row in level if (value := read(row)) is not None] for level in levels)
    return next(filter(None, said), [])


def _plain(channel: str) -> str:
    return channel.lower().replace("_", "").replace("-", "")


def _zone(row: Preference) -> tzinfo | None:
    return find_zone(row.time_zone) if row.time_zone else None


def _hours(row: Preference, zone: tzinfo) -> QuietHours | None:
    """The row's quiet hours, in its own zone or else in this one; None if it has not both ends."""
    start, end = parse_time(row.quiet_from), parse_time(row.quiet_to)
    return None if start is None or end is None else QuietHours(start, end, _zone(row) or zone)


def _unreadable(row: Preference) -> int:
    """The number of its values that can't be read."""
    times = sum(text != "" and parse_time(text) is None for text in (row.quiet_from, row.quiet_to))
    return times + (row.time_zone != "" and _zone(row) is None)
