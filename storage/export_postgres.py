"""Reads a view of Postgres for an export: with COPY, batch by batch, over a connection of its own."""

from __future__ import annotations

import asyncio
import select
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg.errors import Error, error_from_result
from psycopg.generators import fetch_many
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.waiting import Wait

from storage.errors import ConditionRefusedError, StatementRefusedError
from storage.export_choice import PREFIX, chosen, view_of
from storage.export_lines import escaped_below
from storage.export_sql import COLUMNS, MARK, SESSION, VIEWS, ViewQuery, kind_of
from storage.ports import ExportColumn

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

    from psycopg import AsyncConnection
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn

    from storage.database import Database
    from storage.ports import ExportForm, ExportRequest

    Change = Callable[[list[bytes]], list[bytes]]

# Here a fault of the view or of the payload: a view that writes, and a statement that is cancelled or takes too long.
OF_STATEMENT = ("25006", "57014")
UNFIT = ("22", "42804", "42883")  # a value is not of its column's type, or the type can't be compared
LEAST = 0.001  # seconds: Postgres's 0 is no limit
BATCH = 192 * 1024  # bytes of rows: while they are written, a Unix socket holds the next 200 KB, so Postgres goes on
PAUSE = 0.0005  # seconds in which more rows come. Longer ones keep Postgres waiting
SILENCE = 20  # milliseconds without a row, after which a batch ends
LONGEST = 0.2  # seconds until a batch of rows that come slowly ends
CANCEL = 5.0  # seconds until a server that does not take a cancellation is left alone


class PostgresExports:
    """The port `Exports` over views of Postgres."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def open(self, request: ExportRequest) -> AsyncIterator[PostgresExport]:
        """See the port. The connection is closed at once when the block ends, whatever it does."""
        with self._database.told(OF_STATEMENT):
            connection = await self._database.own_connection()
        try:
            with self._database.told(OF_STATEMENT):
                await connection.set_read_only(True)
                await connection.execute(SESSION, [f"{max(request.seconds, LEAST) * 1000:.0f}"])
                query, columns = await self._found(connection, request)
                expected = await self._expected(connection, query)
            yield PostgresExport(self._database, connection, query, columns, expected)
        finally:
            await connection.close()

    async def _found(
        self, connection: AsyncConnection, request: ExportRequest
    ) -> tuple[ViewQuery, Sequence[ExportColumn]]:
        views = await (await connection.execute(VIEWS, {"schema": self._database.schema})).fetchall()
        name = view_of(request.name, [view for view, _, _ in views])
        [(schema, oid)] = [(schema, oid) for view, schema, oid in views if view == name]
        rows = await (await connection.execute(COLUMNS, [oid])).fetchall()
        columns = [ExportColumn(column, kind_of(type_name, category)) for column, type_name, category in rows]
        choice = chosen(request, columns)
        types = {column: type_name for column, type_name, _ in rows}
        is_unicode = connection.info.parameter_status("server_encoding") == "UTF8"
        return ViewQuery(schema, name, types, choice, request.user_id, is_unicode), choice.columns

    async def _expected(self, connection: AsyncConnection, query: ViewQuery) -> int:
        """The planner's estimate."""
        try:
            with self._database.told(OF_STATEMENT):
                [[plan]] = await (await connection.execute(query.explain())).fetchall()
        except StatementRefusedError as error:
            if not (error.code or "").startswith(UNFIT):
                raise
            msg = f"userId or filters: a value does not fit its column ({error.code})"
            raise ConditionRefusedError(msg) from None
        return int(plan[0]["Plan"]["Plan Rows"])


