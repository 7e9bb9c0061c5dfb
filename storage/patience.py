"""Limit the wait for a Postgres connection that may have been cut silently.

psycopg cancels a query on the server, over another connection, and then waits ten seconds more. Shutting down the
socket ends the wait at once, and the driver reports a broken connection.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.pool import ConnectionPoolEntry

PING = 3.0  # seconds for a pooled connection to answer
NEW = "pushmill_new"


@contextmanager
def at_most(connection: psycopg.AsyncConnection, seconds: float) -> Iterator[None]:
    """Shut the connection down after so many seconds; its query then raises psycopg.OperationalError."""
    timer = asyncio.get_running_loop().call_later(seconds, _hang_up, connection)
    try:
        yield
    finally:
        timer.cancel()


def ping_at_checkout(engine: AsyncEngine) -> None:
    """Test each connection that the pool has kept. If one is cut, drop all that are older, too.

    A new one is not tested: where PgBouncer has no server connection left, an empty query waits as any other.
    """

    @event.listens_for(engine.sync_engine, "checkout")
    def ping(connection: Any, record: ConnectionPoolEntry, _: object) -> None:
        if record.info.setdefault(NEW, True):
            record.info[NEW] = False
            return
        try:
            connection.run_async(_ping)
        except psycopg.Error as error:
            raise InvalidatePoolError from error


async def _ping(connection: psycopg.AsyncConnection) -> None:
    with at_most(connection, PING):
        await connection.execute("")  # as psycopg's own pool does


def _hang_up(connection: psycopg.AsyncConnection) -> None:
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
        line.shutdown(socket.SHUT_RDWR)
