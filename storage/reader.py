"""Run frequent queries over a connection of their own.

Checking a connection out of the pool and testing it takes twice as long as the query, and SQLAlchemy's work around a
query on Postgres takes as long as the driver's. Here both are done only once.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy.exc import InterfaceError, OperationalError

from storage.patience import at_most

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Dialect, Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# Seconds that a kept connection has to answer: a look-up takes milliseconds, and a connection that was cut never
# answers. A new connection has the whole time of a statement.
KEPT = 5.0
BROKEN = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError, OSError)

# The server refused the statement. The connection is still good.
STATEMENT_FAULTS = (psycopg.ProgrammingError, psycopg.DataError)


class ListQuery:
    """A query that is compiled once, with one expanding parameter: the list of values to look for."""

    def __init__(self, query: Select[Any], dialect: Dialect) -> None:
        self.query = query
        self._compiled = query.compile(dialect=dialect)
        [self.parameter] = self._compiled.params
        self._texts: dict[int, tuple[str, list[str]]] = {}  # by length of the list: the query's text and parameters

    def expanded(self, wanted: Sequence[Any]) -> tuple[str, dict[str, Any]]:
        """The text and the parameters for the driver."""
        text, names = self._texts.get(len(wanted)) or self._text(wanted)
        return text, dict(zip(names, wanted, strict=True))

    def _text(self, wanted: Sequence[Any]) -> tuple[str, list[str]]:
        expanded = self._compiled.construct_expanded_state({self.parameter: wanted})
        self._texts[len(wanted)] = expanded.statement, list(expanded.parameters)
        return self._texts[len(wanted)]


class Reader:
    """Keeps one of the engine's connections. It runs one query at a time; other callers wait."""

    def __init__(self, engine: AsyncEngine) -> None:
        """The first call connects. The engine's connections must autocommit."""
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._driver: psycopg.AsyncConnection | None = None  # the driver's connection, on Postgres
        self._turn = asyncio.Lock()

    async def rows(self, query: ListQuery, wanted: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows of the query. If a new connection fails, too, raises the error of the engine or of psycopg."""
        async with self._turn:
            if self._connection is not None:
                with contextlib.suppress(*BROKEN), self._patience():  # an idle connection may have been closed or cut
                    return await self._ask(self._connection, query, wanted)
            return await self._ask(await self._connect(), query, wanted)

    def _patience(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._driver is None else at_most(self._driver, KEPT)

    async def close(self) -> None:
        """Give the connection back. A later query takes a new one."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            await connection.close()

    async def _drop(self) -> None:
        """Forget the connection at once, because another query may start while it is being closed."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def _connect(self) -> AsyncConnection:
        self._connection = await self._engine.connect()
        if self._engine.dialect.driver == "psycopg":
            self._driver = (await self._connection.get_raw_connection()).driver_connection
        return self._connection

    async def _ask(
        self, connection: AsyncConnection, query: ListQuery, wanted: Sequence[Any]
    ) -> Sequence[Sequence[Any]]:
        try:
            if self._driver is None:
                return list(await connection.execute(query.query, {query.parameter: wanted}))
            return await (await self._driver.execute(*query.expanded(wanted))).fetchall()
        except STATEMENT_FAULTS:
            raise
        except BaseException:
            await asyncio.shield(self._drop())  # its state is unknown
            raise
