"""A small HTTP server for what platforms and Prometheus ask a worker. It answers GET and closes the connection.

It is written by hand because a framework costs an idle worker 3 MiB, and because all it has to know of HTTP is the
first line of a request. Clients may send anything to the port: requests are bounded in size and time,
connections in number.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from queue_lib.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

MAX_HEAD = 8192  # bytes of a request's first line and headers
IN_TIME = 5.0  # seconds that a request may take to come, and an answer to be taken
MAX_CONNECTIONS = 20
JSON = "application/json"
WORDS = 3  # of a request's first line: method, path, version


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered."""

    status: HTTPStatus
    body: bytes
    content_type: str = JSON

    @classmethod
    def of(cls, status: HTTPStatus, body: Mapping[str, object]) -> Answer:
        """JSON."""
        return cls(status, json.dumps(body).encode())


Pages = dict[str, "Callable[[], Awaitable[Answer]]"]


@contextlib.asynccontextmanager
async def serve(host: str, port: int, pages: Pages) -> AsyncIterator[int]:
    """Serve `pages`, each a path and its handler; yields the port. Raises ConfigurationError if it is not free."""
    site = _Site(pages)
    try:
        server = await asyncio.start_server(site.connected, host, port, limit=MAX_HEAD)
    except (OSError, OverflowError) as error:  # the latter: there is no such port
        msg = f"METRICS_PORT: can't listen on {host}:{port} ({getattr(error, 'strerror', None) or error})"
        raise ConfigurationError(msg) from None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await site.close()


class _Site:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def close(self) -> None:
        """Close all connections, also those that are being answered."""
        under_way = [task for task in self._open.values() if task is not None]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and hang up."""
        if len(self._open) >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open[writer] = asyncio.current_task()
        try:
            async with asyncio.timeout(2 * IN_TIME):
                await self._converse(reader, writer)
        except (TimeoutError, OSError, asyncio.CancelledError):  # it is slow, or gone, or the process stops
            writer.transport.abort()  # a cancellation ends here: asyncio would write its stack trace into the log
        finally:
            del self._open[writer]
            writer.close()  # again is no fault

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, answer = "GET", Answer.of(HTTPStatus.BAD_REQUEST, {"detail": "that is no HTTP request"})
        try:
            async with asyncio.timeout(IN_TIME):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            answer = Answer.of(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, {"detail": f"more than {MAX_HEAD} bytes"})
        except asyncio.IncompleteReadError:
            return
        else:
            words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
            if len(words) == WORDS and words[2].startswith("HTTP/1."):
                method = words[0]
                answer = await self._answer(method, words[1].partition("?")[0])
        writer.write(_head(answer) + (b"" if method == "HEAD" else answer.body))
        writer.close()
        await writer.wait_closed()  # when all is taken

    async def _answer(self, method: str, path: str) -> Answer:
        page = self._pages.get(path)
        if page is None:
            return Answer.of(HTTPStatus.NOT_FOUND, {"detail": f"there are {', '.join(self._pages)}"})
        if method not in {"GET", "HEAD"}:
            return Answer.of(HTTPStatus.METHOD_NOT_ALLOWED, {"detail": "GET or HEAD"})
        return await page()


def _head(answer: Answer) -> bytes:
    lines = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        f"Content-Type: {answer.content_type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode()
