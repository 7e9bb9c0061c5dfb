"""A link to a server that can lose an answer: the server has run the command, and the client does not hear of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence


class LossyLink:
    """Passes bytes between clients and one server; as a context manager it listens."""

    def __init__(self, url: str, host: str = "127.0.0.1", port: int = 0) -> None:
        """To the server of this URL; it listens on `host` and `port`, or a free port."""
        self._port = urlsplit(url).port
        self._host, self.port = host, port
        self._passed: list[int] = []  # answers still to pass before one is lost
        self._served: set[asyncio.Task[Any]] = set()
        self._ways: set[asyncio.Task[None]] = set()
        self.lost = 0

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more, and close what clients have left open."""
        self.refuse()
        while self._served:
            for way in self._ways:
                way.cancel()
            await asyncio.wait(self._served, timeout=0.1)

    async def listen(self) -> None:
        """Accept connections, always at the same address."""
        self._server = await asyncio.start_server(self._serve, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Accept no new connections, like a server that is away."""
        self._server.close()

    def lead_to(self, url: str) -> None:
        """New connections go to this server, as a name does after a failover; open ones stay with the old server."""
        self._port = urlsplit(url).port

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"redis://{self._host}:{self.port}"

    @property
    def open(self) -> int:
        """The number of clients' connections."""
        return len(self._served)

    def lose(self, after: int = 0) -> None:
        """Lose the answer that comes after this many more, and its connection."""
        self._passed = [after]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = asyncio.current_task()
        assert served is not None
        self._served.add(served)
        try:
            its_reader, its_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except BaseException:  # no server is there, or it has ended
            await _close([], [writer])
            self._served.discard(served)
            raise
        ways = [
            asyncio.create_task(self._commands(reader, its_writer)),
            asyncio.create_task(self._answers(its_reader, writer)),
        ]
        self._ways.update(ways)
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _close(ways, [writer, its_writer])
            self._ways.difference_update(ways)
            self._served.discard(served)

    async def _commands(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65_536):
            if self._is_lost():
                return
            writer.write(chunk)
            await writer.drain()

    def _is_lost(self) -> bool:
        if not self._passed:
            return False
        if (left := self._passed.pop()) > 0:
            self._passed.append(left - 1)
            return False
        self.lost += 1
        return True


async def _close(ways: Sequence[asyncio.Task[None]], writers: Sequence[asyncio.StreamWriter]) -> None:
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    for writer in writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
