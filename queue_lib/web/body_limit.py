"""Limits of request bodies: the size of one, the time that it takes, and the sum that is held at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 4 * 1024 * 1024  # bytes of one body: the limit of a job's data on RQ
MOST = 64  # bodies at once
MOST_BYTES = 32 * 1024 * 1024  # of all of them
LONGEST = 15.0  # seconds that a body may take: less than the grace time of a stop
BUSY_FOR = "2"  # seconds after which a client may try again


class BodyLimit:
    """Limits the bodies of all requests. A body counts from its first read until the request is answered.

    A body that is never read costs nothing: the server takes at most 64 KiB of it from the network.
    """

    def __init__(self, app: ASGIApp, longest: float = LONGEST) -> None:
        """Stand in front of `app`; a body may take `longest` seconds."""
        self._app = app
        self._longest = longest
        self._held = Held()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle the request. Reading its body beyond a limit raises HTTPException."""
        if scope["type"] != "http" or scope["method"] == "GET":  # the body of a GET is never read
            await self._app(scope, receive, send)
            return
        body = _Body(receive, Headers(scope=scope), self._held, self._longest)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.release()


@dataclass
class Held:
    """How many bodies the process holds, and how many bytes of them."""

    bodies: int = 0
    size: int = 0


class _Body:
    """One request's body. It counts once its first part is read."""

    def __init__(self, receive: Receive, headers: Headers, held: Held, longest: float) -> None:
        self._receive = receive
        self._held = held
        self._longest = longest
        self._declared = _length(headers)
        self._is_whole = self._declared == 0 and "transfer-encoding" not in headers
        self._deadline: float | None = None
        self._size = 0

    async def receive(self) -> Message:
        """The server's next message, which is mostly a part of the body. Raises HTTPException."""
        if self._is_whole:
            return await self._receive()
        if self._deadline is None:
            self._begin()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            msg = f"the body took more than {self._longest:g} seconds"
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, msg) from None
        if message["type"] != "http.request":
            raise HTTPException(HTTPStatus.BAD_REQUEST, "the body ends before it is whole")
        self._take(len(message.get("body", b"")))
        self._is_whole = not message.get("more_body", False)
        return message

    def _begin(self) -> None:
        self._check_size(self._declared)
        if self._held.bodies >= MOST:
            raise _busy()
        self._held.bodies += 1
        self._deadline = asyncio.get_running_loop().time() + self._longest

    def _take(self, size: int) -> None:
        self._size += size
        self._held.size += size
        self._check_size(self._size)
        if self._held.size > MOST_BYTES:
            raise _busy()

    @staticmethod
    def _check_size(size: int) -> None:
        if size > LARGEST:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has more than {LARGEST} bytes")

    def release(self) -> None:
        """The request is answered."""
        self._held.size -= self._size
        self._held.bodies -= self._deadline is not None


def _length(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0  # noqa: PLR2004 -- of any body


def _busy() -> HTTPException:
    """Too many bodies, or too many bytes, at once."""
    msg = "too much is being sent to this process at once"
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, msg, {"Retry-After": BUSY_FOR})
