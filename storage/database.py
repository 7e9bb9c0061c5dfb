"""The app's database: a small pool of connections, and the tables as they were found at start."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg import sql
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.database_faults import code_of, is_set_up_wrongly, words_for
from storage.database_url import DatabaseUrl, parse_database_url
from storage.errors import StatementRefusedError, StorageAwayError, StorageUnavailableError
from storage.lately import Lately
from storage.patience import ping_at_checkout
from storage.reader import BROKEN, ListQuery, Reader
from storage.tables import look_for

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Collection,
        Coroutine,
        Iterator,
        Mapping,
        Sequence,
    )

    from sqlalchemy import Select

    from storage.tables import AppTable, Found, Wanted

    Read = Callable[[Sequence[Any]], Coroutine[Any, Any, Sequence[Sequence[Any]]]]

POOL_SIZE = 5
POOL_TIMEOUT = 10.0  # seconds that a caller waits for a free connection
STATEMENT_TIMEOUT = 30.0  # seconds, the wait for a connection included
LOCK_TIMEOUT = 5.0  # seconds that SQLite waits for another writer
HEARD = 5.0  # seconds until a notification is heard
MAX_REASON = 300  # characters
NOTIFY = text("SELECT pg_notify(:channel, '')")
DEAF = "notifications of Postgres do not arrive; is DATABASE_URL that of a pooler, such as PgBouncer?"
AWAY = (*BROKEN, PoolTimeoutError, TimeoutError)
CUT = ("08", "57P", "53300")  # codes of a connection, not of a statement
FAULTS = (*AWAY, SQLAlchemyError, psycopg.Error)


class Database:
    """The app's database. Create it with `open`."""

    def __init__(self, engine: AsyncEngine, tables: Mapping[AppTable, Found], schema: str | None = None) -> None:
        """The engine's connections must autocommit. `schema` has the tables; None: the usual one."""
        self._engine = engine
        self.schema = schema
        self._tables = tables
        self.is_sqlite = engine.dialect.name == "sqlite"  # else it is Postgres
        self._readers: list[Reader] = []
        self._reads, self._writes = Lately(), Lately()

    @classmethod
    async def open(cls, database_url: str, wanted: Mapping[AppTable, Wanted], *, setting: str = "DATABASE_URL") -> Self:
        """Connect to the database that `setting` names, and read the schema of the tables that this process needs.

        Raises StorageAwayError if the database does not answer or has no connection left, StorageUnavailableError if
        the settings are wrong, and SchemaError with one line for each missing table or column.
        """
        url = parse_database_url(database_url)
        _refuse_missing_file(url, setting)
        engine = _engine(url)
        try:
            look = _look if url.is_postgres else _look_to_its_end
            return cls(engine, await look(engine, wanted, url.schema), url.schema)
        except BaseException as error:
            await engine.dispose()
            if isinstance(error, (SQLAlchemyError, OSError)):
                kind = StorageUnavailableError if is_set_up_wrongly(error) else StorageAwayError
                # Not chained: a driver's exception may hold the URL, which has a password.
                raise kind(_unusable(setting, url, _reason(url, error))) from None
            raise

    def found(self, table: AppTable) -> Found:
        """One of the tables that `open` was called with."""
        return self._tables[table]

    @asynccontextmanager
    async def connection(self, *, writes: bool = False) -> AsyncIterator[AsyncConnection]:
        """A connection for one statement, which is a transaction of its own.

        Raises StorageAwayError if the database can't be reached, does not answer within 30 seconds, or can't serve.
        Refusals of reads and of writes are remembered apart, because most jobs only read.
        """
        async with _in_time(self._writes if writes else self._reads), self._engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose statements are one transaction. Raises as `connection` does."""
        async with _in_time(self._writes), self.transactions.begin() as connection:
            yield connection

    @property
    def transactions(self) -> AsyncEngine:
        """An engine over the same connections whose statements are in transactions, as SQLAlchemy's usually are."""
        return self._engine.execution_options(isolation_level="SERIALIZABLE" if self.is_sqlite else "READ COMMITTED")

    @staticmethod
    @contextmanager
    def cuts_told() -> Iterator[None]:
        """Raise StorageAwayError if no connection can be had, or it is cut. Errors of a statement stay as they are."""
        try:
            yield
        except (OperationalError, PoolTimeoutError) as error:
            if not (code_of(error) or "08").startswith(CUT):
                raise
            raise StorageAwayError(_outage(error)) from None

    def reader(self, query: Select[Any]) -> Read:
        """A function that runs a frequent query over a connection of its own, one call at a time; returns all rows.

        The query has one expanding parameter. The function raises StorageAwayError as `connection` does.
        """
        return self.readers()(query)

    def readers(self) -> Callable[[Select[Any]], Read]:
        """What makes such functions for any number of queries: they share one connection."""
        reader = Reader(self._engine)
        self._readers.append(reader)

        def of(query: Select[Any]) -> Read:
            compiled = ListQuery(query, self._engine.dialect)

            async def read(wanted: Sequence[Any]) -> Sequence[Sequence[Any]]:
                async with _in_time(self._reads):
                    return await reader.rows(compiled, wanted)

            return read

        return of

    async def notifications(self, channel: str) -> AsyncGenerator[None]:
        """One at once, when it hears its own, then one each time that Postgres notifies the channel.

        The connection is its own. Raises StorageAwayError if there is none, if it is cut, or if it hears nothing.
        """
        with _cut_of_own():
            async with await self.own_connection(autocommit=True) as connection:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                async with self.connection() as other:
                    await other.execute(NOTIFY, {"channel": channel})
                if not [each async for each in connection.notifies(timeout=HEARD, stop_after=1)]:
                    raise StorageAwayError(DEAF)
                yield
                async for _ in connection.notifies():
                    yield

    async def own_connection(self, *, autocommit: bool = False) -> psycopg.AsyncConnection:
        """A new connection of Postgres, outside of the pool. Raises the errors of psycopg; `told` words them."""
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return await psycopg.AsyncConnection.connect(url, autocommit=autocommit, prepare_threshold=None)

    @staticmethod
    @contextmanager
    def told(of_statement: Collection[str] = ()) -> Iterator[None]:
        """Turn the errors of a driver into StorageAwayError and StatementRefusedError.

        `of_statement` are codes that are a statement's fault here, though they may be an outage elsewhere.
        """
        try:
            yield
        except FAULTS as error:
            msg = None if code_of(error) in of_statement else _outage(error)
            if msg is None:
                raise StatementRefusedError(_refused(error), code_of(error)) from None
            raise StorageAwayError(msg) from None  # not chained: a driver's exception may hold values of a row

    async def check(self) -> None:
        """Raise StorageAwayError if the database does not answer, or refused a job's read within the last minute."""
        self._reads.check()
        async with self.connection() as connection:
            await connection.execute(text("SELECT 1"))

    async def check_writes(self) -> None:
        """Raise StorageAwayError if the database is read-only, or refused a job's write within the last minute."""
        self._writes.check()
        if self._engine.dialect.name != "postgresql":
            return
        async with self.connection() as connection:
            if await connection.scalar(text("SHOW transaction_read_only")) == "on":
                raise StorageAwayError(_said("25006"))

    async def close(self) -> None:
        """Close the connections."""
        for reader in self._readers:
            await reader.close()
        await self._engine.dispose()


