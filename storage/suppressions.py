"""The addresses that the app does not write to, in its database."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, String, Uuid, null, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.cells import as_moment, as_text, moment
from storage.moment import new_row_moment
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.database import Database

KEPT = 30 * 24 * 3600.0  # seconds for which an address that has bounced is left alone: mailboxes are opened again
ID, REASON, CREATED_AT, EXPIRES_AT = "id", "reason", "createdAt", "expiresAt"


class SqlSuppressions:
    """The port `Suppressions` over EMAIL_SUPPRESSION_TABLE: a row counts until its `expiresAt`, if it has one."""

    def __init__(self, database: Database) -> None:
        """The database must have been opened with `AppTable.EMAIL_SUPPRESSION`."""
        self._database = database
        found = database.found(AppTable.EMAIL_SUPPRESSION)
        self._table, self._address = found.table, found.columns["id"]
        end = found.columns.get("expires_at")
        self._end = null() if end is None else as_moment(end, in_sqlite=database.is_sqlite)

    async def among(self, addresses: Sequence[str]) -> set[str]:
        """Those of the addresses that have a row which counts."""
        storable = [address for address in addresses if "\0" not in address]
        query = select(as_text(self._address), self._end).where(self._address.in_(storable))
        async with self._database.connection() as connection:
            rows = await connection.execute(query)
        now = time.time()
        return {address.lower() for address, end in rows if end is None or (moment(end) or now + 1) > now}

    async def add(self, address: str, reason: str) -> None:
        """Renew the address's row, or insert one, with the columns that the table has."""
        values = self._values(reason)
        has_row = update(self._table).where(self._address == address).values(values or {self._address.name: address})
        async with self._database.connection(writes=True) as connection:
            if (await connection.execute(has_row)).rowcount:
                return
            new = {**self._new_id(), **values, self._address.name: address}
            kind = sqlite if self._database.is_sqlite else postgresql
            await connection.execute(kind.insert(self._table).values(new).on_conflict_do_nothing())

    def _values(self, reason: str) -> dict[str, Any]:
        text = self._table.c.get(REASON)
        words = {REASON: reason[: text.type.length]} if text is not None and isinstance(text.type, String) else {}
        times = {CREATED_AT: 0.0, EXPIRES_AT: KEPT}
        made = {name: new_row_moment(self._database, self._table, name, after) for name, after in times.items()}
        return {**words, **{name: value for name, value in made.items() if value is not None}}

    def _new_id(self) -> dict[str, Any]:
        """An id, if the table has such a column and it is no number, which the database counts itself."""
        column: Column[Any] | None = self._table.c.get(ID)
        if column is None or column is self._address or not isinstance(column.type, String | Uuid):
            return {}
        made = uuid.uuid4()
        return {ID: made if isinstance(column.type, Uuid) else str(made)}


class NoSuppressions:
    """The port `Suppressions` for an app without such a table."""

    async def among(self, _addresses: Sequence[str]) -> set[str]:
        """None of them."""
        return set()

    async def add(self, address: str, reason: str) -> None:
        """Do nothing."""
