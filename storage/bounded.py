"""A connection whose statements are cancelled by the database itself after some time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.database_faults import code_of
from storage.errors import StatementRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.database import Database

LONGEST = 20.0  # seconds of a statement: less than the caller's own patience with the database
CANCELLED = "57014"
BOUNDS = text("SELECT set_config('statement_timeout', :most, true), set_config('transaction_read_only', :reads, true)")


@asynccontextmanager
async def bounded(database: Database, *, writes: bool) -> AsyncIterator[AsyncConnection]:
    """A transaction of Postgres, or a statement of SQLite, which knows no such bound.

    Raises StatementRefusedError for a statement that takes too long: the next one would, too. Else as
    `Database.connection` does.
    """
    if database.is_sqlite:
        async with database.connection(writes=writes) as connection:
            yield connection
        return
    async with database.transaction() as connection:
        milliseconds = str(round(LONGEST * 1000))
        await connection.execute(BOUNDS, {"most": milliseconds, "reads": "off" if writes else "on"})
        try:
            yield connection
        except DBAPIError as error:
            if code_of(error) != CANCELLED:
                raise
            msg = f"the database has cancelled a statement after {LONGEST:g} s"
            raise StatementRefusedError(msg, CANCELLED) from None
