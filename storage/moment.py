"""The current time in the form of the app's tables: Prisma's client sets `@updatedAt`, not the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, DateTime, Text, case, func, literal, select

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table

    from storage.database import Database


def now_for(database: Database, table: Table, name: str, after: float = 0.0) -> Any:
    """The time `after` seconds from now for the column `name`; None if the table has no such column of dates and times.

    Prisma's timestamps without a zone are UTC. On SQLite Prisma writes text (`2026-11-29T09:46:34.089+00:00`), or
    milliseconds up to Prisma 6 and if its adapter is configured so. SQLite compares text only with text, so the value
    takes the form that the row's other dates have.
    """
    column = table.c.get(name)
    if column is None or not isinstance(column.type, DateTime):
        return None
    form = _form(table)
    return _written(database, table, name, datetime.now(UTC) + timedelta(seconds=after), form)


def new_row_moment(database: Database, table: Table, name: str, after: float = 0.0) -> Any:
    """The time `after` seconds from now, for the column `name` of a new row; as `now_for` in all else.

    On SQLite it takes the form that dates have in some other row.
    """
    column = table.c.get(name)
    if column is None or not isinstance(column.type, DateTime):
        return None
    form = select(_form(table)).select_from(table).limit(1).scalar_subquery()
    return _written(database, table, name, datetime.now(UTC) + timedelta(seconds=after), form)


def _form(table: Table) -> ColumnElement[Any]:
    """The type of a row's dates in SQLite."""
    return func.typeof(func.coalesce(None, *(column for column in table.c if isinstance(column.type, DateTime))))


def _written(database: Database, table: Table, name: str, moment: datetime, form: ColumnElement[Any]) -> Any:
    if database.is_sqlite:
        milliseconds = literal(int(moment.timestamp() * 1000), BigInteger())
        return case((form == "integer", milliseconds), else_=literal(moment.isoformat(timespec="milliseconds"), Text()))
    return moment if table.c[name].type.timezone else moment.replace(tzinfo=None)  # type: ignore[attr-defined]  # a date
