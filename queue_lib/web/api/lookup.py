"""Who acts, and which job is meant."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query, Request
from starlette.exceptions import HTTPException

from queue_lib.admin.admin import Admin
from queue_lib.admin.ports import JobView
from queue_lib.job import Wire
from queue_lib.web.tokens import Token

JobId = Annotated[str, Path(min_length=1, max_length=200)]
QueueName = Annotated[str | None, Query(min_length=1, description="Needed where jobs of several queues have this id.")]
WireName = Annotated[Wire | None, Query(description="Needed where jobs of both wires have this id.")]
OneQueue = Annotated[str, Query(min_length=1)]
Start = Annotated[int, Query(ge=0, le=10_000_000, description="The number of the first one, from 0.")]


def admin(request: Request, token: Token) -> Admin:
    """The admin, acting for this token."""
    shared: Admin = request.app.state.admin
    return shared.acting(token.name)


async def one(operator: Admin, job_id: str, queue: str | None, wire: Wire | None) -> JobView:
    """The job. Raises 404 where there is none, 409 where there are several."""
    found = await operator.find(job_id, queue, wire)
    if not found:
        raise gone()
    if len(found) > 1:
        places = ", ".join(f"queue={job.queue}&wire={job.wire.value}" for job in found)
        raise HTTPException(HTTPStatus.CONFLICT, f"several jobs have this id; say which: {places}")
    return found[0]


def gone() -> HTTPException:
    """There is no such job."""
    return HTTPException(HTTPStatus.NOT_FOUND, "there is no such job (any more)")


def named(operator: Admin, queue: str | None) -> tuple[str, ...]:
    """The queue of this name, or all of them. Raises 404 where there is none."""
    if queue is not None and queue not in operator.queues:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no such queue; there are {', '.join(operator.queues)}")
    return operator.queues if queue is None else (queue,)
