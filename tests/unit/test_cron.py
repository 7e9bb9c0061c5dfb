"""When a cron pattern is due next, above all on the days on which clocks change."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.broker.bullmq.cron import next_time
from queue_lib.broker.bullmq.pattern import PatternError, parse
from queue_lib.broker.bullmq.schedulers import next_due

if TYPE_CHECKING:
    from collections.abc import Iterator

BERLIN, ADELAIDE, LORD_HOWE, ST_JOHNS, CAIRO = (
    *("Europe/Berlin", "Australia/Adelaide", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo"),
)


def due(pattern: str, zone: str | None, after: str, times: int = 1) -> list[str]:
    """The next times, as UTC; `after` is a wall time of the zone with its offset."""
    moment, found = datetime.fromisoformat(after).timestamp(), []
    for _ in range(times):
        moment = next_time(pattern, zone, moment, "seed")
        found.append(datetime.fromtimestamp(moment, UTC).strftime("%m-%d %H:%M"))
    return found


@pytest.mark.parametrize(
    ("pattern", "zone", "after", "expected"),
    [
        # spring: 02:00 is 03:00
        ("0 9 * * *", BERLIN, "2026-03-28T09:00+01:00", ["03-29 07:00", "03-30 07:00"]),
        ("30 2 * * *", BERLIN, "2026-03-28T12:00+01:00", ["03-29 01:30", "03-30 00:30"]),
        ("0 * * * *", BERLIN, "2026-03-29T00:30+01:00", ["03-29 00:00", "03-29 01:00"]),
        ("30 2-3 * * *", BERLIN, "2026-03-29T00:00+01:00", ["03-29 01:30", "03-30 00:30"]),
        ("0 9 29 * *", BERLIN, "2026-03-01T00:00+01:00", ["03-29 07:00", "04-29 07:00"]),
        ("0 9 * * 0", BERLIN, "2026-03-23T00:00+01:00", ["03-29 07:00", "04-05 07:00"]),
        # autumn: 03:00 is 02:00
        ("0 9 * * *", BERLIN, "2026-10-24T09:00+02:00", ["10-25 08:00", "10-26 08:00"]),
        ("30 2 * * *", BERLIN, "2026-10-24T12:00+02:00", ["10-25 00:30", "10-26 01:30"]),
        ("30 2 * * *", BERLIN, "2026-10-25T02:10+01:00", ["10-26 01:30"]),
        ("30 * * * *", BERLIN, "2026-10-25T02:00+02:00", ["10-25 00:30", "10-25 01:30", "10-25 02:30"]),
        ("0 9 25 * *", BERLIN, "2026-10-01T00:00+02:00", ["10-25 08:00", "11-25 08:00"]),
        # zones with a half hour
        ("30 2 * * *", ADELAIDE, "2026-10-03T12:00+09:30", ["10-03 17:00", "10-04 16:00"]),
        ("0 9 * * *", ADELAIDE, "2026-04-04T09:00+10:30", ["04-04 23:30", "04-05 23:30"]),
        ("45 1 * * *", ST_JOHNS, "2026-10-31T12:00-02:30", ["11-01 04:15", "11-02 05:15"]),
        # a change by half an hour, 02:00 is 02:30 and back
        ("15 2 * * *", LORD_HOWE, "2026-10-03T12:00+10:30", ["10-03 15:45", "10-04 15:15"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04T12:00+11:00", ["04-04 14:45", "04-05 15:15"]),
        ("45 * * * *", LORD_HOWE, "2026-04-05T01:00+11:00", ["04-04 14:45", "04-04 15:15", "04-04 16:15"]),
        # a change at midnight: the day has no 00:00, and Node leaves it out
        ("@daily", CAIRO, "2026-04-23T12:00+02:00", ["04-23 22:00", "04-24 21:00"]),
    ],
)
def test_the_days_on_which_clocks_change(pattern: str, zone: str, after: str, expected: list[str]) -> None:
    """Once a day, by wall time; every hour if the pattern has all hours."""
    assert expected == due(pattern, zone, after, len(expected))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("@minutely", "01-01 00:01"),
        ("@weekdays", "01-02 00:00"),
        ("@weekends", "01-03 00:00"),
        ("@yearly", "01-01 00:00"),
        ("0 9 * * 5L", "01-30 09:00"),
        ("0 9 * * FRI#2", "01-09 09:00"),
        ("0 9 L * *", "01-31 09:00"),
        ("0 9 ? * mon", "01-05 09:00"),
        ("0 0 13 * 5", "01-02 00:00"),  # either will do
        ("0 0 */2 * 0", "01-03 00:00"),  # so here, for the field is not `*` alone
        ("9 * * *", "01-01 09:00"),  # hour, day, month, weekday
        ("30 0 9 * * 7", "01-04 09:00"),
    ],
)
def test_patterns_as_node_reads_them(pattern: str, expected: str) -> None:
    """Presets, `L`, `#`, `?`, names, 7 for Sunday, seconds, and fewer fields than five."""
    assert [expected] == due(pattern, "UTC", "2026-01-01T00:00:30+00:00")


@pytest.mark.parametrize(
    ("pattern", "plain"),
    [
        ("H 3 * * *", "0 4 3 * {all} *"),
        ("H H(1-4) * * *", "0 4 1 * {all} *"),
        ("H/20 H H * *", "0 1,21,41 0 3 {all} *"),
    ],
)
def test_a_hashed_field(pattern: str, plain: str) -> None:
    """`H` is the number that Node derives from `hashSeed`, the same each time."""
    assert plain.format(all=",".join(map(str, range(1, 13)))) == parse(pattern, "seed").plain


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("nonsense", "'nonsense' is no day of week"),
        ("0 24 * * *", "24 is no hour: expected 0 to 23"),
        ("٣ * * * *", "has other characters than ASCII's"),
        ("0 9 * * 5-1", "5-1 is no day of week"),
        ("*/0 * * * *", "0-59/0 is no minute"),
        ("0 9 1W * *", "'1W' is no day of month"),
        ("0 9 * * 1,2#3", "expected one day, #"),
        ("0 9 * * L", "'L' is no day of week"),
        ("1 2 3 4 5 6 7", "more than six fields"),
        ("0 0 31 2 *", "there is no such day"),
        ("0 0 30 2 *", "there is no such day"),
        ("* " * 2000, "longer than 1024"),
        ("0 9,, * * *", "'' is no hour"),
    ],
)
def test_patterns_that_node_refuses_are_refused(pattern: str, reason: str) -> None:
    """With the reason, and they never run at some other time."""
    with pytest.raises(PatternError, match=reason):
        next_time(pattern, "UTC", 0.0, "")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "x" * 1000, "utc+99"])
def test_unknown_time_zones_are_refused(zone: str) -> None:
    """An empty one means none."""
    if zone:
        with pytest.raises(PatternError, match="no time zone"):
            next_time("0 9 * * *", zone, 0.0, "")
    else:
        assert 0.0 < next_time("0 9 * * *", zone, 0.0, "")


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("utc", "01-01 09:00"), ("GMT", "01-01 09:00"), ("UTC+3", "01-01 06:00"), ("utc-3:30", "01-01 12:30")],
)
def test_time_zones_as_luxon_names_them(zone: str, expected: str) -> None:
    """Fixed offsets, and names in any case."""
    assert [expected] == due("0 9 * * *", zone, "2026-01-01T00:00+00:00")
    assert due("0 9 * * *", "Europe/Berlin", "2026-01-01T00:00+00:00") == due(
        "0 9 * * *", "EUROPE/berlin", "2026-01-01T00:00+00:00"
    )


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process in Berlin."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize("after", ["2026-03-28T12:00+01:00", "2026-10-24T12:00+02:00", "2026-10-25T02:10+01:00"])
@pytest.mark.parametrize("pattern", ["30 2 * * *", "45 * * * *", "*/20 1-3 * * *", "0 9 * * 1"])
def test_without_a_time_zone_that_of_the_process_holds(pattern: str, after: str) -> None:
    """As in Node; the days on which its clock changes included."""
    assert due(pattern, BERLIN, after, 6) == due(pattern, None, after, 6) == due(pattern, "local", after, 6)


def test_from_the_start_date_to_the_end_date() -> None:
    """None after the end; both dates may be texts or milliseconds."""
    repeat = {"pattern": "0 0 1 * *", "tz": "UTC", "startDate": "2026-05-15T00:00:00Z", "endDate": 1_782_864_000_000}
    first = next_due(0, repeat)
    assert 1_780_272_000_000 == first  # 1 June
    assert 1_782_864_000_000 == next_due(first, repeat)  # 1 July, the end itself
    assert next_due(1_782_864_000_000, repeat) is None


@given(
    minute=st.sampled_from(["0", "30", "*/15", "7,45", "*"]),
    hour=st.sampled_from(["*", "0", "2", "1-3", "2,3", "*/5", "23"]),
    zone=st.sampled_from([BERLIN, ADELAIDE, LORD_HOWE, ST_JOHNS, CAIRO, "America/Santiago", "UTC"]),
    after=st.floats(1_760_000_000, 1_800_000_000),
)
def test_a_time_is_later_and_in_the_pattern(minute: str, hour: str, zone: str, after: float) -> None:
    """In every zone: always later, within a day and a bit, and at a minute of the pattern.

    If the clock skips a due time, it is put off by as much as is skipped.
    """
    moment = next_time(f"{minute} {hour} * * *", zone, after, "")
    assert after < moment <= after + 26 * 3600
    shown = datetime.fromtimestamp(moment, ZoneInfo(zone))
    plain = parse(f"{minute} {hour} * * *", "").plain.split()
    fits = str(shown.minute) in plain[1].split(",") and str(shown.hour) in plain[2].split(",")
    before = datetime.fromtimestamp(moment - 3 * 3600, ZoneInfo(zone))
    assert fits or shown.utcoffset() > before.utcoffset()  # type: ignore[operator]
