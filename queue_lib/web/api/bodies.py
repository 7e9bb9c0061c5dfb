"""The bodies that clients send: how large one may be, how long it may take, and how much of all is held at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST = 4 * 1024 * 1024  # bytes of one body: what a job's data may have on RQ's wire
MOST = 64  # bodies at once
MOST_BYTES = 32 * 1024 * 1024  # of all of them
LONGEST = 15.0  # seconds that a body may take: less than the process has to stop
BUSY_FOR = "2"  # seconds after which a client may try again


class BodyLimit:
    """Bounds the bodies of all requests. One is counted from the moment that somebody reads it until it is answered.

    What nobody reads costs nothing: the server takes no more of it from the network than 64 KiB.
    """

    def __init__(self, app: ASGIApp, longest: float = LONGEST) -> None:
        """Stand in front of `app`; a body may take `longest` seconds."""
        self._app = app
        self._longest = longest
        self._held = Held()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the request. Whoever reads its body beyond a bound has an HTTPException raised."""
        if scope["type"] != "http" or scope["method"] == "GET":  # whose body, if there should be one, nobody reads
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
    """One request's body. It is nobody's before its first part is asked for."""

    def __init__(self, receive: Receive, headers: Headers, held: Held, longest: float) -> None:
        self._receive = receive
        self._held = held
        self._longest = longest
        self._declared = _length(headers)
        self._is_whole = self._declared == 0 and "transfer-encoding" not in headers
        self._deadline: float | None = None
        self._size = 0

    async def receive(self) -> Message:
        """The next part, or whatever else the server tells. Raises HTTPException."""
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
    """A body too many, or of too many bytes."""
    msg = "too much is being sent to this process at once"
    return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, msg, {"Retry-After": BUSY_FOR})
