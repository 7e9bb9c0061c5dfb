"""The app's uploaded files, in its database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Table, case, literal, or_, true
from sqlmodel import select, update

from storage.errors import NotOwnerError, RowNotFoundError
from storage.identity import has_id
from storage.moment import now_for
from storage.row_state import PROCESSED, PROCESSING, failed, in_order
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.database import Database

UPDATED_AT = "updatedAt"  # an optional column
NO_FILE = "no file has its fileId"


class SqlFiles:
    """The port `Files` over FILE_TABLE."""

    def __init__(self, database: Database) -> None:
        """The database must have been opened with `AppTable.FILE`."""
        self._database = database
        found = database.found(AppTable.FILE)
        self._table, self._owner = found.table, found.columns.get("user_id")

    async def check_owner(self, file_id: str, user_id: str) -> None:
        """Raise RowNotFoundError if there is no such row, NotOwnerError if its `userId` is another user's."""
        # The condition as a number: SQLite has no booleans.
        query = select(case((self._is_theirs(user_id), 1), else_=0)).where(has_id(self._table.c.id, file_id))
        async with self._database.connection() as connection:
            answer = await connection.scalar(query)
        if answer is None:
            raise RowNotFoundError(NO_FILE)
        if not answer:
            msg = "the file with its fileId is another user's"
            raise NotOwnerError(msg)

    async def mark_processing(self, file_id: str) -> None:
        """Clear an earlier failure from the row and set its `status`, if it has the columns."""
        if values := in_order(self._table, PROCESSING):
            await set_columns(self._database, self._table, file_id, values)

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """Set `processed`, and those of `values` whose column exists. Raises RowNotFoundError."""
        known = {name: value for name, value in values.items() if name in self._table.c}
        known |= {**in_order(self._table, PROCESSED), "processed": True}
        if not await set_columns(self._database, self._table, file_id, known):
            raise RowNotFoundError(NO_FILE)

    async def mark_failed(self, file_id: str, user_id: str, reason: str) -> None:
        """Write the failure into the columns that exist. Does nothing if the row is missing or another user's."""
        if values := failed(self._database, self._table, reason):
            await set_columns(self._database, self._table, file_id, values, self._is_theirs(user_id))

    def _is_theirs(self, user_id: str) -> ColumnElement[bool]:
        owner = self._owner
        return true() if owner is None else or_(owner.is_(None), has_id(owner, user_id))


async def set_columns(
    database: Database, table: Table, row_id: str, values: Mapping[str, Any], only: ColumnElement[bool] | None = None
) -> bool:
    """Set columns of one row, unless they have these values already. False if no row has the id and meets `only`.

    A job that runs twice changes its row only once, so `updatedAt` and triggers see one change.
    """
    is_it = has_id(table.c.id, row_id) if only is None else has_id(table.c.id, row_id) & only
    differs = or_(*(table.c[name].is_distinct_from(value) for name, value in values.items()))
    touched = now_for(database, table, UPDATED_AT)
    also = {} if touched is None else {UPDATED_AT: touched}
    statement = update(table).where(is_it, differs).values({**also, **values})
    async with database.connection(writes=True) as connection:
        if (await connection.execute(statement)).rowcount:
            return True
        return await connection.scalar(select(literal(1)).select_from(table).where(is_it)) is not None
