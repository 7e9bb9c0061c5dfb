"""A connection for what is read all the time: to check one out of the pool, and to try it, takes twice the query."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import InterfaceError, OperationalError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

BROKEN = (OperationalError, InterfaceError, OSError)


class Reader:
    """Keeps one of the engine's connections while it works. One query at a time; the others wait."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Nothing is checked out before the first query. The engine's connections commit by themselves."""
        self._engine = engine
        self._connection: AsyncConnection | None = None
        self._turn = asyncio.Lock()

    async def rows(self, query: Select[Any], values: Mapping[str, Any]) -> Sequence[Row[Any]]:
        """All rows of a query. Raises what the engine raises if a new connection is of no use either."""
        async with self._turn:
            if self._connection is not None:
                with contextlib.suppress(*BROKEN):  # perhaps the server has closed it, for it was idle
                    return await self._ask(self._connection, query, values)
            self._connection = await self._engine.connect()
            return await self._ask(self._connection, query, values)

    async def close(self) -> None:
        """Give the connection back; a later query takes another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _ask(
        self, connection: AsyncConnection, query: Select[Any], values: Mapping[str, Any]
    ) -> Sequence[Row[Any]]:
        try:
            rows: Sequence[Row[Any]] = (await connection.execute(query, values)).all()
        except BaseException:
            await asyncio.shield(self.close())  # nobody knows what state it is in
            raise
        return rows
