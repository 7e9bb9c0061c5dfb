"""What a row holds, read so that no value of one row can fail a statement that others share.

Postgres has dates and numbers that Python has not (`infinity`, years before Christ, NaN), SQLite keeps anything in any
column, and a driver that meets such a value fails all rows of its query. So cells are asked for as text of a bounded
length, or as a number, and are read here, by functions that raise for no value.
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

LONGEST = 8192  # characters: an endpoint may have 2,048, what is around it is short, and pages must fit into the memory
LONGEST_MOMENT = 64  # characters
# Seconds since the epoch, in 2015, when the first browser learnt to push. What is before was stored as seconds or days
# and not as milliseconds, or is no time. Nobody is pruned for that.
FIRST_PUSH = 1_420_070_400.0
LAST = 8_640_000_000_000.0  # seconds since the epoch: the last moment that JavaScript has
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}.*")


def as_cell(column: Column[Any]) -> ColumnElement[Any]:
    """The beginning of a cell: bytes of a column of bytes, and text of any other."""
    return _beginning(column, LONGEST) if isinstance(column.type, LargeBinary) else as_text(column)


def as_text(column: Column[Any], longest: int = LONGEST) -> ColumnElement[Any]:
    """The beginning of a cell as text."""
    return _beginning(cast(column, Text()), longest)


def _beginning(column: ColumnElement[Any], longest: int) -> ColumnElement[Any]:
    return func.substr(column, literal_column("1"), literal_column(str(longest)), type_=column.type)


def as_moment(column: Column[Any], *, in_sqlite: bool) -> ColumnElement[Any]:
    """A cell that `moment` reads: a date of Postgres as seconds since the epoch, and anything else as text."""
    if not in_sqlite and isinstance(column.type, DateTime):
        return cast(extract("epoch", column), Double)
    return as_text(column, LONGEST_MOMENT)


def text(value: Any) -> str:
    """A text; empty for NULL."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return "" if value is None else str(value)


def key(value: Any) -> str:
    """A key as browsers write it: bytes in base64url."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode() if isinstance(value, bytes) else text(value)


def mapping(value: Any) -> Mapping[str, Any]:
    """An object of JSON, also one that was written as a text of JSON; empty for anything else."""
    for _ in range(2):
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return {}
    return value if isinstance(value, dict) else {}


def moment(value: Any) -> float | None:
    """A time since browsers learnt to push, in seconds since the epoch; None for anything else.

    A float is in seconds, as `as_moment` asks for it. A text has milliseconds since the epoch, or a date in ISO's form
    (UTC where it has no zone), as Prisma and browsers write them.
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
