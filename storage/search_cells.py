"""Cells of a view for search as JSON: what Postgres is asked for, and what is made of SQLite's values.

Dates are UTC in ISO 8601 with milliseconds, bytes are base64, and what JSON lacks is null: NaN, infinity, and dates
outside of the years 1 to 9999. A number that JavaScript would round is a text.
"""

from __future__ import annotations

import base64
import json
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Date, DateTime, Float, Integer, LargeBinary, Numeric
from sqlalchemy.types import JSON

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

MAX_WHOLE = 2**53 - 1  # JavaScript's Number.MAX_SAFE_INTEGER
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS = 1_000_000
_HAS_YEAR = "{0} BETWEEN '0001-01-01' AND '9999-12-31'"
_UTC = """to_char({0}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
_IS_FINITE = "{0}::text NOT IN ('NaN', 'Infinity', '-Infinity')"
IS_SAFE = f"abs({{0}}::numeric) <= {MAX_WHOLE}"
IS_EXACT = "abs({0}) < 1e15 AND round({0}, 15) = {0} AND {0}::float8::numeric = {0}"
_DECIMAL = f"CASE WHEN {IS_EXACT} THEN to_json(trim_scale({{0}})) ELSE to_json({{0}}::text) END"
# The SQL of a cell by the type of its column; a DATE is no DateTime, and a Float is a Numeric.
_POSTGRES: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (DateTime, f"CASE WHEN {_HAS_YEAR} THEN {_UTC} END"),
    (Date, f"CASE WHEN {_HAS_YEAR} THEN {{0}} END"),
    (LargeBinary, "translate(encode({0}, 'base64'), E'\\n', '')"),
    (Integer, f"CASE WHEN {IS_SAFE} THEN to_json({{0}}) ELSE to_json({{0}}::text) END"),
    (Float, f"CASE WHEN {_IS_FINITE} THEN {{0}} END"),
    (Numeric, f"CASE WHEN {_IS_FINITE} THEN {_DECIMAL} END"),
)


def in_postgres(cell: str, kind: TypeEngine[Any]) -> str:
    """The SQL that gives a cell to `row_to_json`; `cell` is SQL, too."""
    if isinstance(kind, DateTime) and kind.timezone:
        cell = f"({cell} AT TIME ZONE 'UTC')"
    templates = (template for types, template in _POSTGRES if isinstance(kind, types))
    # No `format`: the name of a column may have braces.
    return next(templates, "{0}").replace("{0}", cell)


def version_in_postgres(cell: str, kind: TypeEngine[Any]) -> str | None:
    """The SQL of a row's version: a whole number, or a date in microseconds; None if the column has neither."""
    match kind:
        case Integer():
            return f"{cell}::bigint"
        case DateTime():
            has_year = _HAS_YEAR.replace("{0}", cell)
            return f"CASE WHEN {has_year} THEN (extract(epoch FROM {cell}) * {MICROSECONDS})::bigint END"
    return None


def from_sqlite(value: Any, kind: TypeEngine[Any]) -> Any:
    """SQLite's value as JSON data. Never raises: a value that its column should not have stays as it is."""
    if value is None:
        return None
    match kind:
        case DateTime():
            written = moment(value)
            return value if written is None else written.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Boolean():
            return bool(value) if value in {0, 1} else value
        case JSON():
            return _parsed(value)
    return _plain(value)


def moment(value: Any) -> datetime | None:
    """A date as Prisma writes it: text in ISO 8601, or milliseconds since the epoch; None for anything else."""
    try:
        if isinstance(value, int | float):
            return EPOCH + timedelta(milliseconds=value)
        written = datetime.fromisoformat(value)
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def version_from_sqlite(value: Any, kind: TypeEngine[Any]) -> int | None:
    """A row's version: as `version_in_postgres` says."""
    if isinstance(kind, DateTime):
        written = moment(value)
        return None if written is None else (written - EPOCH) // timedelta(microseconds=1)
    return value if isinstance(value, int) else None


def dumped(document: Any) -> str:
    """The JSON text, in one line and without anything that is not ASCII. Raises ValueError, RecursionError."""
    return json.dumps(document, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value) if isinstance(value, int) and abs(value) > MAX_WHOLE else value


def _parsed(value: Any) -> Any:
    try:
        found = json.loads(value, parse_constant=lambda _: None)
        dumped(found)
    except (ValueError, TypeError, RecursionError):
        return _plain(value)
    return found
