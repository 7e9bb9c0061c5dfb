"""What pages and actions depend on: a session, a form of the dashboard's own, and the operator who is signed in."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from queue_lib.admin.admin import Admin
from queue_lib.web.access import READING, check_may
from queue_lib.web.dashboard.forms import check_csrf, check_origin, form_of, is_https
from queue_lib.web.dashboard.proxied import is_proxied, proxied
from queue_lib.web.dashboard.sessions import Session, Sessions

COOKIE = "pushmill"


class SignInNeededError(Exception):
    """There is no session, or it has ended."""


class UnknownTokenError(Exception):
    """An app's token is missing or not known."""


def cookie_name(request: Request, name: str = COOKIE) -> str:
    """The cookie's name. By https it is one that browsers accept from this very host only."""
    return f"__Host-{name}" if is_https(request) else name


def session_of(request: Request) -> Session:
    """The session, which is kept in the request's state. Raises SignInNeededError, for an app UnknownTokenError."""
    session = _session_of_app(request) if is_proxied(request) else _session_of_cookie(request)
    request.state.session = session
    return session


def _session_of_cookie(request: Request) -> Session:
    sessions: Sessions = request.app.state.sessions
    session = sessions.read(request.cookies.get(cookie_name(request), ""))
    if session is None:
        raise SignInNeededError
    return session


def _session_of_app(request: Request) -> Session:
    sessions: Sessions = request.app.state.sessions
    found = proxied(request)
    if found is None:
        raise UnknownTokenError
    return sessions.of_app(found.token)


async def signed_in_form(request: Request) -> None:
    """For actions of any session: a form of its own, from this site.

    An app's request has no origin here; the app has checked it, and no other site has the app's token.
    """
    session = session_of(request)
    if not session.is_proxied:
        check_origin(request)
    request.state.form = await form_of(request)
    check_csrf(session.csrf, request.state.form)


async def allowed(request: Request) -> None:
    """For every page and action: a page needs a session, an action a form of a session that may write."""
    if request.method in READING:
        session_of(request)
        return
    await signed_in_form(request)
    check_may(request.state.session.token, request.method)


def operator_of(request: Request) -> Admin:
    """The admin, acting for the person who is signed in."""
    shared: Admin = request.app.state.admin()
    return shared.acting(request.state.session.token.name)


Operator = Annotated[Admin, Depends(operator_of)]
