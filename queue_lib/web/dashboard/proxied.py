"""Requests that an app passes on for its own users: a token of API_TOKENS signs them in, and no cookie does.

A browser can't add that token to a request to this host, so no other site can send such a form: the app refuses those
that it should not pass on. What the headers below say counts only beside a token.

A proxy in front may add a bearer token of its own (oauth2-proxy's `--pass-authorization-header`: an ID token) to the
requests of people who have signed in here. So a token that is not known makes no request an app's; `ACCESS` does.
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
ACCESS = "x-pushmill-access"  # the app's mark; "read": its user may only read, whatever the token may
PATH = re.compile(r"(?:/(?!\.\.?(?:/|$))[\w.~%-]+)+", re.ASCII)
LONGEST = 200  # characters of a path


@dataclass(frozen=True, slots=True)
class Proxied:
    """Whose token it is, and below which path of the app the browser sees the dashboard."""

    token: Token
    prefix: str


def is_proxied(request: Request) -> bool:
    """Whether the request is an app's, so that no cookie counts: it has the app's mark, or a token that is known."""
    return ACCESS in request.headers or proxied(request) is not None


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
    found = proxied(request)
    return found.prefix if found else PREFIX
