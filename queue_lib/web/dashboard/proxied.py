"""Requests that an app passes on for its own users: a token of API_TOKENS signs them in, and no cookie does.

A browser can't add that token to a request to this host, so no other site can send such a form: the app refuses those
that it should not pass on. The headers below count only beside a token.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from queue_lib.web.dashboard.addresses import PREFIX
from queue_lib.web.tokens import Token, find

if TYPE_CHECKING:
    from fastapi import Request

BEARER = re.compile(r"bearer +(\S+)", re.IGNORECASE)
BELOW = "x-forwarded-prefix"  # the app's path of the dashboard
ACCESS = "x-pushmill-access"  # "read": the app's user may only read, whatever the token may
PATH = re.compile(r"(?:/(?!\.\.?(?:/|$))[\w.~%-]+)+", re.ASCII)
LONGEST = 200  # characters of a path


@dataclass(frozen=True, slots=True)
class Proxied:
    """Whose token it is, and below which path of the app the browser sees the dashboard."""

    token: Token
    prefix: str


def is_proxied(request: Request) -> bool:
    """Whether the request claims to be an app's. A password of a proxy in front (`Basic`) is none of ours."""
    return request.headers.get("authorization", "").partition(" ")[0].lower() == "bearer"


def proxied(request: Request) -> Proxied | None:
    """What the app says of the request; None if it has no token that is known."""
    given = BEARER.fullmatch(request.headers.get("authorization", ""))
    token = find(request.app.state.tokens, given[1]) if given else None
    if token is None:
        return None
    if request.headers.get(ACCESS, "").lower() == "read":
        token = replace(token, may_write=False)
    below = request.headers.get(BELOW, "")
    return Proxied(token, below if len(below) <= LONGEST and PATH.fullmatch(below) else PREFIX)


def prefix_of(request: Request) -> str:
    """The path below which the browser sees the dashboard."""
    found = proxied(request) if is_proxied(request) else None
    return found.prefix if found else PREFIX
