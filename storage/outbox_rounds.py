"""A round of the outbox: rows are read, handed out and marked in one transaction, which holds the publishers' lock."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import AsyncClientCursor
from sqlalchemy import literal_column, select, true

from storage.outbox_rows import AT, IDS, ROUND, listed, row
from storage.patience import at_most
from storage.ports import Round

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from sqlalchemy import ClauseElement, ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.database import Database
    from storage.outbox_rows import OutboxRows

# The lock is held until the round's transaction ends: another publisher then sees what this one has marked. If the
# machine of this one is gone, Postgres ends the transaction after SILENCE; of itself it notices after hours.
SILENCE = 60_000  # milliseconds; a round takes half of it at most
ROLLBACK = 5.0  # seconds
BEGIN = """BEGIN ISOLATION LEVEL READ COMMITTED;
    SELECT set_config('idle_in_transaction_session_timeout', %(silence)s, true),
        set_config('pushmill.turn', pg_try_advisory_xact_lock(hashtextextended(%(key)s, 0))::text, true)"""
IS_OURS: ColumnElement[bool] = literal_column("current_setting('pushmill.turn') = 'true'")


class PostgresRounds:
    """Rounds of two round trips: several statements are sent as one text.

    The statement that reads the rows begins after the lock is taken, so it sees what the last publisher has marked. If
    another one has the lock it reads nothing.
    """

    def __init__(self, database: Database, rows: OutboxRows) -> None:
        self._database = database
        self._rows = rows
        self._begin = _Statement(BEGIN, {"key": f"pushmill:outbox:{rows.table.fullname}", "silence": str(SILENCE)})
        self._next = self._compiled(rows.next(IS_OURS))
        self._published = self._compiled(rows.published(rows.among([])))

    @asynccontextmanager
    async def round(self) -> AsyncIterator[Round | None]:
        """See the port `Outbox`."""
        async with self._database.connection(writes=True) as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            cursor = AsyncClientCursor(driver)
            try:
                found = await self._begun(cursor)
                yield found
                if found is not None:
                    await cursor.execute("; ".join([*self._marks(cursor, found), "COMMIT"]))
            finally:
                await _end(connection, driver)

    async def _begun(self, cursor: AsyncClientCursor[Any]) -> Round | None:
        await cursor.execute(f"{self._begin.text(cursor)}; {self._next.text(cursor)}")
        cursor.nextset()
        [(_, is_ours)] = await cursor.fetchall()
        cursor.nextset()
        return _round(await cursor.fetchall()) if is_ours == "true" else None

    def _marks(self, cursor: AsyncClientCursor[Any], round_: Round) -> Iterator[str]:
        bad, published = _sorted(round_)
        for reason, ids in bad.items():
            fit = _fit(reason, cursor.connection)
            yield self._compiled(self._rows.bad(fit, self._rows.among(ids))).text(cursor)
        if published:
            yield self._published.text(cursor, {IDS: listed(published), AT: self._rows.now()})

    def _compiled(self, statement: ClauseElement) -> _Statement:
        compiled = statement.compile(dialect=self._database.transactions.dialect)
        return _Statement(str(compiled), compiled.params)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement that is compiled, which takes longer than to run it, and its values."""

    sql: str
    values: Mapping[str, Any]

    def text(self, cursor: AsyncClientCursor[Any], values: Mapping[str, Any] | None = None) -> str:
        """The statement with these values instead of its own, as the driver writes them."""
        sql = self.sql.encode(cursor.connection.info.encoding)  # a table's name may have other letters
        return cursor.mogrify(sql, {**self.values, **(values or {})})


class SqliteRounds:
    """Rounds in SQLite, for development: its own lock of a writer is that of the publishers."""

    def __init__(self, database: Database, rows: OutboxRows) -> None:
        self._database = database
        self._rows = rows

    @asynccontextmanager
    async def round(self) -> AsyncIterator[Round]:
        """See the port `Outbox`. It waits for its turn.

        Without open rows it takes no turn: an app whose driver does not wait, as libSQL's, would fail to write then.
        """
        async with self._database.connection() as connection:
            is_idle = await connection.scalar(select(self._rows.id).where(self._rows.is_open).limit(1)) is None
        if is_idle:
            yield Round([], is_last=True)
            return
        async with self._database.transaction() as connection:
            # A first statement that writes would give up at once if another one is about to commit: it reads already,
            # and the other waits for it.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            found = _round((await connection.execute(self._rows.next(true()))).all())
            yield found
            bad, published = _sorted(found)
            for reason, ids in bad.items():
                await connection.execute(self._rows.bad(reason, self._rows.among(ids)))
            if published:
                await connection.execute(self._rows.published(self._rows.among(published)))


async def _end(connection: AsyncConnection, driver: psycopg.AsyncConnection[Any]) -> None:
    """Roll back what is not committed, in little time: the pool would wait for ever where a line has gone silent."""
    try:
        with suppress(psycopg.Error), at_most(driver, ROLLBACK):
            await driver.rollback()
    finally:
        if driver.closed:  # the line is cut, which SQLAlchemy has not seen
            await connection.invalidate()


def _fit(reason: str, connection: psycopg.AsyncConnection[Any]) -> str:
    """The reason without what a database may lack that is not in UTF-8: it would refuse the whole round."""
    is_unicode = connection.info.parameter_status("server_encoding") == "UTF8"
    return reason if is_unicode else reason.encode("ascii", "replace").decode()


def _round(found: Sequence[Sequence[Any]]) -> Round:
    """A round of the rows that were read; the last cell of each says how many there are."""
    count = found[0][-1] if found else 0
    return Round([row(cells[:-1]) for cells in found], is_last=len(found) == count < ROUND)


def _sorted(round_: Round) -> tuple[dict[str, list[int]], list[int]]:
    """The ids of its bad rows by reason, and those of the others."""
    bad: dict[str, list[int]] = {}
    for row_id, reason in round_.bad.items():
        bad.setdefault(reason, []).append(row_id)
    return bad, [each.id for each in round_.rows if each.id not in round_.bad]
