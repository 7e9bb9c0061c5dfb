"""The app's uploaded files, in its database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Table, update

from storage.errors import RowNotFoundError
from storage.identity import has_id
from storage.tables import AppTable

if TYPE_CHECKING:
    from storage.database import Database

UPDATED_AT = "updatedAt"


class SqlFiles:
    """The port `Files` over the table that the app calls `File`."""

    def __init__(self, database: Database) -> None:
        """Take a database that was opened with `AppTable.FILE`."""
        self._database = database
        self._table = database.table(AppTable.FILE)

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """Set `processed`, and those of `values` whose column exists; RowNotFoundError if there is no such file."""
        known = {name: value for name, value in values.items() if name in self._table.c}
        row = {**_touched(self._table), **known, "processed": True}
        statement = update(self._table).where(has_id(self._table.c.id, file_id)).values(row)
        async with self._database.connection() as connection:
            result = await connection.execute(statement)
        if result.rowcount == 0:
            msg = f"no file has the id {file_id[:100]!r}"
            raise RowNotFoundError(msg)


def _touched(table: Table) -> dict[str, datetime]:
    """Prisma's client sets `@updatedAt`, the database doesn't; Prisma's timestamps without a zone are in UTC."""
    column = table.c.get(UPDATED_AT)
    if column is None or not isinstance(column.type, DateTime):
        return {}
    now = datetime.now(UTC)
    return {UPDATED_AT: now if column.type.timezone else now.replace(tzinfo=None)}
