"""Jobs: submit, look, retry, remove."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.admin import Admin
from queue_lib.api.guard import reader, submitter, writer
from queue_lib.api.models import Accepted, JobOut, Outcome, Submission, job_out
from queue_lib.api.problems import described
from queue_lib.api.tokens import Token
from queue_lib.broker.base import Addition, JobView
from queue_lib.job import Wire

router = APIRouter(prefix="/queue/jobs", tags=["jobs"])

JobId = Annotated[str, Path(min_length=1, max_length=200)]
QueueName = Annotated[str | None, Query(description="Needed where jobs of several queues have this id.")]
WireName = Annotated[Wire | None, Query(description="Needed where jobs of both wires have this id.")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Submitting with it again adds no second job.",
    ),
]


def admin(request: Request, token: Token) -> Admin:
    """The admin, acting for this token."""
    shared: Admin = request.app.state.admin
    return shared.acting(token.name)


@router.post("", status_code=HTTPStatus.ACCEPTED, responses=described(400, 401, 403, 413, 422, 429, 503))
async def submit(
    request: Request,
    response: Response,
    submission: Submission,
    token: Annotated[Token, Depends(submitter)],
    key: Key = None,
) -> Accepted:
    """Enqueue a job, once its payload is found to be one that a worker takes."""
    options = submission.options
    job_id = options.job_id
    if key is not None:
        job_id = f"key-{hashlib.sha256(f'{token.name} {key}'.encode(errors='replace')).hexdigest()[:32]}"
    addition = Addition(
        name=submission.name,
        data=submission.data,
        job_id=job_id,
        delay=options.delay / 1000,
        attempts=options.attempts,
    )
    added, queue = await admin(request, token).add(addition, options.wire)
    response.headers["Location"] = f"/queue/jobs/{added}?queue={queue}&wire={options.wire.value}"
    return Accepted(id=added, queue=queue, wire=options.wire)


@router.get("/{job_id}", responses=described(401, 404, 409, 422, 503))
async def look(
    request: Request,
    job_id: JobId,
    token: Annotated[Token, Depends(reader)],
    queue: QueueName = None,
    wire: WireName = None,
) -> JobOut:
    """One job whole: its payload, progress, result, or the reason and the stack trace of its last failure."""
    return job_out(await _one(admin(request, token), job_id, queue, wire))


@router.post("/{job_id}/retry", responses=described(401, 403, 404, 409, 422, 503))
async def retry(
    request: Request,
    job_id: JobId,
    token: Annotated[Token, Depends(writer)],
    queue: QueueName = None,
    wire: WireName = None,
) -> Outcome:
    """Run a failed job again from its first attempt, and drop its dead letter."""
    operator = admin(request, token)
    job = await _one(operator, job_id, queue, wire)
    if not await operator.retry(job):
        raise HTTPException(HTTPStatus.CONFLICT, f"the job is {job.state.value}, not failed")
    return Outcome(outcome="retried")


@router.delete("/{job_id}", responses=described(401, 403, 404, 409, 422, 503))
async def remove(
    request: Request,
    job_id: JobId,
    token: Annotated[Token, Depends(writer)],
    queue: QueueName = None,
    wire: WireName = None,
) -> Outcome:
    """Delete a job that does not run, and its dead letter."""
    operator = admin(request, token)
    if not await operator.remove(await _one(operator, job_id, queue, wire)):
        raise HTTPException(HTTPStatus.CONFLICT, "the job is running")
    return Outcome(outcome="removed")


async def _one(operator: Admin, job_id: str, queue: str | None, wire: Wire | None) -> JobView:
    """The job. Raises 404 where there is none, 409 where there are several."""
    found = await operator.find(job_id, queue, wire)
    if not found:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such job (any more)")
    if len(found) > 1:
        places = ", ".join(f"queue={job.queue}&wire={job.wire.value}" for job in found)
        raise HTTPException(HTTPStatus.CONFLICT, f"several jobs have this id; say which: {places}")
    return found[0]
