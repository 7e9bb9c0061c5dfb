"""The current time in the form of the app's tables: Prisma's client sets `@updatedAt`, not the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, DateTime, Text, case, func, literal

if TYPE_CHECKING:
    from sqlalchemy import Table

    from storage.database import Database


def now_for(database: Database, table: Table, name: str) -> Any:
    """The value for the column `name`; None if the table has no such column of dates and times.

    Prisma's timestamps without a zone are UTC. On SQLite Prisma writes text (`2026-11-29T09:46:34.089+00:00`), or
    milliseconds up to Prisma 6 and if its adapter is configured so. SQLite compares text only with text, so the value
    takes the form that the row's other dates have.
    """
    column = table.c.get(name)
    if column is None or not isinstance(column.type, DateTime):
        return None
    now = datetime.now(UTC)
    if database.is_sqlite:
        return _as_the_row_has_it(table, now)
    return now if column.type.timezone else now.replace(tzinfo=None)


def _as_the_row_has_it(table: Table, now: datetime) -> Any:
    form = func.typeof(func.coalesce(None, *(column for column in table.c if isinstance(column.type, DateTime))))
    milliseconds = literal(int(now.timestamp() * 1000), BigInteger())
    return case((form == "integer", milliseconds), else_=literal(now.isoformat(timespec="milliseconds"), Text()))
