"""A link to a server that can be cut silently, as by a firewall that forgets a connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path


class SilentLink:
    """Passes bytes between a port and a server's socket; as a context manager it listens."""

    def __init__(self, socket: Path, port: int = 0) -> None:
        """To the server that listens there; it listens on `port`, or a free one."""
        self._socket = socket
        self.port = port
        self._cut: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all."""
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def cut(self) -> None:
        """Pass nothing more over the open connections, without an error; new ones work."""
        self._cut = set(self._open)

    @property
    def open(self) -> int:
        """The number of working connections."""
        return len(self._open - self._cut)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        writers = [writer]
        try:
            its_reader, its_writer = await asyncio.open_unix_connection(self._socket)
            writers.append(its_writer)
            await asyncio.gather(self._pass(task, reader, its_writer), self._pass(task, its_reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            for each in writers:
                each.transport.abort()
            await asyncio.sleep(0)
            self._open.discard(task)

    async def _pass(self, task: asyncio.Task[None], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if task not in self._cut:
                writer.write(data)
                await writer.drain()
        if task not in self._cut:
            raise ConnectionAbortedError
