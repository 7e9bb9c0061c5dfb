"""The rows of one table that are old: counted, looked at, and deleted a batch at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, DateTime, Text, delete, func, literal_column, select

from storage.bounded import bounded
from storage.cells import LONGEST_MOMENT, as_text
from storage.errors import SchemaError
from storage.moment import now_for

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Delete, Select

    from storage.database import Database
    from storage.tables import AppTable


class SqlOldRows:
    """The port `OldRows`."""

    def __init__(self, database: Database, table: AppTable) -> None:
        """The database must have been opened with this table. Raises SchemaError if its column has no dates."""
        self._database = database
        found = database.found(table)
        self._table, self._at = found.table, found.columns["at"]
        if not isinstance(self._at.type, DateTime):
            msg = (
                f'DATABASE_URL: the column "{self._at.name}" of the table "{self._table.name}" has no dates; name '
                f"another one in {table.value}"
            )
            raise SchemaError(msg)
        if not database.is_sqlite:
            for name in ("ctid", "tableoid"):
                self._table.append_column(Column(name, Text(), system=True))

    async def count(self, age: float, most: int) -> int:
        """Count no further."""
        found = self._old(age, literal_column("1").label("one")).limit(most).subquery()
        async with bounded(self._database, writes=False) as connection:
            return int(await connection.scalar(select(func.count()).select_from(found)) or 0)

    async def first(self, age: float, limit: int) -> list[str]:
        """Read the times as text: Postgres has some that Python lacks."""
        found = self._old(age, as_text(self._at, LONGEST_MOMENT)).order_by(self._at).limit(limit)
        async with bounded(self._database, writes=False) as connection:
            return [str(moment) for moment in await connection.scalars(found)]

    async def delete(self, age: float, limit: int) -> int:
        """Delete a batch, in a transaction of its own."""
        statement = self._of_sqlite(age, limit) if self._database.is_sqlite else self._of_postgres(age, limit)
        async with bounded(self._database, writes=True) as connection:
            return (await connection.execute(statement)).rowcount

    def _old(self, age: float, *cells: Any) -> Select[Any]:
        before = now_for(self._database, self._table, self._at.name, -age)
        return select(*cells).select_from(self._table).where(self._at < before)

    def _of_postgres(self, age: float, limit: int) -> Delete:
        """By the place of the rows, which is the quickest; partitions have places of their own."""
        columns = self._table.c
        rows = self._old(age, columns.ctid, columns.tableoid).order_by(self._at).limit(limit)
        old = rows.with_for_update(skip_locked=True).subquery("old")
        return delete(self._table).where(columns.ctid == old.c.ctid, columns.tableoid == old.c.tableoid)

    def _of_sqlite(self, age: float, limit: int) -> Delete:
        row: ColumnElement[Any] = literal_column("rowid")
        old = self._old(age, row.label("row")).order_by(self._at).limit(limit).subquery("old")
        return delete(self._table).where(row.in_(select(old.c.row)))
