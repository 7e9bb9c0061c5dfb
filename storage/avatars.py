"""The app's avatars: a column of the table of users, if the app has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.errors import RowNotFoundError, SchemaError
from storage.files import set_columns
from storage.tables import AppTable

if TYPE_CHECKING:
    from storage.database import Database


class SqlAvatars:
    """The port `Avatars` over AVATAR_TABLE."""

    def __init__(self, database: Database, column: str) -> None:
        """The database must have been opened with `AppTable.AVATAR`. Raises SchemaError if the column is missing."""
        self._database = database
        self._table = database.found(AppTable.AVATAR).table
        self._column = column
        if column not in self._table.c:
            msg = f'AVATAR_COLUMN: table "{self._table.name}" has no column "{column}"'
            raise SchemaError(msg)

    async def update(self, user_id: str, url: str) -> None:
        """Set the user's avatar. Raises RowNotFoundError if there is no such user."""
        if not await set_columns(self._database, self._table, user_id, {self._column: url}):
            msg = "no user has its userId"
            raise RowNotFoundError(msg)


class NoAvatars:
    """The port `Avatars` for an app without such a column: it reads the job's result instead."""

    async def update(self, user_id: str, url: str) -> None:
        """Do nothing."""
