"""A view `search_<entity>`: the queries for its rows, and the rows as documents."""

from __future__ import annotations

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

from storage.errors import SchemaError
from storage.identity import as_id, id_type
from storage.ports import SearchRow, Span
from storage.search_cells import dumped, from_sqlite, in_postgres, version_from_sqlite, version_in_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from storage.database import Database, Read

OWN = ("id", "version", "deletedAt")  # columns that are not in the document
LARGEST = 10 * 1024 * 1024  # bytes of a document that is read; no engine takes a larger one
PAGE_BYTES = 16 * 1024 * 1024  # of a page's documents: its last one may go beyond
MAX_VERSION = 2**63 - 1
SECONDS = """CASE typeof(v."updatedAt") WHEN 'integer' THEN v."updatedAt" / 1000.0
    ELSE (julianday(v."updatedAt") - 2440587.5) * 86400 END"""  # since the epoch, in SQLite
ROUNDING = 0.0005  # seconds: SQLite's days are floating-point numbers


def columns_of(connection: Connection, name: str, schema: str | None) -> list[Column[Any]]:
    """The columns of a view; none if there is no such view."""
    try:
        found = inspect(connection).get_columns(name, schema)
    except NoSuchTableError:
        found = []
    return [Column(quoted_name(column["name"], quote=True), column["type"]) for column in found]


class View:
    """A view as the database has it: what is asked of it, and how its rows are read."""

    def __init__(
        self,
        name: str,
        columns: Sequence[Column[Any]],
        database: Database,
        readers: Callable[[Select[Any]], Read],
    ) -> None:
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
        self.of_ids = self._of_ids()  # its parameter is `ids`
        self.of_few = readers(self.of_ids)

    def _of_ids(self) -> Select[Any]:
        found = self._rows().where(self.id.in_(bindparam("ids", type_=id_type(self.id), expanding=True)))
        # The offset keeps Postgres from merging it.
        return found if self._in_sqlite else self._measured(found.offset(literal_column("0")))

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
            f"{in_postgres(f'v.{quoted(name)}', kind)} AS {quoted(name)}" for name, kind in self._document()
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
        return [literal_column(f"v.{quoted(name)}") for name in self._kinds]

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
        seconds: ColumnElement[Any] = literal_column(SECONDS)
        return seconds < literal(edge - ROUNDING) if is_end else seconds >= literal(edge - ROUNDING)


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _in_one_line(document: str) -> str:
    """JSON without line breaks: they stand only between its parts, in a column of the type `json`."""
    return document if "\n" not in document and "\r" not in document else document.replace("\n", " ").replace("\r", " ")


def _fit(version: int | None) -> int | None:
    return version if version is not None and 0 <= version <= MAX_VERSION else None
