"""The users' locales: a column of the app's table of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from storage.cells import LONGEST_LOCALE, as_text
from storage.errors import SchemaError
from storage.identity import as_id, id_type
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Collection

    from storage.database import Database


class SqlLocales:
    """The port `Locales` over PUSH_LOCALE_TABLE."""

    def __init__(self, database: Database, column: str) -> None:
        """The database must have been opened with `AppTable.LOCALE`. Raises SchemaError if the column is missing."""
        self._database = database
        found = database.found(AppTable.LOCALE)
        self._id = found.columns["id"]
        if column not in found.table.c:
            msg = f'PUSH_LOCALE_COLUMN: table "{found.table.name}" has no column "{column}"'
            raise SchemaError(msg)
        self._locale = as_text(found.table.c[column], LONGEST_LOCALE)

    async def of_users(self, user_ids: Collection[str]) -> dict[str, str]:
        """User -> locale, of those of the users that have one."""
        values = [value for value in (as_id(self._id, each) for each in user_ids) if value is not None]
        users = self._id.in_(bindparam(None, values, type_=id_type(self._id), expanding=True))
        async with self._database.connection() as connection:
            rows = await connection.execute(select(self._id, self._locale).where(users))
            return {str(user): locale for user, locale in rows if locale}
