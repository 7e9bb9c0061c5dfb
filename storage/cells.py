"""Read the cells of rows so that a bad value in one row can't fail the others of its query.

Postgres has dates and numbers that Python lacks (`infinity`, years before Christ, NaN), and SQLite keeps any value in
any column. A driver that reads such a value fails all rows of its query. So queries ask for cells as text of limited
length, or as a number, and the functions below read them without raising.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ColumnElement, DateTime, Double, LargeBinary, Text, cast, extract, func, literal_column

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 8192  # characters: an endpoint may have 2,048, and pages of rows must fit into memory
LONGEST_MOMENT, LONGEST_LOCALE = 64, 100  # characters
# Seconds since the epoch, in 2015: no browser had web push before. An earlier value was stored in seconds or days
# instead of milliseconds, or is no time. It must not prune a row.
FIRST_PUSH = 1_420_070_400.0
LAST = 8_640_000_000_000.0  # seconds since the epoch: the last date of JavaScript
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}.*")


def as_cell(column: Column[Any]) -> ColumnElement[Any]:
    """The beginning of a cell: bytes if the column has bytes, else text."""
    return _beginning(column, LONGEST) if isinstance(column.type, LargeBinary) else as_text(column)


def as_text(column: Column[Any], longest: int = LONGEST) -> ColumnElement[Any]:
    """The beginning of a cell as text."""
    return _beginning(cast(column, Text()), longest)


def _beginning(column: ColumnElement[Any], longest: int) -> ColumnElement[Any]:
    return func.substr(column, literal_column("1"), literal_column(str(longest)), type_=column.type)


def as_moment(column: Column[Any], *, in_sqlite: bool) -> ColumnElement[Any]:
    """A cell for `moment`: a date of Postgres as seconds since the epoch, everything else as text."""
    if not in_sqlite and isinstance(column.type, DateTime):
        return cast(extract("epoch", column), Double)
    return as_text(column, LONGEST_MOMENT)


def text(value: Any) -> str:
    """The value as text; empty for NULL."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


def key(value: Any) -> str:
    """A key in the form of browsers: bytes become base64url."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode() if isinstance(value, bytes) else text(value)


def mapping(value: Any) -> Mapping[str, Any]:
    """A JSON object, also from a text of JSON. Empty for anything else."""
    for _ in range(2):
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return {}
    return value if isinstance(value, dict) else {}


def moment(value: Any) -> float | None:
    """A time from FIRST_PUSH on, in seconds since the epoch; None for anything else.

    A float has seconds, as `as_moment` asks for. A text has milliseconds since the epoch, or an ISO date (UTC if it has
    no zone), as Prisma and browsers write them.
    """
    seconds = _seconds(value.strip()) if isinstance(value, str) else value
    return seconds if isinstance(seconds, float) and FIRST_PUSH <= seconds <= LAST else None


def _seconds(written: str) -> float | None:
    if _NUMBER.fullmatch(written):
        return float(written) / 1000
    if _DATE.fullmatch(written) is None:
        return None
    try:
        date = datetime.fromisoformat(written)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
