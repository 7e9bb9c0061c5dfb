"""Adding jobs: one, or a batch."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.admin.admission import UnfitJobsError
from queue_lib.web.api.dependencies import Authorized, Operator
from queue_lib.web.api.job_models import Accepted, AcceptedBatch, Batch, Submission
from queue_lib.web.api.problems import Fault, UnfitError, described
from queue_lib.web.api.route import ApiRoute
from queue_lib.web.rate_limit import FixedWindow
from queue_lib.web.tokens import Token

router = APIRouter(prefix="/queue/jobs", tags=["jobs"], route_class=ApiRoute)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Submitting with it again adds no second job.",
    ),
]


def count_jobs(limiter: FixedWindow, token: Token, jobs: int) -> None:
    """Count so many jobs. Raises 429 beyond the token's limit, and 413 for more than any minute allows."""
    if jobs > limiter.most:
        msg = f"a batch has at most {limiter.most} jobs (API_RATE)"
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, msg)
    if wait := limiter.wait(token.name, jobs):
        msg = f"more than {limiter.most} jobs in a minute (API_RATE)"
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, msg, {"Retry-After": str(wait)})
    limiter.count(token.name, jobs)


def submitter(request: Request, token: Authorized) -> Token:
    """The token that submits one job, within its limit."""
    count_jobs(request.app.state.limiter, token, 1)
    return token


@router.post("", status_code=HTTPStatus.ACCEPTED, responses=described(400, 401, 403, 408, 413, 422, 429, 503))
async def submit(
    response: Response,
    operator: Operator,
    submission: Submission,
    token: Annotated[Token, Depends(submitter)],
    key: Key = None,
) -> Accepted:
    """Enqueue a job, if a worker takes its payload and the wire its options."""
    wire = submission.options.wire
    job_id = _id(token, key) if key is not None else None
    addition = submission.options.addition(submission.name, submission.data, job_id)
    added, queue = await operator.jobs.add(addition, wire)
    response.headers["Location"] = f"/queue/jobs/{added}?queue={queue}&wire={wire.value}"
    return Accepted(id=added, queue=queue, wire=wire)


@router.post("/batch", status_code=HTTPStatus.ACCEPTED, responses=described(400, 401, 403, 408, 413, 422, 429, 503))
async def submit_batch(
    request: Request, operator: Operator, batch: Batch, token: Authorized, key: Key = None
) -> AcceptedBatch:
    """Enqueue up to 1,000 jobs if all are valid; else none, and the answer says what is wrong with each.

    If Redis goes away in the middle, some are enqueued: with an Idempotency-Key the same batch may be sent again.
    """
    count_jobs(request.app.state.limiter, token, len(batch.jobs))
    ids = [None if key is None else _id(token, f"{number} {key}") for number in range(len(batch.jobs))]
    jobs = [
        (each.options.addition(each.name, each.data, job_id), each.options.wire)
        for each, job_id in zip(batch.jobs, ids, strict=True)
    ]
    try:
        added = await operator.jobs.add_all(jobs)
    except UnfitJobsError as error:
        faults = [Fault(field=f"body.jobs.{number}", detail=reason) for number, reason in error.faults.items()]
        raise UnfitError(faults) from None
    places = zip(added, jobs, strict=True)
    return AcceptedBatch(jobs=[Accepted(id=job_id, queue=queue, wire=wire) for (job_id, queue), (_, wire) in places])


def _id(token: Token, key: str) -> str:
    return f"key-{hashlib.sha256(f'{token.name} {key}'.encode(errors='replace')).hexdigest()[:32]}"
