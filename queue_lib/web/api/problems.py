"""Errors in the format of RFC 9457: `application/problem+json` with a title, a status and a detail for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from queue_lib.admin.backends import NoSuchQueueError
from queue_lib.errors import BrokerUnavailableError, PermanentError
from queue_lib.observe.events import InternalFault
from queue_lib.outcome import Failure
from queue_lib.web.headers import AWAY_FOR, HEADERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI, Request

    from queue_lib.observe.events import Observer

SHOWN = 3  # faults that the detail repeats
MOST = 100  # faults that an answer lists
LONGEST = 100  # characters of each part of a field's path: the client chooses a body's keys
EXAMPLES = {
    400: "there was an error parsing the body",
    401: "a bearer token is needed: Authorization: Bearer ...",
    403: "this token may only read",
    404: "there is no such job (any more)",
    408: "the body took more than 15 seconds",
    409: "the job is waiting, not failed",
    413: "the body has more than 4194304 bytes",
    422: "bad payload for build-report: reportId: Field required",
    429: "more than 6000 jobs in a minute (API_RATE)",
    503: "Redis can't be reached",
}

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Fault(BaseModel):
    """What is wrong with one field."""

    field: str
    detail: str


class Problem(BaseModel):
    """The body of every error. A 422 has the `errors`, at most 100 of them, each with its field."""

    title: str
    status: int
    detail: str
    errors: list[Fault] | None = None


class UnfitError(PermanentError):
    """Some fields or jobs are invalid; `faults` says which."""

    def __init__(self, faults: list[Fault]) -> None:
        """The message repeats the first three."""
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        super().__init__("; ".join(f"{fault.field}: {fault.detail}" for fault in faults[:SHOWN]) + more)
        self.faults = faults


def _schema() -> dict[str, Any]:
    """The JSON Schema of a problem in one piece: an OpenAPI document resolves no `#/$defs/`."""
    schema = Problem.model_json_schema()
    [faults, _] = schema["properties"]["errors"]["anyOf"]
    faults["items"] = schema.pop("$defs")["Fault"]
    return schema


SCHEMA = _schema()


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses for these statuses."""
    return {status: {"description": HTTPStatus(status).phrase, "content": _content(status)} for status in statuses}


def _content(status: int) -> dict[str, Any]:
    example = Problem(title=HTTPStatus(status).phrase, status=status, detail=EXAMPLES[status])
    shown = example.model_dump(exclude_none=True)
    return {"application/problem+json": {"schema": SCHEMA, "example": shown}}


def problem(
    status: int, detail: str, headers: dict[str, str] | None = None, faults: list[Fault] | None = None
) -> JSONResponse:
    """The answer to an error."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=faults and faults[:MOST])
    # With the headers of all answers: the answer to a fault bypasses the middleware that adds them.
    content, own = body.model_dump(exclude_none=True), HEADERS | (headers or {})
    return JSONResponse(content, status, own, media_type="application/problem+json")


def _unfit(error: UnfitError) -> JSONResponse:
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), faults=error.faults)


def _field(place: Sequence[object]) -> str:
    return ".".join(str(part)[:LONGEST] for part in place)


def _allow(request: Request, error: HTTPException) -> dict[str, str]:
    """The Allow header of a 405: all methods of the path. Starlette names one route's, and a path may have two."""
    if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
        return {}
    scope = {name: request.scope[name] for name in ("type", "path", "raw_path", "root_path", "headers")}
    routes = request.app.router.routes
    methods = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return {"Allow": ", ".join(methods)}


def _path(request: Request) -> str:
    """The path for the log, without the token that HireFire's may have."""
    path = request.url.path
    return "/hirefire/..." if path.startswith("/hirefire/") else path[:200]


def install(app: FastAPI, observe: Observer | None = None) -> None:
    """Answer every error in this format, without a stack trace. `observe` is called for faults of our own."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), dict(error.headers or {}) | _allow(request, error))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return _unfit(UnfitError([Fault(field=_field(each["loc"]), detail=each["msg"]) for each in error.errors()]))

    @app.exception_handler(UnfitError)
    async def _several(_: Request, error: UnfitError) -> JSONResponse:
        return _unfit(error)

    @app.exception_handler(PermanentError)
    async def _refused(_: Request, error: PermanentError) -> JSONResponse:
        is_missing = isinstance(error, NoSuchQueueError)
        return problem(HTTPStatus.NOT_FOUND if is_missing else HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(BrokerUnavailableError)
    async def _away(_: Request, error: BrokerUnavailableError) -> JSONResponse:
        _log.error("api_redis_trouble", reason=str(error))
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, error.trouble.value, {"Retry-After": AWAY_FOR})

    @app.exception_handler(Exception)
    async def _fault(request: Request, error: Exception) -> JSONResponse:
        _log.error("api_fault", path=_path(request), exc_info=error)
        if observe is not None:
            observe(InternalFault("api_fault", Failure.of(error)))
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the server's; its log says which")
