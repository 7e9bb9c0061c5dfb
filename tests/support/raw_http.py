"""Servers that answer as no framework would, and a DNS that lies."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

from aiohttp.abc import AbstractResolver

from tests.support.listening import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n"
# Successes that a strict client would refuse.
ODD_SUCCESSES = [
    CREATED + b"X-Trace: " + b"a" * 9_000 + b"\r\n\r\n",
    CREATED + b"".join(b"X-%d: %s\r\n" % (number, b"a" * 900) for number in range(10)) + b"\r\n",
    CREATED + b"".join(b"X-%d: a\r\n" % number for number in range(400)) + b"\r\n",
    CREATED.replace(b"Created", b"r" * 9_000) + b"\r\n",
    CREATED.replace(b" Created", b"") + b"\r\n",
    CREATED + b"X-Folded: a\r\n  b\r\nX-Odd: \xe9\x01\r\nSet-Cookie: =;;\xff\r\n\r\n",
    CREATED + b"Content-Type: text/html; charset=none\r\nLocation: http://[bad\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + CREATED + b"\r\n",
    b"HTTP/1.0 201 Created\r\n\r\n",
    b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhe",
    *(
        b"HTTP/1.1 201 Created\r\nContent-Encoding: %s\r\nContent-Length: 5\r\n\r\nhello" % encoding
        for encoding in (b"gzip", b"br", b"zstd", b"none")
    ),
]


def name_of(answer: bytes) -> str:
    """A test's name for an answer."""
    return answer[:40].decode(errors="replace").split("\r")[0] + f", {len(answer)} bytes"


@contextlib.asynccontextmanager
async def raw_server(behave: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """A server that reads a request and then does as `behave` says; yields its origin."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(length)
        await behave(writer)

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}"


def answering(answer: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """Send these bytes, and end the connection."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    return behave


async def reset(writer: asyncio.StreamWriter) -> None:
    """Cut the connection without an answer."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def garbage(writer: asyncio.StreamWriter) -> None:
    """Answer bytes that are no HTTP."""
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    await writer.drain()


async def drip(writer: asyncio.StreamWriter) -> None:
    """Answer at once, and then one byte at a time without end."""
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.02)


class Rebinding(AbstractResolver):
    """A DNS that gives the test's answers, one address a look-up."""

    def __init__(self, *addresses: str) -> None:
        """Take the addresses."""
        self._addresses = list(addresses)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
        """Give the next address."""
        address = self._addresses.pop(0)
        return [{"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Nothing to close."""
