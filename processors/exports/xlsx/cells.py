"""What a value of Postgres becomes in a sheet: a number, a date, or text where Excel would change it. Pure.

Excel keeps 15 digits, and dates from March 1900 to 9999. All that it can't hold is written as text, with each digit.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from processors.exports.xlsx.styles import DATE, MILLISECONDS, SCALE, SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_TEXT = 32_767  # of UTF-16, in a cell
DIGITS = 15
SMALLEST, LARGEST = 2.2250738585072014e-308, 9.99999999999999e307  # the absolute values of Excel's numbers
EPOCH = date(1899, 12, 30).toordinal()  # day 0, as Excel counts from March 1900 on
FIRST_DAY = 61  # 1 March 1900: Excel has a 29 February 1900, so the days before it have other numbers
DAY = 86_400_000_000  # microseconds
LAST_SHOWN = DAY - 1000  # a later time of a day is shown as the next day, and no day comes after 9999-12-31

# Of at most DIGITS digits.
INTEGER = re.compile(rf"-?(?:0|[1-9][0-9]{{,{DIGITS - 1}}})")
DECIMAL = re.compile(rf"-?(?!(?:\.?[0-9]){{{DIGITS + 1}}})(?:0|[1-9][0-9]*)(?:\.([0-9]+))?")
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
BOOLEANS = {"t": "1", "true": "1", "f": "0", "false": "0"}  # of the type itself, and of its cast to text

# COPY's text format: https://www.postgresql.org/docs/current/sql-copy.html, "Text Format".
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
CHARACTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# XML has no control characters. A sheet has them as _xHHHH_ (ECMA-376, 22.9.2.19), and so that text as _x005F_xHHHH_.
CODED = re.compile("[\0-\b\v\f\x0e-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
SPECIAL = re.compile("[&<>\\\\\0-\b\v-\x1f\ufffe\uffff]|_x")  # what `_fitting` may change


def content(text: str) -> str:
    """Any text as the content of an element of a sheet."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")
    return CODED.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


class Cells:
    """Writes cells: each method takes a field of COPY's text format, and returns what follows `<c r="A1"`."""

    def __init__(self) -> None:
        self.cut = 0  # texts that were too long for a cell

    def writers(self) -> dict[str, Callable[[str], str]]:
        """The method for each kind of column."""
        return {
            "text": self.text,
            "integer": self.integer,
            "number": self.number,
            "decimal": self.decimal,
            "boolean": self.boolean,
            "date": self.date,
            "timestamp": self.timestamp,
            "timestamptz": self.timestamp,
            "json": self.text,
        }

    def text(self, field: str) -> str:
        """Text, which is never read as a formula, number or link. One that is too long ends with its whole length."""
        if SPECIAL.search(field) or len(field) > LONGEST_TEXT // 2:
            field = self._fitting(field)
        return f' t="inlineStr"><is><t xml:space="preserve">{field}</t></is></c>'

    def _fitting(self, field: str) -> str:
        text = ESCAPED.sub(lambda found: CHARACTERS.get(found[1], found[1]), field) if "\\" in field else field
        if len(text.encode("utf-16-le")) > 2 * LONGEST_TEXT:
            self.cut += 1
            text = shortened(text)
        return content(text)

    def integer(self, field: str) -> str:
        """An integer of at most DIGITS digits."""
        return f"><v>{field}</v></c>" if INTEGER.fullmatch(field) else self.text(field)

    def number(self, field: str) -> str:
        """A floating-point number, of double precision as Excel's. NaN and Infinity are text."""
        if NUMBER.fullmatch(field) and (field.strip("-0.") == "" or SMALLEST <= abs(float(field)) <= LARGEST):
            return f"><v>{field}</v></c>"
        return self.text(field)

    def decimal(self, field: str) -> str:
        """A decimal of at most DIGITS digits. It is shown with as many places as it has."""
        found = DECIMAL.fullmatch(field)
        if found is None:
            return self.text(field)
        return f' s="{SCALE + len(found[1])}"><v>{field}</v></c>' if found[1] else f"><v>{field}</v></c>"

    def boolean(self, field: str) -> str:
        """TRUE or FALSE."""
        value = BOOLEANS.get(field)
        return self.text(field) if value is None else f' t="b"><v>{value}</v></c>'

    def date(self, field: str) -> str:
        """A day."""
        try:
            day = date.fromisoformat(field).toordinal() - EPOCH
        except ValueError:  # infinity, 44-03-15 BC, the year 10000
            return self.text(field)
        return f' s="{DATE}"><v>{day}</v></c>' if day >= FIRST_DAY else self.text(field)

    def timestamp(self, field: str) -> str:
        """A point in time in UTC, shown to the millisecond."""
        try:
            time = datetime.fromisoformat(field)
            if time.tzinfo not in (None, UTC):
                time = time.astimezone(UTC)
        except (ValueError, OverflowError):
            return self.text(field)
        day = time.toordinal() - EPOCH
        if day < FIRST_DAY:
            return self.text(field)
        since_midnight = ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000_000 + time.microsecond
        style = MILLISECONDS if time.microsecond else SECONDS
        return f' s="{style}"><v>{day + min(since_midnight, LAST_SHOWN) / DAY!r}</v></c>'


def shortened(text: str) -> str:
    """The beginning of a text that is too long for a cell, and how long it is."""
    mark = f"… [cut here: it has {len(text):,} characters]"
    begin = text.encode("utf-16-le")[: 2 * (LONGEST_TEXT - len(mark))]
    return begin.decode("utf-16-le", errors="ignore") + mark  # a half of a character goes
