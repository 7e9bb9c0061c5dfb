"""How the row of a file shows the state of its job, in columns that the app may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Enum, String, Text, case, cast, literal

from storage.moment import now_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Column, Table

    from storage.database import Database

ERROR, FAILED_AT, STATUS = "error", "failedAt", "status"
PROCESSING, PROCESSED, FAILED = "processing", "processed", "failed"
# A `status` with another word is the app's own and is not changed.
WORDS = ("pending", PROCESSING, PROCESSED, FAILED)


def in_order(table: Table, status: str) -> Mapping[str, Any]:
    """The columns (name -> value) of a file whose job has the state `status`, other than failed."""
    error, failed_at = _error(table), _failed_at(table)
    values: dict[str, Any] = {} if error is None else {ERROR: None if error.nullable else ""}
    return values | ({} if failed_at is None else {FAILED_AT: None}) | _status(table, status)


def failed(database: Database, table: Table, reason: str) -> Mapping[str, Any]:
    """The columns (name -> value) of a file whose job failed for good. `reason` is cut to the column's length."""
    error, failed_at = _error(table), _failed_at(table)
    values = {} if error is None else {ERROR: reason[: error.type.length]}  # type: ignore[attr-defined]  # it is text
    now = {} if failed_at is None else {FAILED_AT: now_for(database, table, FAILED_AT)}
    return values | now | _status(table, FAILED)


def _error(table: Table) -> Column[Any] | None:
    column = table.c.get(ERROR)
    return (
        column if column is not None and isinstance(column.type, String) and not isinstance(column.type, Enum) else None
    )


def _failed_at(table: Table) -> Column[Any] | None:
    column = table.c.get(FAILED_AT)
    return column if column is not None and isinstance(column.type, DateTime) and column.nullable else None


def _status(table: Table, status: str) -> dict[str, Any]:
    """`status` in capitals if the row's own word is; for an enum, only if it has that word."""
    column = table.c.get(STATUS)
    if column is None or not isinstance(column.type, String):
        return {}
    own = cast(column, Text())
    cases = [
        (own.in_([spell(word) for word in WORDS]), literal(spell(status), Text()))
        for spell in (str.lower, str.upper)
        if not isinstance(column.type, Enum) or spell(status) in column.type.enums
    ]
    return {STATUS: cast(case(*cases, else_=own), column.type)} if cases else {}
