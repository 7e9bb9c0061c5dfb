"""The app's uploaded files, in its database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Table, case, literal, or_, select, true, update

from storage.errors import NotOwnerError, RowNotFoundError
from storage.identity import has_id
from storage.tables import AppTable

if TYPE_CHECKING:
    from storage.database import Database

OWNER, UPDATED_AT = "userId", "updatedAt"  # optional columns
NO_FILE = "no file has its fileId"


class SqlFiles:
    """The port `Files` over the table that the app calls `File`."""

    def __init__(self, database: Database) -> None:
        """Take a database that was opened with `AppTable.FILE`."""
        self._database = database
        self._table = database.table(AppTable.FILE)

    async def check_owner(self, file_id: str, user_id: str) -> None:
        """Raise RowNotFoundError if there is no such row, NotOwnerError if its `userId` is another one's."""
        owner = self._table.c.get(OWNER)
        is_theirs = true() if owner is None else or_(owner.is_(None), has_id(owner, user_id))
        # The condition as a number: SQLite has no truth values.
        query = select(case((is_theirs, 1), else_=0)).where(has_id(self._table.c.id, file_id))
        async with self._database.connection() as connection:
            answer = await connection.scalar(query)
        if answer is None:
            raise RowNotFoundError(NO_FILE)
        if not answer:
            msg = "the file with its fileId is another user's"
            raise NotOwnerError(msg)

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """Set `processed`, and those of `values` whose column exists; RowNotFoundError if there is no such file."""
        known = {name: value for name, value in values.items() if name in self._table.c}
        if not await set_columns(self._database, self._table, file_id, {**known, "processed": True}):
            raise RowNotFoundError(NO_FILE)


async def set_columns(database: Database, table: Table, row_id: str, values: dict[str, Any]) -> bool:
    """Set columns of one row, unless they have these values already; False if there is no such row.

    A job that runs twice changes its row once: what looks for changes (`updatedAt`, triggers) sees one.
    """
    is_it = has_id(table.c.id, row_id)
    differs = or_(*(table.c[name].is_distinct_from(value) for name, value in values.items()))
    statement = update(table).where(is_it, differs).values({**_touched(table), **values})
    async with database.connection(writes=True) as connection:
        if (await connection.execute(statement)).rowcount:
            return True
        return await connection.scalar(select(literal(1)).select_from(table).where(is_it)) is not None


def _touched(table: Table) -> dict[str, datetime]:
    """Prisma's client sets `@updatedAt`, the database doesn't; Prisma's timestamps without a zone are in UTC."""
    column = table.c.get(UPDATED_AT)
    if column is None or not isinstance(column.type, DateTime):
        return {}
    now = datetime.now(UTC)
    return {UPDATED_AT: now if column.type.timezone else now.replace(tzinfo=None)}
