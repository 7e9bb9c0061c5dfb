"""The app's outbox: rows that the app writes in its own transactions, in the order in which they are published."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    LargeBinary,
    Text,
    any_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    literal_column,
    null,
    select,
    update,
)

from storage.cells import as_moment, as_text, moment, text
from storage.errors import SchemaError
from storage.moment import now_for
from storage.ports import Backlog, OutboxRow, Round
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.sql.dml import Update

    from storage.database import Database

ROUND = 500  # rows
ROUND_BYTES = 4 * 2**20  # of payloads in a round; a row that is larger is a round of its own
MAX_PAYLOAD = 512 * 1024  # bytes
MAX_TEXT = 200  # characters of a topic, an aggregate's type and its id
MAX_ERROR = 500  # characters
MOST_COUNTED = 10_000
SHOWN = 20  # rows of a list
CLEARED = 1000  # rows of one statement
# The lock is held until the round's transaction ends: another publisher then sees what this one has marked. If the
# machine of this one is gone, Postgres ends the transaction after SILENCE; of itself it notices after hours.
SILENCE = 60_000  # milliseconds; a round takes half of it at most
TURN = sqlalchemy.text(
    "SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 0)), "
    "set_config('idle_in_transaction_session_timeout', :silence, true)"
)


class SqlOutbox:
    """The port `Outbox` over OUTBOX_TABLE."""

    def __init__(self, database: Database) -> None:
        """The database must have been opened with `AppTable.OUTBOX`. Raises SchemaError if its ids are no numbers."""
        self._database = database
        found = database.found(AppTable.OUTBOX)
        self._table, self._columns = found.table, found.columns
        if not isinstance(self._columns["id"].type, Integer):
            msg = (
                f'DATABASE_URL: table "{self._table.name}" needs numbers as ids: they are the order in which rows are '
                "published; write `id BigInt @id @default(autoincrement())` in the app's Prisma schema"
            )
            raise SchemaError(msg)
        self._is_open = self._columns["published_at"].is_(None) & self._columns["error"].is_(None)
        self._is_bad = self._columns["published_at"].is_(None) & self._columns["error"].is_not(None)

    @asynccontextmanager
    async def round(self) -> AsyncIterator[Round | None]:
        """The next rows to publish, in one transaction, which holds the lock of all publishers."""
        async with self._database.transaction() as connection:
            if not await self._is_ours(connection):
                yield None
                return
            rows, is_last = await self._next_rows(connection)
            round_ = Round(rows, is_last)
            yield round_
            await self._mark(connection, round_)

    async def backlog(self) -> Backlog:
        """What is in it, in three statements on the primary key and the index of what is not published."""
        row_id, created = self._columns["id"], self._moment("created_at")
        counted = select(literal_column("1")).where(self._is_open).limit(MOST_COUNTED).subquery()
        bad = select(func.count()).select_from(self._table).where(self._is_bad).scalar_subquery()
        totals = select(select(func.count()).select_from(counted).scalar_subquery(), bad)
        oldest = select(created).where(self._is_open).order_by(row_id).limit(1)
        async with self._database.connection() as connection:
            unpublished, bad_count = (await connection.execute(totals)).one()
            first = await connection.scalar(oldest)
            last = (await connection.execute(self._shown().order_by(row_id.desc()))).all()
            bad_rows = (await connection.execute(self._shown().where(self._is_bad).order_by(row_id))).all()
        shown = [[_row(cells) for cells in rows] for rows in (last, bad_rows)]
        return Backlog(unpublished, bad_count, moment(first), *shown)

    async def clear(self, age: float) -> int:
        """Delete the oldest of them, in one statement."""
        before = now_for(self._database, self._table, self._columns["published_at"].name, -age)
        row_id, published = self._columns["id"], self._columns["published_at"]
        # Of the first rows only: a search for old ones among all would read the whole table when there are none.
        first = select(row_id, published).where(published.is_not(None)).order_by(row_id).limit(CLEARED).subquery()
        old = select(first.c[row_id.name]).where(first.c[published.name] < before)
        async with self._database.connection(writes=True) as connection:
            return (await connection.execute(delete(self._table).where(row_id.in_(old)))).rowcount

    async def replay(self, ids: Sequence[int]) -> int:
        """Clear both columns."""
        values = {self._columns[field].name: None for field in ("published_at", "error")}
        return await self._change(update(self._table).where(self._among(ids) if ids else self._is_bad).values(values))

    async def skip(self, ids: Sequence[int]) -> int:
        """Mark those that are not published. The error stays, to say why."""
        return await self._change(self._published(self._among(ids) & self._columns["published_at"].is_(None)))

    async def heard(self, channel: str) -> AsyncGenerator[None]:
        """Listen to Postgres."""
        async with aclosing(self._database.notifications(channel)) as found:
            async for _ in found:
                yield

    async def _is_ours(self, connection: AsyncConnection) -> bool:
        if not self._database.is_sqlite:
            values = {"key": f"pushmill:outbox:{self._table.fullname}", "silence": str(SILENCE)}
            return bool(await connection.scalar(TURN, values))
        # SQLite has one writer at a time, and this waits for its turn. A first statement that writes would give up at
        # once if another one is about to commit: it reads already, and the other waits for it.
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        return True

    async def _next_rows(self, connection: AsyncConnection) -> tuple[list[OutboxRow], bool]:
        """The rows of a round, as many as fit into memory; and whether there are no more."""
        row_id, payload = self._columns["id"], func.coalesce(cast(self._columns["payload"], Text()), "null")
        size = self._bytes_of(payload)
        sizes = select(row_id, size).where(self._is_open).order_by(row_id).limit(ROUND)
        ids, is_all = _that_fit((await connection.execute(sizes)).all())
        kept = case((size <= literal(MAX_PAYLOAD), payload), else_=null())
        rows = select(*self._cells(), kept).where(self._among(ids)).order_by(row_id)
        found = [_row(cells) for cells in await connection.execute(rows)] if ids else []
        return found, is_all and len(ids) < ROUND

    async def _mark(self, connection: AsyncConnection, round_: Round) -> None:
        by_reason: dict[str, list[int]] = {}
        for row_id, reason in round_.bad.items():
            by_reason.setdefault(reason[:MAX_ERROR].replace("\0", ""), []).append(row_id)
        for reason, ids in by_reason.items():
            values = {self._columns["error"].name: reason}
            await connection.execute(update(self._table).where(self._among(ids)).values(values))
        if published := [row.id for row in round_.rows if row.id not in round_.bad]:
            await connection.execute(self._published(self._among(published)))

    def _published(self, rows: ColumnElement[bool]) -> Update:
        name = self._columns["published_at"].name
        return update(self._table).where(rows).values({name: now_for(self._database, self._table, name)})

    async def _change(self, statement: Update) -> int:
        async with self._database.connection(writes=True) as connection:
            return (await connection.execute(statement)).rowcount

    def _among(self, ids: Sequence[int]) -> ColumnElement[bool]:
        if self._database.is_sqlite:
            return self._columns["id"].in_(ids)
        # One text: the driver takes a millisecond for 500 parameters, and half of it for a list of them.
        listed = bindparam(None, "{" + ",".join(map(str, ids)) + "}", type_=Text())
        return self._columns["id"] == any_(cast(listed, ARRAY(BigInteger())))

    def _shown(self) -> Select[Any]:
        """Rows of a list, without their payloads."""
        more = [self._moment("published_at"), as_text(self._columns["error"], MAX_ERROR)]
        return select(*self._cells(), null(), *more).limit(SHOWN)

    def _cells(self) -> list[ColumnElement[Any]]:
        columns = self._columns
        texts = [as_text(columns[name], MAX_TEXT + 1) for name in ("topic", "aggregate_type", "aggregate_id")]
        return [columns["id"], *texts, self._moment("created_at")]

    def _moment(self, name: str) -> ColumnElement[Any]:
        return as_moment(self._columns[name], in_sqlite=self._database.is_sqlite)

    def _bytes_of(self, payload: ColumnElement[Any]) -> ColumnElement[int]:
        if self._database.is_sqlite:
            return func.length(cast(payload, LargeBinary()))
        return func.octet_length(payload)


def _that_fit(found: Sequence[Sequence[int]]) -> tuple[list[int], bool]:
    """The ids of the first rows whose payloads are no more than a round may have, and whether these are all of them."""
    ids: list[int] = []
    total = 0
    for row_id, size in found:
        total += min(size, MAX_PAYLOAD)
        if ids and total > ROUND_BYTES:
            return ids, False
        ids.append(row_id)
    return ids, True


def _row(cells: Sequence[Any]) -> OutboxRow:
    """Never raises: what is missing is empty."""
    row_id, topic, kind, of, created, payload, published, error = (*cells, None, None)[:8]
    return OutboxRow(
        row_id, text(topic), text(kind), text(of), payload, moment(created) or 0.0, moment(published), error
    )