@contextmanager
def _cut_of_own() -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, OSError) as error:
        raise StorageAwayError(_outage(error) or _refused(error)) from None  # not chained: it may have the URL


@asynccontextmanager
async def _in_time(lately: Lately) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(STATEMENT_TIMEOUT):
            yield
    except FAULTS as error:
        if (msg := _outage(error)) is None:
            raise StatementRefusedError(_refused(error), code_of(error)) from None
        if code_of(error) is not None:
            lately.refused(msg)
        raise StorageAwayError(msg) from None  # not chained: a driver's exception may hold values of a row
    lately.done()


def _outage(error: Exception) -> str | None:
    """What is wrong with the database; None if the statement is at fault."""
    if (code := code_of(error)) is not None:
        return _said(code)
    return f"the database does not answer ({type(error).__name__})" if isinstance(error, AWAY) else None


def _refused(error: Exception) -> str:
    # Without the driver's message, which may hold a value of the row.
    kind = type(getattr(error, "orig", None) or error).__name__
    return f"the database refuses a statement ({kind}, {code_of(error) or 'no code'})"


def _said(code: str) -> str | None:
    words = words_for(code)
    return words and f"the database {words}"


def _refuse_missing_file(url: DatabaseUrl, setting: str) -> None:
    # Checked before connecting: if SQLite can't open a file, aiosqlite's thread outlives the attempt.
    if url.file is not None and not url.file.is_file():
        raise StorageUnavailableError(_unusable(setting, url, "there is no such file"))


def _engine(url: DatabaseUrl) -> AsyncEngine:
    # Prepared statements break behind a pooler such as PgBouncer: the next statement may run in another session.
    connect_args: dict[str, Any] = {"prepare_threshold": None} if url.is_postgres else {"timeout": LOCK_TIMEOUT}
    engine = create_async_engine(
        url.engine,
        connect_args=connect_args,
        hide_parameters=True,  # else an error's text would show a subscription's endpoint, which is a secret
        isolation_level="AUTOCOMMIT",  # each statement is a transaction: no round trips for BEGIN and COMMIT
        max_overflow=0,
        pool_size=POOL_SIZE,
        pool_timeout=POOL_TIMEOUT,
    )
    if url.is_postgres:
        ping_at_checkout(engine)
    else:
        event.listen(engine.sync_engine, "connect", _read_any_text)
    return engine


def _read_any_text(connection: Any, _: Any) -> None:
    """Read texts that are not UTF-8, which SQLite may hold: one must not fail all rows of its query."""
    connection.driver_connection.text_factory = partial(str, encoding="utf-8", errors="replace")


async def _look(engine: AsyncEngine, wanted: Mapping[AppTable, Wanted], schema: str | None) -> dict[AppTable, Found]:
    async with asyncio.timeout(STATEMENT_TIMEOUT), engine.connect() as connection:
        return await connection.run_sync(look_for, wanted, schema)


async def _look_to_its_end(
    engine: AsyncEngine, wanted: Mapping[AppTable, Wanted], schema: str | None
) -> dict[AppTable, Found]:
    """Also when cancelled: aiosqlite's thread would go on, and fail when it tells a loop that is closed."""
    looking = asyncio.ensure_future(_look(engine, wanted, schema))
    try:
        return await asyncio.shield(looking)
    finally:
        await asyncio.wait([looking])


def _reason(url: DatabaseUrl, error: Exception) -> str:
    text = " ".join(str(getattr(error, "orig", None) or error).split()) or f"no answer in {STATEMENT_TIMEOUT:g} s"
    if url.engine.password:
        text = text.replace(str(url.engine.password), "***")
    return text[:MAX_REASON]


def _unusable(setting: str, url: DatabaseUrl, reason: str) -> str:
    return f"{setting}: the database at {url.place} can't be used: {reason}"
