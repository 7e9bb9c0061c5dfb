"""One query that is asked all the time, over a connection of its own.

To check a connection out of the pool, and to try it, takes twice the query; what SQLAlchemy does around a query on
Postgres takes as long as the driver. Here both are done once.
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

    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# Seconds in which a kept connection answers: a look-up takes milliseconds, and one that was cut says nothing. Another
# connection has all the time that a statement has.
KEPT = 5.0
BROKEN = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError, OSError)

# The server refuses the statement: the connection is as good as before.
STATEMENT_FAULTS = (psycopg.ProgrammingError, psycopg.DataError)


class Reader:
    """Keeps one of the engine's connections while it works. One query at a time; the others wait."""

    def __init__(self, engine: AsyncEngine, query: Select[Any]) -> None:
        """`query` has one parameter, which is expanding: the list of what is looked for.

        Nothing is checked out before it is first asked. The engine's connections commit by themselves.
        """
        self._engine = engine
        self._query = query
        self._compiled = query.compile(dialect=engine.dialect)
        [self._parameter] = self._compiled.params
        self._connection: AsyncConnection | None = None
        self._driver: psycopg.AsyncConnection | None = None  # the connection's own, on Postgres
        self._texts: dict[int, tuple[str, list[str]]] = {}  # by length of the list: the query's text and parameters
        self._turn = asyncio.Lock()

    async def rows(self, wanted: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """All rows of the query. Raises what the engine raises, or psycopg, if a new connection is of no use either."""
        async with self._turn:
            if self._connection is not None:
                with contextlib.suppress(*BROKEN), self._patience():  # perhaps it was idle, and closed or cut
                    return await self._ask(self._connection, wanted)
            return await self._ask(await self._connect(), wanted)

    def _patience(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._driver is None else at_most(self._driver, KEPT)

    async def close(self) -> None:
        """Give the connection back; a later query takes another one."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            await connection.close()

    async def _drop(self) -> None:
        """Let go of the connection at once, for another query may follow while this one is closed."""
        connection, self._connection, self._driver = self._connection, None, None
        if connection is not None:
            await connection.invalidate()
            await connection.close()

    async def _connect(self) -> AsyncConnection:
        self._connection = await self._engine.connect()
        if self._engine.dialect.driver == "psycopg":
            self._driver = (await self._connection.get_raw_connection()).driver_connection
        return self._connection

    async def _ask(self, connection: AsyncConnection, wanted: Sequence[Any]) -> Sequence[Sequence[Any]]:
        try:
            if self._driver is None:
                return list(await connection.execute(self._query, {self._parameter: wanted}))
            text, names = self._texts.get(len(wanted)) or self._text(wanted)
            return await (await self._driver.execute(text, dict(zip(names, wanted, strict=True)))).fetchall()
        except STATEMENT_FAULTS:
            raise
        except BaseException:
            await asyncio.shield(self._drop())  # nobody knows what state it is in
            raise

    def _text(self, wanted: Sequence[Any]) -> tuple[str, list[str]]:
        expanded = self._compiled.construct_expanded_state({self._parameter: wanted})
        self._texts[len(wanted)] = expanded.statement, list(expanded.parameters)
        return self._texts[len(wanted)]