@dataclass(frozen=True, slots=True)
class PostgresExport:
    """The port `Export`."""

    database: Database
    connection: AsyncConnection
    query: ViewQuery
    columns: Sequence[ExportColumn]
    expected: int

    @property
    def name(self) -> str:
        """See the port."""
        return self.query.name.removeprefix(PREFIX)

    async def batches(self, form: ExportForm, *, escape_formulas: bool = False) -> AsyncGenerator[Sequence[bytes]]:
        """See the port."""
        statement, is_last = self.query.copy(form, escape_formulas=escape_formulas), False
        change = self._escaping() if escape_formulas and self.query.is_unicode else _CHANGES[form]
        with self.database.told(OF_STATEMENT):
            async with self.connection.cursor() as cursor, cursor.copy(statement):
                try:
                    while not is_last:
                        batch, is_last = await self._batch()
                        if batch:
                            yield change(batch)
                finally:
                    await self._leave()

    def _escaping(self) -> Change:
        are_texts = [self.query.may_be_formula(column) for column in self.columns]

        def escaped(rows: list[bytes]) -> list[bytes]:
            text = b"".join(rows)
            if text.count(b"\n") > len(rows) or b"\r" in text:
                rows = [escaped_below(row, are_texts) if len(row.splitlines()) > 1 else row for row in rows]
            return _with_crlf(rows)

        return escaped

    async def _leave(self) -> None:
        """End the statement if it still runs. psycopg would read its rows to the end, also while a server is silent."""
        if self.connection.info.transaction_status != TransactionStatus.ACTIVE:
            return
        try:
            with suppress(Error):
                await self.connection.cancel_safe(timeout=CANCEL)
        finally:
            await self.connection.close()

    async def _batch(self) -> tuple[list[bytes], bool]:
        """Some of the rows, and whether they are the last."""
        pgconn = self.connection.pgconn
        first = await self.connection.wait(_first(pgconn))
        if first is None:
            await self._end()
            return [], True
        rows = [first]
        reading = asyncio.ensure_future(asyncio.to_thread(_read, pgconn, rows))
        try:
            is_last = await asyncio.shield(reading)
        finally:
            await asyncio.wait([reading])  # also when cancelled: the connection is closed next
        if is_last:
            await self._end()
        return rows, is_last

    async def _end(self) -> None:
        """Raise what has ended the rows too early: one error, and a second one if the connection is closed with it."""
        for result in await self.connection.wait(fetch_many(self.connection.pgconn)):
            if result.status != ExecStatus.COMMAND_OK:
                raise error_from_result(result)


def _first(connection: PGconn) -> PQGen[bytes | None]:
    """A row, once there is one; None at the end. psycopg's `copy_from` takes two errors for a misuse."""
    while True:
        length, row = connection.get_copy_data(1)
        if length != 0:
            return bytes(row) if length > 0 else None
        while not (yield Wait.R):
            pass
        connection.consume_input()


def _read(connection: PGconn, rows: list[bytes]) -> bool:
    """Add those that come without a silence, up to a batch. Returns whether they are the last. Blocks, in a thread.

    Postgres sends each row by itself, and 8 KiB at a time ("COPY Operations" in its documentation of the protocol). To
    wait for each 8 KiB took a third of an export's processor time; for each row, as psycopg's own iteration, more.
    """
    poll, size, ends = select.poll(), sum(map(len, rows)), time.monotonic() + LONGEST
    poll.register(connection.socket, select.POLLIN)
    while size < BATCH:
        length, row = connection.get_copy_data(1)
        if length == 0:
            connection.consume_input()  # libpq takes 16 KiB at a time
            length, row = connection.get_copy_data(1)
        if length < 0:
            return True
        if length > 0:
            rows.append(bytes(row))
            size += length
            continue
        time.sleep(PAUSE)
        if not poll.poll(SILENCE) or time.monotonic() > ends:
            return False
    return False


def _as_they_are(rows: list[bytes]) -> list[bytes]:
    return rows


def _with_crlf(rows: list[bytes]) -> list[bytes]:
    return [row[:-1] + b"\r\n" for row in rows]


def _in_one_line(rows: list[bytes]) -> list[bytes]:
    """JSON without its line breaks, which stand only between its parts, in a cell of the type `json`."""
    return [row[1:-2].replace(b"\n", b" ").replace(b"\r", b" ") if row[0] == MARK else row[:-1] for row in rows]


_CHANGES: Mapping[ExportForm, Change] = {
    "csv": _with_crlf,
    "json": _in_one_line,
    "copy": _as_they_are,
}
