"""The rows that are to be found by search: from the views `search_<entity>`, which the app's migrations make.

A view is looked up when a job names it, so that a new one needs no restart. Its columns `id`, `version` and `deletedAt`
are read apart; all others are the document.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    ColumnElement,
    DateTime,
    MetaData,
    Select,
    Table,
    and_,
    bindparam,
    case,
    func,
    inspect,
    literal,
    literal_column,
    select,
)
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.sql.elements import quoted_name

from storage.errors import SchemaError, StorageError
from storage.identity import as_id, id_type
from storage.ports import SearchRow, Span
from storage.search_cells import dumped, from_sqlite, in_postgres, version_from_sqlite, version_in_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from storage.database import Database

PREFIX = "search_"
OWN = ("id", "version", "deletedAt")  # columns that are not in the document
KEPT = 60.0  # seconds for which the columns of a view are remembered
LARGEST = 10 * 1024 * 1024  # bytes of a document that is read; no engine takes a larger one
PAGE_BYTES = 16 * 1024 * 1024  # of a page's documents: its last one may go beyond
MAX_VERSION = 2**63 - 1
SECONDS = """CASE typeof(v."updatedAt") WHEN 'integer' THEN v."updatedAt" / 1000.0
    ELSE (julianday(v."updatedAt") - 2440587.5) * 86400 END"""  # since the epoch, in SQLite
ROUNDING = 0.0005  # seconds: SQLite's days are floating-point numbers


class SqlSearchRows:
    """The port `SearchRows` over views of the app's database."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._database = database
        self._clock = clock
        self._views: dict[str, tuple[float, _View]] = {}

    async def with_ids(self, entity: str, ids: Sequence[str]) -> dict[str, SearchRow]:
        """The rows with these ids; rows that are gone are left out."""
        view = await self._view(entity)
        values = {text: as_id(view.id, text) for text in ids}
        asked = [value for value in values.values() if value is not None]
        found = {row.id: row for row in await self._read(entity, view, view.of_ids(asked))} if asked else {}
        return {text: found[str(value)] for text, value in values.items() if str(value) in found}

    async def page(self, entity: str, after: str | None, limit: int, span: Span) -> list[SearchRow]:
        """The next rows by id, `limit` or fewer; none at the end. Raises SchemaError as `count` does."""
        view = await self._view(entity)
        return await self._read(entity, view, view.page(after, limit, span))

    async def count(self, entity: str, span: Span) -> tuple[int, int]:
        """How many rows there are, and how many of them are not marked as deleted. Reads the view's columns anew.

        Raises SchemaError if there is no such view, if it has no `id`, or no `updatedAt` for a span.
        """
        self._views.pop(entity, None)
        view = await self._view(entity)
        query = select(func.count(), func.count().filter(~view.is_deleted)).where(view.within(span))
        async with self._database.connection() as connection:
            rows, live = (await connection.execute(query.select_from(view.source))).one()
        return int(rows), int(live)

    async def _view(self, entity: str) -> _View:
        known = self._views.get(entity)
        if known is not None and self._clock() - known[0] < KEPT:
            return known[1]
        async with self._database.connection() as connection:
            columns = await connection.run_sync(_columns, PREFIX + entity, self._database.schema)
        view = _View(PREFIX + entity, columns, self._database)
        self._views[entity] = self._clock(), view
        return view

    async def _read(self, entity: str, view: _View, query: Select[Any]) -> list[SearchRow]:
        try:
            async with self._database.connection() as connection:
                return [view.read(row) for row in await connection.execute(query)]
        except StorageError:
            self._views.pop(entity, None)  # it may have been made anew
            raise


def _columns(connection: Connection, name: str, schema: str | None) -> list[Column[Any]]:
    try:
        found = inspect(connection).get_columns(name, schema)
    except NoSuchTableError:
        found = []
    return [Column(quoted_name(column["name"], quote=True), column["type"]) for column in found]


