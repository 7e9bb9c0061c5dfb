"""One job whole, and what may be done to it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.admin.follow_ups import follow_up_of, follow_ups
from queue_lib.admin.ports import JobRef, JobView
from queue_lib.job import State, Wire
from queue_lib.web.dashboard.addresses import Links
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.pages import done, page
from queue_lib.web.dashboard.showing import parts_of, pictures_of, policy_with

router = APIRouter()


async def job_of(
    operator: Operator,
    queue: Annotated[str, Query(max_length=200)],
    wire: Wire,
    id: Annotated[str, Query(min_length=1, max_length=1000)],  # noqa: A002 -- its name in the address
) -> JobView:
    """The job that the address names. Raises 404."""
    found = await operator.jobs.find(id, queue, wire)
    if not found:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such job (any more)")
    return found[0]


FoundJob = Annotated[JobView, Depends(job_of)]


@router.get("/job")
async def look(request: Request, operator: Operator, job: FoundJob) -> Response:
    """All that is known of a job."""
    letter = await operator.dead_letters.of(job) if job.state is State.FAILED else None
    flow = await operator.jobs.flow(job)
    related = {} if flow is not None else {"Parents": job.parents, "Children": job.children}
    relatives = related | {
        "Follow-up of": follow_up_of(job),
        "Follow-ups": follow_ups(job),
    }
    blocks = flow is not None and any(node.blocks for node in flow if node.ref == JobRef(job.id, job.queue))
    parts = await asyncio.to_thread(parts_of, job, request.app.state.showings)  # a team's own code may be slow
    pictures = pictures_of(parts)
    answer = page(
        request,
        "job.html",
        job=job,
        parts=parts,
        pictures=pictures,
        letter=letter,
        flow=flow,
        blocks=blocks,
        relatives=relatives,
        of_list=_list_of(request, job),
        refresh=5,
        here="overview",
    )
    answer.headers["Content-Security-Policy"] = policy_with(pictures)
    return answer


@router.post("/job/retry")
async def retry(request: Request, operator: Operator, job: FoundJob) -> Response:
    """Run a failed job again."""
    return _back(request, job, "job-retried" if await operator.jobs.retry(job) else "job-not-failed")


@router.post("/job/promote")
async def promote(request: Request, operator: Operator, job: FoundJob) -> Response:
    """Let a delayed job run now."""
    return _back(request, job, "job-promoted" if await operator.jobs.promote(job) else "job-not-delayed")


@router.post("/job/remove")
async def remove(request: Request, operator: Operator, job: FoundJob) -> Response:
    """Delete a job that does not run."""
    if not await operator.jobs.remove(job):
        return _back(request, job, "job-not-removed")
    return done(request, f"/queue/{job.queue}", "job-removed", None, **_list_of(request, job))


def _list_of(request: Request, job: JobView) -> dict[str, str]:
    """Where the job is listed, unless the reader comes from a list: links lead back to that."""
    return {} if Links.of(request).filters else {"state": job.state.value, "wire": job.wire.value}


def _back(request: Request, job: JobView, said: str) -> Response:
    return done(request, "/job", said, queue=job.queue, wire=job.wire.value, id=job.id)
