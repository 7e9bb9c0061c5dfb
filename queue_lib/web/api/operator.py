"""Who may do what, and how often."""

from __future__ import annotations

import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from queue_lib.web.tokens import Token, find

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = 60.0  # seconds

bearer = HTTPBearer(auto_error=False, description="A token of API_TOKENS.")


def reader(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Token:
    """Who asks. Raises 401 without a known token."""
    token = find(request.app.state.tokens, credentials.credentials) if credentials else None
    if token is None:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "a bearer token is needed: Authorization: Bearer ...",
            {"WWW-Authenticate": "Bearer"},
        )
    return token


def writer(token: Annotated[Token, Depends(reader)]) -> Token:
    """Who acts. Raises 403 for a token that may only read."""
    if not token.may_write:
        raise HTTPException(HTTPStatus.FORBIDDEN, "this token may only read")
    return token


class Limiter:
    """So many submissions in a window, for each token."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._most = most
        self._clock = clock
        self._counts: Counter[str] = Counter()
        self._until = 0.0

    def count(self, name: str, jobs: int = 1) -> None:
        """Count so many. Raises 429 beyond the limit, and 413 for more than any window allows."""
        if jobs > self._most:
            msg = f"a batch has at most {self._most} jobs (API_RATE)"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, msg)
        now = self._clock()
        if now >= self._until:
            self._counts.clear()
            self._until = now + WINDOW
        if self._counts[name] + jobs > self._most:
            wait = str(int(self._until - now) + 1)
            msg = f"more than {self._most} jobs in a minute (API_RATE)"
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, msg, {"Retry-After": wait})
        self._counts[name] += jobs


def submitter(request: Request, token: Annotated[Token, Depends(writer)]) -> Token:
    """Who submits a job, within the limit."""
    limiter: Limiter = request.app.state.limiter
    limiter.count(token.name)
    return token
