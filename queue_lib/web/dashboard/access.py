"""Who may see and do what: a session for every page, and for every action a form of the dashboard's own."""

from __future__ import annotations

import contextlib
import hmac
import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from queue_lib.admin.admin import Admin
from queue_lib.web.dashboard.sessions import Session, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFIX = "/admin/queues"
COOKIE = "pushmill"
MOST_FIELDS = 20  # of a form
LONGEST_FORM = 64 * 1024  # bytes
MOST_ATTEMPTS = 10  # to sign in that may fail, in a window, from one address
MOST_AT_ONCE = 16  # forms of people who sign in that are read at once: a quarter of all bodies
MOST_ADDRESSES = 10_000  # that are told apart
WINDOW = 60.0  # seconds


class SignInNeededError(Exception):
    """There is no session, or it has ended."""


def is_https(request: Request) -> bool:
    """Whether the browser asked by https; the platform's router, which ends TLS, says so."""
    told = request.headers.get("x-forwarded-proto", request.url.scheme)
    return told.partition(",")[0].strip().lower() == "https"


def cookie_name(request: Request, name: str = COOKIE) -> str:
    """By https the name is one that browsers take from this very host only."""
    return f"__Host-{name}" if is_https(request) else name


def session_of(request: Request) -> Session:
    """The session. Raises SignInNeededError."""
    sessions: Sessions = request.app.state.sessions
    session = sessions.read(request.cookies.get(cookie_name(request), ""))
    if session is None:
        raise SignInNeededError
    request.state.session = session
    return session


async def form_of(request: Request) -> dict[str, str]:
    """The fields of the form that was sent. Raises 413, 415 and 400 for what is no form of ours."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "this is no form")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LONGEST_FORM:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the form has more than {LONGEST_FORM} bytes")
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "the form can't be read") from None


def check_origin(request: Request) -> None:
    """Raise 403 unless the form was sent from a page of this very host."""
    origin = request.headers.get("origin", "")
    scheme = "https" if is_https(request) else "http"
    expected = f"{scheme}://{request.headers.get('host', '')}"
    if origin.lower() != expected.lower():
        hint = ""
        if urlsplit(origin).netloc == urlsplit(expected).netloc:
            hint = " (does the proxy in front send X-Forwarded-Proto?)"
        msg = f"the form was sent from another site: {origin[:100] or 'unknown'}, not {expected[:100]}{hint}"
        raise HTTPException(HTTPStatus.FORBIDDEN, msg)


def check_csrf(expected: str, form: dict[str, str]) -> None:
    """Raise 403 unless the form has this token."""
    if not expected or not hmac.compare_digest(expected.encode(), form.get("csrf", "").encode(errors="replace")):
        msg = "the form is out of date: go back, reload the page, and try again"
        raise HTTPException(HTTPStatus.FORBIDDEN, msg)


async def signed_in_form(request: Request) -> None:
    """For what any session may send: its own form, from this site."""
    session = session_of(request)
    check_origin(request)
    request.state.form = await form_of(request)
    check_csrf(session.csrf, request.state.form)


async def allowed(request: Request) -> None:
    """For every page and action: a look needs a session, anything else a form of one that may write."""
    if request.method in {"GET", "HEAD"}:
        session_of(request)
        return
    await signed_in_form(request)
    if not request.state.session.token.may_write:
        raise HTTPException(HTTPStatus.FORBIDDEN, "this token may only read")


def acting(request: Request) -> Admin:
    """The admin, acting for who is signed in."""
    shared: Admin = request.app.state.admin()
    return shared.acting(request.state.session.token.name)


Acting = Annotated[Admin, Depends(acting)]


class Attempts:
    """So many failed attempts to sign in, in a window, from each address; so many forms at once from all of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._clock = clock
        self._failed: Counter[str] = Counter()
        self._until = 0.0
        self._forms = 0

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """While a stranger's form is read. Raises 503 where too many are: strangers keep nobody from the API."""
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
        now = self._clock()
        if now >= self._until:
            self._failed.clear()
            self._until = now + WINDOW
        if self._failed[self._key(address)] >= MOST_ATTEMPTS:
            wait = int(self._until - now) + 1
            msg = f"too many attempts to sign in; the next one in {wait} seconds"
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, msg, {"Retry-After": str(wait)})

    def failed(self, address: str) -> None:
        """Count one."""
        self._failed[self._key(address)] += 1

    def _key(self, address: str) -> str:
        return address if address in self._failed or len(self._failed) < MOST_ADDRESSES else "others"


def address_of(request: Request) -> str:
    """Who asks: the last address that the platform's router has put down, else the peer's."""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return (forwarded or (request.client.host if request.client else ""))[:100]
