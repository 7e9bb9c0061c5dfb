"""The dashboard as a part of the web process: an application of its own below /admin/queues."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from queue_lib.errors import BrokerUnavailableError, PermanentError
from queue_lib.web.dashboard import (
    dead_letters,
    enqueue,
    job,
    letter_groups,
    login,
    outbox,
    overview,
    queue,
    schedules,
    ticked,
    workers,
)
from queue_lib.web.dashboard.addresses import PREFIX, Links
from queue_lib.web.dashboard.dependencies import SignInNeededError, UnknownTokenError, allowed
from queue_lib.web.dashboard.login_attempts import LoginAttempts
from queue_lib.web.dashboard.pages import page
from queue_lib.web.dashboard.sessions import Sessions
from queue_lib.web.headers import AWAY_FOR, DASHBOARD_HEADERS, WithHeaders

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fastapi import Response

    from queue_lib.processor import JobSchema
    from queue_lib.shown import Showing
    from queue_lib.web.tokens import Token

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def install(
    web: FastAPI,
    tokens: Sequence[Token],
    secret: str,
    modules: Collection[str] = (),
    showings: Mapping[str, tuple[JobSchema, Showing]] | None = None,
) -> FastAPI:
    """Put the dashboard into the web process, over the admin that is its `state.admin`; returns the dashboard.

    `tokens` may sign in. `secret` is the same in all web processes, and secret to others: Redis's URL. `modules` are a
    team's own, by name: their frames in stack traces are not folded. `showings` are what features show of their jobs.
    """
    pages = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    pages.state.admin = lambda: web.state.admin
    pages.state.sessions, pages.state.tokens = Sessions(tokens, secret), tuple(tokens)
    pages.state.attempts = LoginAttempts()
    pages.state.modules = frozenset(name.partition(".")[0] for name in modules)
    pages.state.showings = showings or {}
    pages.include_router(login.router)
    for part in (overview, queue, ticked, enqueue, job, schedules, letter_groups, dead_letters, workers, outbox):
        pages.include_router(part.router, dependencies=[Depends(allowed)])
    _answer_errors(pages)

    @web.get(PREFIX, include_in_schema=False)
    async def front(request: Request) -> RedirectResponse:
        return RedirectResponse(Links.of(request).front("/"), HTTPStatus.SEE_OTHER, DASHBOARD_HEADERS)

    web.mount(PREFIX, WithHeaders(pages, DASHBOARD_HEADERS))
    return pages


def _answer_errors(pages: FastAPI) -> None:
    """As pages, too."""

    @pages.exception_handler(SignInNeededError)
    async def _sign_in(request: Request, _: SignInNeededError) -> Response:
        return login.to_sign_in(request)

    @pages.exception_handler(UnknownTokenError)
    async def _unknown(request: Request, _: UnknownTokenError) -> Response:
        answer = page(request, "error.html", HTTPStatus.UNAUTHORIZED, reason="no entry of API_TOKENS is this token's")
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    @pages.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        answer = page(request, "error.html", error.status_code, reason=str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @pages.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        faults = "; ".join(f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()[:5])
        return page(request, "error.html", HTTPStatus.UNPROCESSABLE_ENTITY, reason=f"this is not understood: {faults}")

    @pages.exception_handler(PermanentError)
    async def _refused(request: Request, error: PermanentError) -> Response:
        return page(request, "error.html", HTTPStatus.NOT_FOUND, reason=str(error))

    @pages.exception_handler(BrokerUnavailableError)
    async def _away(request: Request, error: BrokerUnavailableError) -> Response:
        _log.error("api_redis_trouble", reason=str(error))
        answer = page(request, "away.html", HTTPStatus.SERVICE_UNAVAILABLE, trouble=error.trouble.value, refresh=5)
        answer.headers["Retry-After"] = AWAY_FOR
        return answer

    @pages.exception_handler(Exception)
    async def _fault(request: Request, _: Exception) -> Response:  # the API's handler logs it
        reason = "a fault of the server's; its log says which"
        return page(request, "error.html", HTTPStatus.INTERNAL_SERVER_ERROR, reason=reason)
