"""The permissions of tokens in the web process: the rule that the API and the dashboard share."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from queue_lib.web.tokens import Token

READING = frozenset({"GET", "HEAD"})


def check_may(token: Token, method: str) -> None:
    """Raise 403 if the token may only read, and this HTTP method does more."""
    if method not in READING and not token.may_write:
        raise HTTPException(HTTPStatus.FORBIDDEN, "this token may only read")
