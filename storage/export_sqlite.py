"""Reads a view of SQLite for an export, for development: a plain SELECT, whose rows are read as they come."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy import TextClause, text

from storage.export_choice import PREFIX, Choice, chosen, view_of
from storage.export_lines import copy_line, csv_line, escaped
from storage.export_values import as_json, as_text, kind_of
from storage.ports import ExportColumn
from storage.search_cells import dumped

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.database import Database
    from storage.export_choice import Condition
    from storage.ports import ExportForm, ExportRequest

BATCH = 100  # rows
_VIEWS = text("SELECT name FROM sqlite_master WHERE type = 'view' AND substr(name, 1, 7) = 'export_'")
_COLUMNS = text("SELECT name, type FROM pragma_table_info(:view)")
# Milliseconds since the epoch of a date as Prisma writes it, and of one in a filter.
_GIVEN_MOMENT = "CAST(round((julianday({0}) - 2440587.5) * 86400000) AS INTEGER)"
_MOMENT = f"CASE typeof({{0}}) WHEN 'integer' THEN {{0}} ELSE {_GIVEN_MOMENT} END"
# The SQL of a cell and of a value to compare it with, by kind; all others are compared as text.
_COMPARED = {
    "integer": ("{0}", "CAST({0} AS INTEGER)"),
    "number": ("{0}", "CAST({0} AS REAL)"),
    "decimal": ("CAST({0} AS REAL)", "CAST({0} AS REAL)"),
    "boolean": ("{0}", "({0} = 'true')"),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), (_MOMENT, _GIVEN_MOMENT)),
}
_AS_TEXT = ("CAST({0} AS TEXT)", "{0}")


class SqliteExports:
    """The port `Exports` over views of SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def open(self, request: ExportRequest) -> AsyncIterator[SqliteExport]:
        """See the port. Nothing limits the time but the job's own timeout."""
        with self._database.told():
            async with self._database.transactions.connect() as connection:
                views = [name for (name,) in await connection.execute(_VIEWS)]
                name = view_of(request.name, views)
                about = await connection.execute(_COLUMNS, {"view": name})
                choice = chosen(request, [ExportColumn(column, kind_of(declared)) for column, declared in about])
                query = _Query(name, choice, request.user_id)
                counted = await connection.execute(query.count(), query.values())
                yield SqliteExport(connection, query, choice.columns, counted.scalar_one())


@dataclass(frozen=True, slots=True)
class _Query:
    """What is read of a view. `v0`, `v1`, ... are the values of its conditions."""

    view: str
    choice: Choice
    user_id: str | None

    def rows(self) -> TextClause:
        """The rows."""
        return self._select(", ".join(_cell(column) for column in self.choice.columns))

    def count(self) -> TextClause:
        """How many they are."""
        return self._select("count(*)")

    def values(self) -> dict[str, str | None]:
        """The values by name."""
        given = [value for each in self.choice.conditions for value in each.values if value is not None]
        owner = {"user": self.user_id} if self.choice.of_user else {}
        return {**owner, **{f"v{number}": value for number, value in enumerate(given)}}

    def _select(self, cells: str) -> TextClause:
        owned = [f"CAST({_cell(each)} AS TEXT) = :user COLLATE BINARY" for each in self.choice.of_user]
        names = (f":v{number}" for number in count())
        conditions = [_condition(each, names) for each in self.choice.conditions]
        where = " AND ".join(["true", *owned, *conditions])
        return text(f"SELECT {cells} FROM {_quoted(self.view)} AS v WHERE {where}")  # noqa: S608 -- names are quoted


@dataclass(frozen=True, slots=True)
class SqliteExport:
    """The port `Export`."""

    connection: AsyncConnection
    query: _Query
    columns: Sequence[ExportColumn]
    expected: int

    @property
    def name(self) -> str:
        """See the port."""
        return self.query.view.removeprefix(PREFIX)

    async def batches(self, form: ExportForm, *, escape_formulas: bool = False) -> AsyncGenerator[Sequence[bytes]]:
        """See the port."""
        line = self._as_json if form == "json" else self._as_csv if form == "csv" else self._as_copy
        async with self.connection.stream(self.query.rows(), self.query.values()) as found:
            async for batch in found.partitions(BATCH):
                yield [line(row, escape_formulas) for row in batch]

    def _texts(self, row: Iterable[Any]) -> list[str | None]:
        return [as_text(value, column.kind) for value, column in zip(row, self.columns, strict=True)]

    def _as_json(self, row: Iterable[Any], _escape: bool) -> bytes:  # noqa: FBT001 -- as the next one
        cells = zip(row, self.columns, strict=True)
        return dumped({column.name: as_json(value, column.kind) for value, column in cells}).encode()

    def _as_csv(self, row: Iterable[Any], escape: bool) -> bytes:  # noqa: FBT001 -- as the one before
        cells = self._texts(row)
        if escape:
            cells = [
                escaped(cell) if cell and column.kind in {"text", "json"} else cell
                for cell, column in zip(cells, self.columns, strict=True)
            ]
        return csv_line(cells)

    def _as_copy(self, row: Iterable[Any], _escape: bool) -> bytes:  # noqa: FBT001 -- as the one before
        return copy_line(self._texts(row))


def _quoted(name: str) -> str:
    """The name as a part of a statement of SQLAlchemy, which takes a colon for the beginning of a parameter."""
    return '"' + name.replace('"', '""').replace(":", "\\:") + '"'


def _cell(column: ExportColumn) -> str:
    return f"v.{_quoted(column.name)}"


def _condition(condition: Condition, names: Iterator[str]) -> str:
    cell_sql, value_sql = _COMPARED.get(condition.column.kind, _AS_TEXT)
    cell = cell_sql.replace("{0}", _cell(condition.column))
    given = [value_sql.replace("{0}", next(names)) for value in condition.values if value is not None]
    if condition.operator != "=":
        return f"{cell} {condition.operator} {given[0]}"
    is_one = f"{cell} IN ({', '.join(given)})"
    return f"({is_one} OR {_cell(condition.column)} IS NULL)" if None in condition.values else is_one
