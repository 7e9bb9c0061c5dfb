"""What routes depend on: the operator who asks, and the job that the address names."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from queue_lib.admin.admin import Admin
from queue_lib.admin.ports import JobView
from queue_lib.job import Wire
from queue_lib.web.access import check_may
from queue_lib.web.tokens import Token, find

JobId = Annotated[str, Path(min_length=1, max_length=200)]
QueueOfJob = Annotated[str | None, Query(min_length=1, description="Needed where jobs of several queues have this id.")]
WireOfJob = Annotated[Wire | None, Query(description="Needed where jobs of both wires have this id.")]
OneQueue = Annotated[str, Query(min_length=1)]
Start = Annotated[int, Query(ge=0, le=10_000_000, description="The number of the first one, from 0.")]

bearer = HTTPBearer(auto_error=False, description="A token of API_TOKENS.")


def token_of(request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Token:
    """The request's token. Raises 401 without a known one, and 403 if it may only read and the request does more."""
    token = find(request.app.state.tokens, credentials.credentials) if credentials else None
    if token is None:
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "a bearer token is needed: Authorization: Bearer ...",
            {"WWW-Authenticate": "Bearer"},
        )
    check_may(token, request.method)
    return token


Authorized = Annotated[Token, Depends(token_of)]


def operator_of(request: Request, token: Authorized) -> Admin:
    """The admin, acting for the request's token."""
    shared: Admin = request.app.state.admin
    return shared.acting(token.name)


Operator = Annotated[Admin, Depends(operator_of)]


async def job_of(operator: Operator, job_id: JobId, queue: QueueOfJob = None, wire: WireOfJob = None) -> JobView:
    """The job that the address names. Raises 404 if there is none, 409 if there are several."""
    found = await operator.jobs.find(job_id, queue, wire)
    if not found:
        raise gone()
    if len(found) > 1:
        places = ", ".join(f"queue={job.queue}&wire={job.wire.value}" for job in found)
        raise HTTPException(HTTPStatus.CONFLICT, f"several jobs have this id; say which: {places}")
    return found[0]


FoundJob = Annotated[JobView, Depends(job_of)]


def gone() -> HTTPException:
    """There is no such job."""
    return HTTPException(HTTPStatus.NOT_FOUND, "there is no such job (any more)")
