"""Clients that send a request slowly, or never finish it, on real connections."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest
import uvicorn

from queue_lib.web.connection import PatientConnection
from tests.support.polling import PATIENCE
from web import is_no_cancellation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

SECOND = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class HastyConnection(PatientConnection):
    """A connection with shorter limits than in production."""

    patience = 0.5


async def app(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 -- it reads none
    """Answers at once, and reads no body; `/slow` takes three times the connection's limit."""
    if scope["path"] == "/slow":
        await asyncio.sleep(3 * HastyConnection.patience)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """A running server."""
    config = uvicorn.Config(app, port=0, http=HastyConnection, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    ("start", "answers"),
    [
        (b"", 0),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", 0),
        (SECOND + b"GET / HT", 1),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", 1),
    ],
)
async def test_a_request_that_is_never_whole_is_hung_up_on(port: int, start: bytes, answers: int) -> None:
    """A byte now and then gains no time: in a head, in a second one, or in a body that is not read any more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)

    async def trickle() -> None:
        while True:
            await asyncio.sleep(HastyConnection.patience / 5)
            writer.write(b"a" if start else b"")

    trickling = asyncio.create_task(trickle())
    try:
        said = await asyncio.wait_for(reader.read(), PATIENCE)
    except ConnectionResetError:
        said = b"200" * answers
    trickling.cancel()
    writer.transport.abort()

    assert answers == said.count(b"200")


async def test_an_answer_may_take_its_time(port: int) -> None:
    """The limit does not run while a client waits for its answer, and its next request is answered, too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in (b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", SECOND):
        writer.write(request)
        assert b"200" in await asyncio.wait_for(reader.readuntil(b"ok"), PATIENCE)
    writer.close()


def test_an_answer_that_is_cut_off_at_the_end_is_no_fault() -> None:
    """Uvicorn's stack trace of it is not logged; those of faults are."""

    def is_logged(error: BaseException) -> bool:
        info = (type(error), error, None)
        return is_no_cancellation(logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "", (), info))

    assert [False, True] == [is_logged(asyncio.CancelledError()), is_logged(ValueError())]
