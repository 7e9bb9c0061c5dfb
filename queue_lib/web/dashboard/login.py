"""Signing in and out, and the files that a page without a session needs, too."""

from __future__ import annotations

import re
import secrets
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from queue_lib.web.dashboard.addresses import PREFIX, address
from queue_lib.web.dashboard.dependencies import COOKIE, cookie_name, signed_in_form
from queue_lib.web.dashboard.forms import check_csrf, check_origin, form_of, is_https
from queue_lib.web.dashboard.login_attempts import LoginAttempts, address_of
from queue_lib.web.dashboard.pages import ASSETS, STATIC, VERSIONS, page
from queue_lib.web.dashboard.proxied import is_proxied
from queue_lib.web.dashboard.sessions import LIFETIME, Sessions
from queue_lib.web.tokens import Token, find

YEAR = 365 * 24 * 3600  # seconds
FORM = "pushmill-form"  # the cookie that the form for signing in must repeat
OURS = re.compile(rf"{PREFIX}/[\w/.?&=%+~-]*", re.ASCII)

router = APIRouter()

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def to_sign_in(request: Request) -> RedirectResponse:
    """To the form, and from there to the page that was asked for."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = asked if request.method == "GET" and OURS.fullmatch(asked) else None
    return RedirectResponse(address("/login", next=wanted), HTTPStatus.SEE_OTHER)


def not_proxied(request: Request) -> None:
    """For signing in and out. Raises 404 for an app's request: its own session counts."""
    if is_proxied(request):
        raise HTTPException(HTTPStatus.NOT_FOUND, "the app signs in and out, not the dashboard")


@router.get("/static/{version}/{name}")
async def static(version: str, name: str) -> Response:
    """Style and script; nothing secret is in them. Another version's is not given: it would be kept for a year."""
    if VERSIONS.get(name) != version:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such file")
    return Response(
        ASSETS[name], media_type=STATIC[name], headers={"Cache-Control": f"public, max-age={YEAR}, immutable"}
    )


@router.get("/login", dependencies=[Depends(not_proxied)])
async def form(request: Request, next: str = "") -> Response:  # noqa: A002 -- its name in the address
    """The form."""
    return _form(request, _ours(next))


def _form(request: Request, wanted: str, fault: str | None = None, status: int = HTTPStatus.OK) -> HTMLResponse:
    name = cookie_name(request, FORM)
    known = request.cookies.get(name, "")
    csrf = known if re.fullmatch(r"[\w-]{43}", known, re.ASCII) else secrets.token_urlsafe(32)
    answer = page(request, "login.html", status, csrf=csrf, wanted=wanted, fault=fault)
    _set(request, answer, FORM, csrf)
    return answer


@router.post("/login", dependencies=[Depends(not_proxied)])
async def sign_in(request: Request) -> Response:
    """Open a session for a person with a token."""
    check_origin(request)
    attempts: LoginAttempts = request.app.state.attempts
    attempts.check(address_of(request))
    with attempts.reading():
        sent = await form_of(request)
    wanted = _ours(sent.get("next", ""))
    check_csrf(request.cookies.get(cookie_name(request, FORM), ""), sent)
    token: Token | None = find(request.app.state.tokens, sent.get("token", "").strip())
    if token is None:
        attempts.failed(address_of(request))
        _log.warning("sign_in_refused", address=address_of(request))
        return _form(request, wanted, "No entry of API_TOKENS is this token's.", HTTPStatus.UNAUTHORIZED)
    sessions: Sessions = request.app.state.sessions
    answer = RedirectResponse(wanted or f"{PREFIX}/", HTTPStatus.SEE_OTHER)
    _set(request, answer, COOKIE, sessions.open(token))
    _log.info("signed_in", by=token.name)
    return answer


@router.post("/logout", dependencies=[Depends(not_proxied), Depends(signed_in_form)])
async def sign_out(request: Request) -> Response:
    """Take the cookie back."""
    answer = RedirectResponse(f"{PREFIX}/login", HTTPStatus.SEE_OTHER)
    _set(request, answer, COOKIE, "", lifetime=0)
    return answer


def _set(request: Request, answer: Response, name: str, value: str, lifetime: int = LIFETIME) -> None:
    https = is_https(request)
    answer.set_cookie(
        cookie_name(request, name),
        value,
        max_age=lifetime,
        path="/" if https else PREFIX,  # a `__Host-` cookie is the whole host's
        secure=https,
        httponly=True,
        samesite="strict",
    )


def _ours(wanted: str) -> str:
    """The address, if it is one of the dashboard's."""
    return wanted if OURS.fullmatch(wanted) else ""
