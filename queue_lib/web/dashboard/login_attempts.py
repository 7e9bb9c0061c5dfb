"""Limits on signing in: failed attempts from one address, and forms that are read at once."""

from __future__ import annotations

import contextlib
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from queue_lib.web.rate_limit import FixedWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import Request

MOST_ATTEMPTS = 10  # to sign in that may fail, in a minute, from one address
MOST_AT_ONCE = 16  # forms of people who sign in that are read at once: a quarter of all bodies


class LoginAttempts:
    """Failed attempts from each address in a minute, and forms that are read at this moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._window = FixedWindow(MOST_ATTEMPTS, clock)
        self._forms = 0

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """While a form is read. Raises 503 if too many are: people without a token must not block the API."""
        if self._forms >= MOST_AT_ONCE:
            msg = "too many people sign in at this moment; try again"
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, msg, {"Retry-After": "5"})
        self._forms += 1
        try:
            yield
        finally:
            self._forms -= 1

    def check(self, address: str) -> None:
        """Raise 429 if too many attempts from there have failed."""
        if wait := self._window.wait(address):
            msg = f"too many attempts to sign in; the next one in {wait} seconds"
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, msg, {"Retry-After": str(wait)})

    def failed(self, address: str) -> None:
        """Count a failed attempt."""
        self._window.count(address)


def address_of(request: Request) -> str:
    """The client's address: the last one that the platform's router put down, else the peer's."""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return (forwarded or (request.client.host if request.client else ""))[:100]
