"""Reading cells that may hold anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.cells import FIRST_PUSH, LAST, moment


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1798011501234", 1_798_011_501.234),  # not the year 1798
        ("1798011501234.5", 1_798_011_501.2345),
        ("1.798011501234e+12", 1_798_011_501.234),
        (" 1798011501234 ", 1_798_011_501.234),
        ("1500000000000", 1_500_000_000.0),
        ("2027-01-15T08:00:00.000Z", 1_800_000_000.0),
        ("2027-01-15 09:00:00+01", 1_800_000_000.0),
        ("2027-01-15 08:00:00", 1_800_000_000.0),
        (1_800_000_000.0, 1_800_000_000.0),
    ],
)
def test_a_moment(value: str | float, seconds: float) -> None:
    """As browsers and Prisma write it."""
    assert seconds == pytest.approx(moment(value))


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "null", "soon", "true", "[]", "{}", '"2027-01-15T08:00:00Z"', "{1798011501234}", "2027-01-15"),
        *("0", "-1", "-1798011501234", "1798011501", "20270115", "2027011508", "9" * 400, "1e999", "-1e999"),
        *("NaN", "Infinity", "-Infinity", "infinity", "nan", "1_798_011_501_234", "١٧٩٨٠١١٥٠١٢٣٤", "0x1a2b3c4d5e6f"),
        *("0001-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "1798-01-15T00:00:00Z", "1970-01-01T00:00:00Z"),
        *("2027-13-45T99:99:99Z", "2027-01-15T08:00:00\n2030-01-01T00:00:00", "2027-01-15 08:00 BC", "\0"),
        *(float("nan"), float("inf"), float("-inf"), -1.0, 0.0, FIRST_PUSH - 1, LAST + 1),
    ],
)
def test_a_malformed_time_is_ignored(value: str | float | None) -> None:
    """No row is pruned for it: seconds, a date before browsers could push, or other nonsense."""
    assert moment(value) is None


@given(st.one_of(st.none(), st.floats(), st.text(), st.from_regex(r"[0-9+\-T:. eEZ]{1,30}", fullmatch=True)))
def test_no_value_raises(value: str | float | None) -> None:
    """The result is a time that a browser may have given, or none."""
    read = moment(value)

    assert read is None or FIRST_PUSH <= read <= LAST
