"""A test's own server, which leaves no connection open behind its loop, however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve connections on a port, which it yields. Broken connections are no fault; at the end all are closed.

    asyncio's own server leaves open what it has accepted and not yet handed over when it is closed.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 -- the socket's own signature
        tasks: set[asyncio.Task[None]] = set()
        tasks.add(asyncio.create_task(_accept(listener, serve, tls, tasks)))
        try:
            yield listener.getsockname()[1]
        finally:
            while left := set(tasks):
                for task in left:
                    task.cancel()
                await asyncio.wait(left)
                tasks -= left


async def _accept(
    listener: socket.socket, serve: Serve, tls: ssl.SSLContext | None, tasks: set[asyncio.Task[None]]
) -> None:
    while True:
        connection, _ = await asyncio.get_running_loop().sock_accept(listener)
        task = asyncio.create_task(_served(connection, serve, tls))
        tasks.add(task)
        task.add_done_callback(partial(_over, tasks, connection))


def _over(tasks: set[asyncio.Task[None]], connection: socket.socket, task: asyncio.Task[None]) -> None:
    tasks.discard(task)
    connection.close()


async def _served(connection: socket.socket, serve: Serve, tls: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, connection, ssl=tls)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await serve(reader, writer)
            writer.close()
            await writer.wait_closed()
        finally:
            transport.abort()  # what is not sent yet would keep it open
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a port of this machine, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)
