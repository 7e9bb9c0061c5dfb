"""Quiet hours end when a clock on the user's wall shows their end: in all zones, and as clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.reach.quiet_hours import DAY, QuietHours, find_zone, parse_time

# Half an hour and two hours, at midnight, backwards in winter, around Ramadan, across the date line, and none at all.
ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Cairo",
    "Europe/Dublin",
    "Africa/Casablanca",
    "America/Santiago",
    "Asia/Beirut",
    "Asia/Gaza",
    "Pacific/Chatham",
    "Pacific/Apia",
    "America/Nuuk",
    "Asia/Kathmandu",
    "America/Havana",
]
START = int(datetime(2026, 1, 1, tzinfo=ZoneInfo("UTC")).timestamp())
DAYS = 3 * 365


def changes(zone: ZoneInfo) -> list[int]:
    """The days, as seconds since the epoch, on which the clocks of a zone change."""
    offsets = [datetime.fromtimestamp(START + day * DAY, zone).utcoffset() for day in range(DAYS + 1)]
    return [START + day * DAY for day in range(DAYS) if offsets[day] != offsets[day + 1]]


CHANGES = {name: changes(ZoneInfo(name)) for name in ZONES}


def is_quiet(moment: float, start: int, end: int, zone: ZoneInfo) -> bool:
    """What the clock on the wall says."""
    local = datetime.fromtimestamp(moment, zone)
    time = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
    first, last = timedelta(seconds=start), timedelta(seconds=end)
    return first <= time < last if start <= end else time >= first or time < last


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, int]:
    """A zone, and a moment: most of them within a day and a half of a change of its clocks."""
    zone = draw(st.sampled_from(ZONES))
    days = st.sampled_from(CHANGES[zone]) if CHANGES[zone] else st.nothing()
    day = draw(days | st.integers(0, DAYS).map(lambda number: START + number * DAY))
    return zone, day + draw(st.integers(-DAY, DAY + DAY // 2))


MINUTES = st.integers(0, 1440).map(lambda minute: minute * 60)
NIGHT = (22 * 3600, 7 * 3600)


@given(moments(), MINUTES, MINUTES)
@example(("Europe/Berlin", int(datetime(2026, 3, 28, 23, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())), *NIGHT)
@example(("Europe/Berlin", int(datetime(2026, 10, 24, 23, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())), *NIGHT)
def test_they_end_with_the_first_minute_that_is_not_quiet(at: tuple[str, int], start: int, end: int) -> None:
    """Found by looking at the clock each minute. What is quiet the whole day ends at midnight."""
    zone, now = ZoneInfo(at[0]), at[1]
    until = QuietHours(start, end, zone).until(now)

    if not is_quiet(now, start, end, zone):
        assert until is None
        return
    assert until is not None
    minute = now // 60 * 60 + 60
    while is_quiet(minute, start, end, zone) and minute < until:
        minute += 60
    assert minute == until
    is_whole_day = start % DAY == end % DAY
    assert is_whole_day or not is_quiet(until, start, end, zone)


@pytest.mark.parametrize("time", [0, 7 * 3600, DAY])
def test_the_same_start_and_end_is_no_time(time: int) -> None:
    """A row can take a type out of the quiet hours so."""
    assert not any(QuietHours(time, time).until(START + hour * 3600) for hour in range(25))


def test_a_night_is_over_at_its_end() -> None:
    """The first moment is within them, the last one is not."""
    night = QuietHours(*NIGHT)

    assert [night.until(START + hour * 3600) for hour in (21, 22, 31)] == [None, START + 31 * 3600, None]
    assert night.until(START + 31 * 3600 - 0.5) == START + 31 * 3600


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("22:00", 79_200),
        ("7:05", 25_500),
        ("00:00", 0),
        ("24:00", DAY),
        ("22:00:30", 79_230),
        ("22:00:00.000", 79_200),
        ("22:00:00+00", 79_200),
        ("1970-01-01 22:00:00", 79_200),
        ("1970-01-01T22:00:00.000Z", 79_200),
        ("1320", 79_200),
        ("1320.0", 79_200),
        ("22", 79_200),
        ("25", 1500),
        ("0", 0),
    ],
)
def test_times_of_day(text: str, seconds: int) -> None:
    """As apps and databases write them."""
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "10pm", "24:01", "25:00", "12:60", "1441", "-1", "noon", "22:00\n", "\u0662\u0662:00", "79200000"]
)
def test_no_times_of_day(text: str) -> None:
    """Words, times that no clock shows, and milliseconds."""
    assert parse_time(text) is None


@pytest.mark.parametrize(
    "name", ["Mars/Base", "", "..", "../etc/passwd", "/etc/passwd", "Europe", "a\0b", "\ud800", "x" * 999]
)
def test_no_zones(name: str) -> None:
    """Whatever a user has stored, no error."""
    assert find_zone(name) is None
