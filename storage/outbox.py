"""The app's outbox: rows that the app writes in its own transactions, in the order in which they are published."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, literal_column, select, update

from storage.cells import moment
from storage.moment import now_for
from storage.outbox_rounds import PostgresRounds, SqliteRounds
from storage.outbox_rows import OutboxRows, row
from storage.ports import Backlog

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.sql.dml import Update

    from storage.database import Database
    from storage.ports import Round

MOST_COUNTED = 10_000
CLEARED = 1000  # rows of one statement


class SqlOutbox:
    """The port `Outbox` over OUTBOX_TABLE."""

    def __init__(self, database: Database) -> None:
        """The database must have been opened with `AppTable.OUTBOX`. Raises SchemaError if its ids are no numbers."""
        self._database = database
        self._rows = OutboxRows(database)
        self._rounds = (SqliteRounds if database.is_sqlite else PostgresRounds)(database, self._rows)

    def round(self) -> AbstractAsyncContextManager[Round | None]:
        """The next rows to publish, in one transaction, which holds the lock of all publishers."""
        return self._rounds.round()

    async def backlog(self) -> Backlog:
        """What is in it, in three statements on the primary key and the index of what is not published."""
        rows = self._rows
        counted = select(literal_column("1")).where(rows.is_open).limit(MOST_COUNTED).subquery()
        bad = select(func.count()).select_from(rows.table).where(rows.is_bad).scalar_subquery()
        totals = select(select(func.count()).select_from(counted).scalar_subquery(), bad)
        oldest = select(rows.moment("created_at")).where(rows.is_open).order_by(rows.id).limit(1)
        async with self._database.connection() as connection:
            unpublished, bad_count = (await connection.execute(totals)).one()
            first = await connection.scalar(oldest)
            last = (await connection.execute(rows.shown().order_by(rows.id.desc()))).all()
            bad_rows = (await connection.execute(rows.shown().where(rows.is_bad).order_by(rows.id))).all()
        shown = [[row(cells) for cells in found] for found in (last, bad_rows)]
        return Backlog(unpublished, bad_count, moment(first), *shown)

    async def clear(self, age: float) -> int:
        """Delete the oldest of them, in one statement."""
        table, row_id, published = self._rows.table, self._rows.id, self._rows.columns["published_at"]
        before = now_for(self._database, table, published.name, -age)
        # Of the first rows only: a search for old ones among all would read the whole table when there are none.
        first = select(row_id, published).where(published.is_not(None)).order_by(row_id).limit(CLEARED).subquery()
        old = select(first.c[row_id.name]).where(first.c[published.name] < before)
        async with self._database.connection(writes=True) as connection:
            return (await connection.execute(delete(table).where(row_id.in_(old)))).rowcount

    async def replay(self, ids: Sequence[int]) -> int:
        """Clear both columns."""
        rows = self._rows
        values = {rows.columns[field].name: None for field in ("published_at", "error")}
        return await self._change(update(rows.table).where(rows.among(ids) if ids else rows.is_bad).values(values))

    async def skip(self, ids: Sequence[int]) -> int:
        """Mark those that are not published. The error stays, to say why."""
        rows = self._rows
        return await self._change(rows.published(rows.among(ids) & rows.columns["published_at"].is_(None)))

    async def heard(self, channel: str) -> AsyncGenerator[None]:
        """Listen to Postgres."""
        async with aclosing(self._database.notifications(channel)) as found:
            async for _ in found:
                yield

    async def _change(self, statement: Update) -> int:
        async with self._database.connection(writes=True) as connection:
            return (await connection.execute(statement)).rowcount
