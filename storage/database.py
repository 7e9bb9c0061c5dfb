"""The app's database: a small pool of connections, and the tables as they were found at start."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from storage.database_url import DatabaseUrl, parse_database_url
from storage.errors import StorageAwayError, StorageUnavailableError
from storage.reader import BROKEN, Reader
from storage.tables import AppTable, reflect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence

    from sqlalchemy import Select, Table

    from storage.settings import StorageSettings

    Read = Callable[[Sequence[Any]], Coroutine[Any, Any, Sequence[Sequence[Any]]]]

POOL_SIZE = 5
POOL_TIMEOUT = 10.0  # seconds that a caller waits for a free connection
STATEMENT_TIMEOUT = 30.0  # seconds, the wait for a connection included
LOCK_TIMEOUT = 5.0  # seconds that SQLite waits for another writer
MAX_REASON = 300  # characters
AWAY = (*BROKEN, PoolTimeoutError, TimeoutError)


class Database:
    """The app's database. It is made by `open`."""

    def __init__(self, engine: AsyncEngine, tables: Mapping[AppTable, Table]) -> None:
        """Take an engine whose connections commit by themselves, and the tables."""
        self._engine = engine
        self._tables = tables
        self._readers: list[Reader] = []

    @classmethod
    async def open(cls, settings: StorageSettings, needs: Collection[AppTable]) -> Self:
        """Connect, and look at the tables that this process `needs`.

        Raises StorageUnavailableError, and SchemaError with one line for each thing that is missing.
        """
        url = parse_database_url(settings.database_url)
        _refuse_missing_file(url)
        names = {
            AppTable.PUSH_SUBSCRIPTION: settings.push_subscription_table,
            AppTable.FILE: settings.file_table,
            AppTable.AVATAR: settings.avatar_table,
        }
        wanted = {table: name for table, name in names.items() if table in needs and name is not None}
        engine = _engine(url)
        try:
            return cls(engine, await _look(engine, wanted, url.schema))
        except BaseException as error:
            await engine.dispose()
            if isinstance(error, (SQLAlchemyError, OSError)):
                # Not chained: nobody knows what a driver puts into its exceptions, and the URL has a password.
                raise StorageUnavailableError(_unusable(url, _reason(url, error))) from None
            raise

    def table(self, table: AppTable) -> Table:
        """One of the tables that were asked for at `open`."""
        return self._tables[table]

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection for one statement, which is its own transaction.

        Raises StorageAwayError when the database can't be reached, or does not answer within 30 seconds.
        """
        async with _in_time(), self._engine.connect() as connection:
            yield connection

    def reader(self, query: Select[Any]) -> Read:
        """Whoever reads all rows of a query that runs all the time, over a connection of its own, one after another.

        The query has one parameter, which is expanding. Reading raises StorageAwayError as `connection` does.
        """
        reader = Reader(self._engine, query)
        self._readers.append(reader)

        async def read(wanted: Sequence[Any]) -> Sequence[Sequence[Any]]:
            async with _in_time():
                return await reader.rows(wanted)

        return read

    async def check(self) -> None:
        """See whether it answers. Raises StorageAwayError."""
        async with self.connection() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close the connections."""
        for reader in self._readers:
            await reader.close()
        await self._engine.dispose()


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(STATEMENT_TIMEOUT):
            yield
    except AWAY as error:
        msg = f"the database does not answer ({type(error).__name__})"
        raise StorageAwayError(msg) from None  # not chained: nobody knows what a driver puts into its exceptions


def _refuse_missing_file(url: DatabaseUrl) -> None:
    # Looked for here: when SQLite can't open a file, aiosqlite's thread outlives the attempt.
    if url.file is not None and not url.file.is_file():
        raise StorageUnavailableError(_unusable(url, "there is no such file"))


def _engine(url: DatabaseUrl) -> AsyncEngine:
    # Prepared statements break behind a pooler such as PgBouncer, where the next statement may meet another session.
    connect_args: dict[str, Any] = {"prepare_threshold": None} if url.is_postgres else {"timeout": LOCK_TIMEOUT}
    return create_async_engine(
        url.engine,
        connect_args=connect_args,
        hide_parameters=True,  # an error's text would show a subscription's endpoint, which is a secret
        isolation_level="AUTOCOMMIT",  # every statement stands alone: no BEGIN and COMMIT to wait for
        max_overflow=0,
        pool_pre_ping=True,
        pool_size=POOL_SIZE,
        pool_timeout=POOL_TIMEOUT,
    )


async def _look(engine: AsyncEngine, names: Mapping[AppTable, str], schema: str | None) -> dict[AppTable, Table]:
    async with asyncio.timeout(STATEMENT_TIMEOUT), engine.connect() as connection:
        return await connection.run_sync(reflect, names, schema)


def _reason(url: DatabaseUrl, error: Exception) -> str:
    text = " ".join(str(getattr(error, "orig", None) or error).split()) or f"no answer in {STATEMENT_TIMEOUT:g} s"
    if url.engine.password:
        text = text.replace(str(url.engine.password), "***")
    return text[:MAX_REASON]


def _unusable(url: DatabaseUrl, reason: str) -> str:
    return f"DATABASE_URL: the database at {url.place} can't be used: {reason}"
