"""The rows of a view `cache_<name>` as one JSON array, for the app's cache. Cells are written as those for search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, Select, Table, case, func, literal, literal_column, select
from sqlalchemy.sql.elements import quoted_name

from storage.bounded import bounded
from storage.errors import SchemaError
from storage.search_cells import dumped, from_sqlite, in_postgres
from storage.search_view import columns_of, quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, ColumnElement

    from storage.database import Database

PREFIX = "cache_"


class SqlCacheViews:
    """The port `CacheViews`. A view is looked up each time, so a new one needs no restart."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, name: str, most: int) -> str | None:
        """Postgres makes the array itself, and sends none that is too large."""
        async with self._database.connection() as connection:
            columns = await connection.run_sync(columns_of, PREFIX + name, self._database.schema)
        if not columns:
            msg = f'there is no view "{PREFIX}{name}": the app\'s migrations make those that may be cached'
            raise SchemaError(msg)
        if self._database.is_sqlite:
            return await self._of_sqlite(name, columns, most)
        async with bounded(self._database, writes=False) as connection:
            found: str | None = await connection.scalar(self._array(name, columns, most))
            return found

    def _array(self, view: str, columns: Sequence[Column[Any]], most: int) -> Select[Any]:
        names = [(quoted(column.name), column.type) for column in columns]
        cells = ", ".join(f"{in_postgres(f'v.{name}', kind)} AS {name}" for name, kind in names)
        # The names are quoted, and no value is in it.
        row = f"(SELECT row_to_json(d.*)::text FROM (SELECT {cells}) AS d)"  # noqa: S608
        found = select(literal_column(row).label("row")).select_from(self._view(view, columns)).subquery("found")
        # With the rows before it: beyond `most` none is joined, or a large view would fill the database's memory.
        so_far = func.sum(func.octet_length(found.c.row) + 1).over(rows=(None, 0))
        sized = select(found.c.row, so_far.label("size")).subquery("sized")
        fits = sized.c.size < literal(most)
        joined = func.concat("[", func.string_agg(sized.c.row, literal_column("','")).filter(fits), "]")
        return select(case((func.coalesce(func.bool_and(fits), literal_column("true")), joined)))

    async def _of_sqlite(self, name: str, columns: Sequence[Column[Any]], most: int) -> str | None:
        # No type: SQLAlchemy would read dates, and fail on others.
        cells: list[ColumnElement[Any]] = [literal_column(f"v.{quoted(column.name)}") for column in columns]
        rows, size = [], 1
        async with bounded(self._database, writes=False) as connection:
            async for row in await connection.stream(select(*cells).select_from(self._view(name, columns))):
                found = zip(columns, row, strict=True)
                rows.append(dumped({column.name: from_sqlite(cell, column.type) for column, cell in found}))
                size += len(rows[-1]) + 1
                if size > most:
                    return None
        return f"[{','.join(rows)}]"

    def _view(self, name: str, columns: Sequence[Column[Any]]) -> Any:
        view = quoted_name(PREFIX + name, quote=True)
        return Table(view, MetaData(), *columns, schema=self._database.schema).alias("v")
