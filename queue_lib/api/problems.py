"""Errors as RFC 9457 has them: `application/problem+json` with a title, a status and a detail for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from queue_lib.errors import BrokerUnavailableError, PermanentError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request

AWAY_FOR = "5"  # seconds to wait before another try, while Redis is away

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Problem(BaseModel):
    """The body of every error."""

    title: str
    status: int
    detail: str


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: these answers are problems."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error's answer."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(body.model_dump(), status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error so. A client sees no stack trace."""

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = (f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()[:10])
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults))

    @app.exception_handler(PermanentError)
    async def _refused(_: Request, error: PermanentError) -> JSONResponse:
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    @app.exception_handler(BrokerUnavailableError)
    async def _away(_: Request, error: BrokerUnavailableError) -> JSONResponse:
        _log.error("api_redis_away", reason=str(error))
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "Redis can't be reached", {"Retry-After": AWAY_FOR})

    @app.exception_handler(Exception)
    async def _fault(request: Request, error: Exception) -> JSONResponse:
        _log.error("api_fault", path=request.url.path[:200], exc_info=error)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the server's; its log says which")
