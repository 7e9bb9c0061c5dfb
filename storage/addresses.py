"""The users' e-mail addresses: a column of the app's table of users, if it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from storage.cells import as_text
from storage.errors import SchemaError
from storage.identity import as_id, id_type
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.database import Database

LONGEST = 320  # characters of an address


class SqlAddresses:
    """The port `Addresses` over NOTIFICATION_USER_TABLE."""

    def __init__(self, database: Database, column: str) -> None:
        """The database must have been opened with `AppTable.NOTIFICATION_USER`. Raises SchemaError without `column`."""
        self._database = database
        table = database.found(AppTable.NOTIFICATION_USER).table
        if column not in table.c:
            msg = f'NOTIFICATION_EMAIL_COLUMN: table "{table.name}" has no column "{column}"'
            raise SchemaError(msg)
        self._id = table.c.id
        self._all = select(self._id, as_text(table.c[column], LONGEST)).where(table.c[column].is_not(None))

    async def of(self, user_ids: Sequence[str]) -> dict[str, str]:
        """The addresses of these users; users without one are left out."""
        users = {as_id(self._id, user): user for user in user_ids}
        among = bindparam(
            None, [value for value in users if value is not None], type_=id_type(self._id), expanding=True
        )
        async with self._database.connection() as connection:
            rows = (await connection.execute(self._all.where(self._id.in_(among)))).all()
        return {users[row_id]: address for row_id, address in rows if row_id in users and address}


class NoAddresses:
    """The port `Addresses` for an app that gives each address in the job."""

    async def of(self, user_ids: Sequence[str]) -> dict[str, str]:
        """None."""
        return dict.fromkeys(user_ids[:0], "")
