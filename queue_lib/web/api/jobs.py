"""Existing jobs: look, wait, retry, promote, remove."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException

from queue_lib.job import State, Wire
from queue_lib.web.api.dependencies import FoundJob, OneQueue, Operator, Start, gone
from queue_lib.web.api.job_models import JobOut, JobPageOut, Outcome, job_out, page_out
from queue_lib.web.api.problems import described
from queue_lib.web.api.route import ApiRoute
from queue_lib.web.api.watch import Watch

QUICK = 0.1  # seconds after which a search looks at no more jobs
LONGEST_WAIT = 25  # seconds: hosts cut requests that are silent for 30

router = APIRouter(prefix="/queue/jobs", tags=["jobs"], route_class=ApiRoute)


@router.get("", responses=described(401, 404, 422, 503))
async def browse(  # noqa: PLR0913 -- the parameters of the query
    operator: Operator,
    queue: OneQueue,
    state: State,
    wire: Wire,
    *,
    text: Annotated[str | None, Query(min_length=1, max_length=200, description="Only jobs with these words.")] = None,
    start: Start = 0,
    count: Annotated[int, Query(ge=1, le=100)] = 50,
) -> JobPageOut:
    """One wire's jobs of a state: ended jobs newest first, others in running order.

    With `text`, jobs that have it in their id, name, reason or payload, in any case; one request looks at 1,000 jobs at
    most. `resume` is the `start` of the next request.
    """
    if text is not None:
        search = await operator.jobs.search(queue, state, wire, text, start=start, count=count, seconds=QUICK)
        return page_out(search.jobs, None, search.resume)
    page = await operator.jobs.browse(queue, state, wire, start, count)
    end = start + count
    return page_out(page.jobs, page.total, end if page.jobs and end < page.total else None)


@router.get("/{job_id}", responses=described(401, 404, 409, 422, 503))
async def look(
    request: Request,
    operator: Operator,
    job: FoundJob,
    wait: Annotated[int, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for the job's end, at most.")] = 0,
) -> JobOut:
    """One job in full: its payload, attempts, times, progress, and its result or why it failed.

    With `wait` the answer comes when the job has completed or failed, or after so many seconds with the job as it is
    then; ask again.
    """
    if not wait:
        return job_out(job)
    watch: Watch = request.app.state.watch
    ended = await watch.until_ended(operator.jobs, job, wait, request.is_disconnected)
    if ended is None:
        raise gone()
    return job_out(ended)


@router.post("/{job_id}/retry", responses=described(401, 403, 404, 409, 422, 503))
async def retry(operator: Operator, job: FoundJob) -> Outcome:
    """Run a failed job again from its first attempt, and drop its dead letter."""
    if not await operator.jobs.retry(job):
        raise HTTPException(HTTPStatus.CONFLICT, f"the job is {job.state.value}, not failed")
    return Outcome(outcome="retried")


@router.post("/{job_id}/promote", responses=described(401, 403, 404, 409, 422, 503))
async def promote(operator: Operator, job: FoundJob) -> Outcome:
    """Let a delayed job run now."""
    if not await operator.jobs.promote(job):
        raise HTTPException(HTTPStatus.CONFLICT, f"the job is {job.state.value}, not delayed")
    return Outcome(outcome="promoted")


@router.delete("/{job_id}", responses=described(401, 403, 404, 409, 422, 503))
async def remove(operator: Operator, job: FoundJob) -> Outcome:
    """Delete a job that does not run.

    The dead letter of a failed job is deleted, too. That of an earlier job with the same id stays, to be replayed.
    """
    if not await operator.jobs.remove(job):
        raise HTTPException(HTTPStatus.CONFLICT, "the job is running")
    return Outcome(outcome="removed")
