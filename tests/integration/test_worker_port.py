"""The worker's port, with well-behaved and hostile HTTP clients."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from queue_lib.errors import ConfigurationError
from queue_lib.observe import http
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LARGE = 30_000_000  # bytes: more than the sockets of both ends take


async def page() -> http.Answer:
    """A page."""
    return http.Answer.of(HTTPStatus.OK, {"outcome": "alive"})


async def large() -> http.Answer:
    """A page that is too large for a buffer."""
    return http.Answer(HTTPStatus.OK, b"x" * LARGE, "text/plain")


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A running server with shorter limits than in production."""
    monkeypatch.setattr(http, "IN_TIME", 0.2)
    async with http.serve("127.0.0.1", 0, {"/healthz": page, "/large": large}) as port:
        yield port


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def said(port: int, request: bytes) -> bytes:
    """The whole answer to a request, until the server hangs up."""
    async with connection(port) as (reader, writer), asyncio.timeout(PATIENCE):
        writer.write(request)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


def lines(*words: str) -> bytes:
    """The bytes of a request."""
    return "\r\n".join((*words, "", "")).encode()


@pytest.mark.parametrize("line", ["GET /healthz HTTP/1.1", "GET /healthz?verbose HTTP/1.0"])
async def test_a_page(port: int, line: str) -> None:
    """It is answered with its type and length, and the connection is closed."""
    head, _, body = (await said(port, lines(line, "Host: worker"))).partition(b"\r\n\r\n")

    assert b'{"outcome": "alive"}' == body
    assert b"HTTP/1.1 200 OK" == head.split(b"\r\n")[0]
    assert {b"Content-Type: application/json", b"Content-Length: 20", b"Connection: close"} <= set(head.split(b"\r\n"))


async def test_head_has_no_body(port: int) -> None:
    """HEAD is GET without a body."""
    answer = await said(port, lines("HEAD /healthz HTTP/1.1"))

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (lines("GET /nothing HTTP/1.1"), 404),
        (lines("GET /../healthz HTTP/1.1"), 404),
        (lines("POST /healthz HTTP/1.1", "Content-Length: 99999999999"), 405),
        (lines("GET  /healthz HTTP/1.1"), 400),
        (lines("GET /healthz"), 400),
        (lines("GET /healthz SMTP/1.1"), 400),
        (b"\x16\x03\x01\xff\x00\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (lines("GET /" + "a" * 9000 + " HTTP/1.1"), 431),
        (lines("GET /healthz HTTP/1.1", "Cookie: " + "a" * 9000), 431),
        (b"a" * 20_000, 431),
    ],
)
async def test_unknown_and_malformed_requests(port: int, request_: bytes, status: int) -> None:
    """They get their status at once, and nothing of them is echoed."""
    answer = await said(port, request_)

    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert b"aaaa" not in answer
    assert b'"alive"' in await said(port, lines("GET /healthz HTTP/1.1"))


async def test_slow_clients_are_hung_up_on(port: int) -> None:
    """Half a request, nothing at all, and a byte now and then: none holds a connection."""
    for begun in (b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"):
        assert b"" == await said(port, begun)


async def test_clients_that_do_not_read_are_hung_up_on(port: int) -> None:
    """An answer that is not taken is dropped."""
    async with connection(port) as (reader, writer):
        writer.write(lines("GET /large HTTP/1.1"))
        await asyncio.sleep(0.6)
        taken = await reader.read()
    assert 0 < len(taken) < LARGE


async def test_connections_are_bounded(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """When all are taken, a new client is hung up on; when some are free again, clients are served."""
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 3)
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
    await asyncio.sleep(0.05)
    refused = await said(port, lines("GET /healthz HTTP/1.1"))
    for _, writer in held:
        writer.close()
    await asyncio.sleep(0.05)

    assert b"" == refused
    assert b'"alive"' in await said(port, lines("GET /healthz HTTP/1.1"))


async def test_many_clients_at_once(port: int) -> None:
    """Those that get an answer get the right one, and the server lives."""
    answers = await asyncio.gather(*(said(port, lines("GET /healthz HTTP/1.1")) for _ in range(300)))

    assert {b'{"outcome": "alive"}'} == {answer[-20:] for answer in answers if answer}
    assert b'"alive"' in await said(port, lines("GET /healthz HTTP/1.1"))


async def test_a_port_that_is_taken(port: int) -> None:
    """The error names the variable."""
    with pytest.raises(ConfigurationError, match=rf"METRICS_PORT: can't listen on 127.0.0.1:{port}"):
        async with http.serve("127.0.0.1", port, {}):
            pass


async def test_a_port_beyond_the_last_is_a_fault_of_the_settings() -> None:
    """A second process needs the next port, and after 65535 there is none."""
    with pytest.raises(ConfigurationError, match=r"METRICS_PORT: can't listen on 127\.0\.0\.1:65536"):
        async with http.serve("127.0.0.1", 65536, {}):
            pass


async def test_the_end_of_the_process_cuts_off_open_answers() -> None:
    """A scrape that hangs as the worker stops is hung up on, and leaves no stack trace in the log."""
    asked, faults = asyncio.Event(), list[dict[str, object]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))

    async def hangs() -> http.Answer:
        asked.set()
        await asyncio.Event().wait()
        return await page()

    async with http.serve("127.0.0.1", 0, {"/metrics": hangs}) as port:
        scrape = asyncio.create_task(said(port, b"GET /metrics HTTP/1.1\r\n\r\n"))
        await asked.wait()

    assert b"" == await scrape
    await asyncio.sleep(0)
    assert [] == faults
