"""A text of each user, such as the locale or the e-mail address: a column of the app's table of users."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from storage.cells import as_text
from storage.errors import SchemaError
from storage.identity import as_id, id_type

if TYPE_CHECKING:
    from collections.abc import Collection

    from storage.database import Database
    from storage.tables import AppTable

LONGEST = 320  # characters: what an address may have


class SqlUserTexts:
    """The port `UserTexts` over a table of users."""

    def __init__(self, database: Database, table: AppTable, column: str, setting: str) -> None:
        """The database must have been opened with `table`. `setting` names the column.

        Raises SchemaError if the table has no such column.
        """
        self._database = database
        found = database.found(table)
        self._id = found.columns["id"]
        if column not in found.table.c:
            msg = f'{setting}: table "{found.table.name}" has no column "{column}"'
            raise SchemaError(msg)
        self._text = as_text(found.table.c[column], LONGEST)

    async def of_users(self, user_ids: Collection[str]) -> dict[str, str]:
        """User -> text, of those of the users that have one."""
        users = {value: user for user in user_ids if (value := as_id(self._id, user)) is not None}
        among = self._id.in_(bindparam(None, list(users), type_=id_type(self._id), expanding=True))
        async with self._database.connection() as connection:
            rows = await connection.execute(select(self._id, self._text).where(among))
            return {users[user]: text for user, text in rows if text and user in users}