class _View:
    """A view as the database has it."""

    def __init__(self, name: str, columns: Sequence[Column[Any]], database: Database) -> None:
        if not columns:
            msg = f'there is no view "{name}": the app\'s migrations make one for each entity'
            raise SchemaError(msg)
        self.source = Table(quoted_name(name, quote=True), MetaData(), *columns, schema=database.schema).alias("v")
        self._name, self._in_sqlite = name, database.is_sqlite
        self._kinds = {column.name: column.type for column in columns}
        if "id" not in self._kinds:
            msg = f'the view "{name}" has no column "id"'
            raise SchemaError(msg)
        self.id = self.source.c["id"]
        deleted = self.source.c.get("deletedAt")
        self.is_deleted: ColumnElement[bool] = literal_column("1 = 0") if deleted is None else deleted.is_not(None)
        self._wanted = self._of_sqlite() if self._in_sqlite else self._of_postgres()

    def of_ids(self, ids: Sequence[Any]) -> Select[Any]:
        """The rows with these ids."""
        among = bindparam(None, ids, type_=id_type(self.id), expanding=True)
        found = self._rows().where(self.id.in_(among))
        return found if self._in_sqlite else self._measured(found.offset(0))  # which keeps Postgres from merging it

    def page(self, after: str | None, limit: int, span: Span) -> Select[Any]:
        """The first rows after the id, as many as fit into memory together, and at most `limit`."""
        query = self._rows().where(self.within(span)).order_by(self.id).limit(limit)
        if after is not None:
            query = query.where(self.id > literal(as_id(self.id, after), id_type(self.id)))
        return query if self._in_sqlite else self._measured(query, PAGE_BYTES)

    def within(self, span: Span) -> ColumnElement[bool]:
        """The condition that `updatedAt` is in the span."""
        bounds = [(edge, is_end) for edge, is_end in ((span.start, False), (span.end, True)) if edge is not None]
        if not bounds:
            return literal_column("1 = 1")
        column = self.source.c.get("updatedAt")
        if column is None or not isinstance(column.type, DateTime):
            msg = f'from and to need dates in a column "updatedAt" of the view "{self._name}"'
            raise SchemaError(msg)
        return and_(*(self._compared(column, edge, is_end=is_end) for edge, is_end in bounds))

    def read(self, row: Sequence[Any]) -> SearchRow:
        """The row of a result."""
        if self._in_sqlite:
            return self._read_sqlite(row)
        row_id, version, is_deleted, document, size = row
        if is_deleted:
            return SearchRow(str(row_id), None, _fit(version), is_deleted=True)
        return SearchRow(str(row_id), None if document is None else _in_one_line(document), _fit(version), size)

    def _rows(self) -> Select[Any]:
        return select(*self._wanted).select_from(self.source).where(self.id.is_not(None))

    @staticmethod
    def _measured(rows: Select[Any], most: int | None = None) -> Select[Any]:
        """These rows with the size of their documents, and without those that are too large.

        `most`: only the first ones, until their documents have so many bytes.
        """
        found = rows.subquery("p")
        size = func.coalesce(func.octet_length(found.c.document), literal_column("0"))
        before = func.sum(size).over(order_by=found.c.id) - size
        measured = select(found, size.label("size"), before.label("before")).subquery("q")
        fit = case((measured.c.size <= literal_column(str(LARGEST)), measured.c.document))
        columns = measured.c
        query = select(columns.id, columns.version, columns.is_deleted, fit, columns.size).order_by(columns.id)
        return query if most is None else query.where(columns.before < literal_column(str(most)))

    def _of_postgres(self) -> list[ColumnElement[Any]]:
        version: str | None = "NULL::bigint"
        if "version" in self._kinds:
            version = version_in_postgres('v."version"', self._kinds["version"])
        if version is None:
            msg = f'the column "version" of the view "{self._name}" is neither a whole number nor a date'
            raise SchemaError(msg)
        cells = ", ".join(
            f"{in_postgres(f'v.{_quoted(name)}', kind)} AS {_quoted(name)}" for name, kind in self._document()
        )
        # The names are quoted, and no value is in it.
        document = f"(SELECT row_to_json(d.*)::text FROM (SELECT {cells}) AS d)" if cells else "'{}'"  # noqa: S608
        return [
            self.id.label("id"),
            literal_column(version).label("version"),
            self.is_deleted.label("is_deleted"),
            literal_column(document).label("document"),
        ]

    def _of_sqlite(self) -> list[ColumnElement[Any]]:
        # No type: SQLAlchemy would read dates, and fail on others.
        return [literal_column(f"v.{_quoted(name)}") for name in self._kinds]

    def _read_sqlite(self, row: Sequence[Any]) -> SearchRow:
        cells = dict(zip(self._kinds, row, strict=True))
        version = None
        if "version" in cells:
            version = version_from_sqlite(cells["version"], self._kinds["version"])
        if cells.get("deletedAt") is not None:
            return SearchRow(str(cells["id"]), None, _fit(version), is_deleted=True)
        text = dumped({name: from_sqlite(cells[name], kind) for name, kind in self._document()})
        return SearchRow(str(cells["id"]), text if len(text) <= LARGEST else None, _fit(version), len(text))

    def _document(self) -> list[tuple[str, Any]]:
        return [(name, kind) for name, kind in self._kinds.items() if name not in OWN]

    def _compared(self, column: ColumnElement[Any], edge: float, *, is_end: bool) -> ColumnElement[bool]:
        """Whether the date is not before the edge, or before it if it is the end."""
        moment_ = datetime.fromtimestamp(edge, UTC)
        if not self._in_sqlite:
            value = moment_ if getattr(column.type, "timezone", False) else moment_.replace(tzinfo=None)
            return column < value if is_end else column >= value
        # Prisma writes milliseconds, or text.
        seconds: ColumnElement[Any] = (
            literal_column("""CASE typeof(v."updatedAt") WHEN 'integer' THEN v."updatedAt" / 1000.0
            ELSE (julianday(v."updatedAt") - 2440587.5) * 86400 END""")
        )
        return seconds < literal(edge - ROUNDING) if is_end else seconds >= literal(edge - ROUNDING)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _in_one_line(document: str) -> str:
    """JSON without line breaks: they stand only between its parts, in a column of the type `json`."""
    return document if "\n" not in document and "\r" not in document else document.replace("\n", " ").replace("\r", " ")


def _fit(version: int | None) -> int | None:
    return version if version is not None and 0 <= version <= MAX_VERSION else None
