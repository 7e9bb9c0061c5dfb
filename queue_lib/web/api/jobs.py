"""Existing jobs: look, wait, retry, promote, remove."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException

from queue_lib.admin.merging import Cursor
from queue_lib.job import State, Wire
from queue_lib.web.api.dependencies import FoundJob, OneQueue, Operator, gone
from queue_lib.web.api.job_models import JobOut, JobPageOut, Outcome, job_out, numbered_out, page_out
from queue_lib.web.api.problems import described
from queue_lib.web.api.route import ApiRoute
from queue_lib.web.api.watch import Watch

if TYPE_CHECKING:
    from queue_lib.admin.admin import Admin

QUICK = 0.1  # seconds after which a search looks at no more jobs
LONGEST_CURSOR = 8000  # characters: ids of a place in each list
LONGEST_WAIT = 25  # seconds: hosts cut requests that are silent for 30

router = APIRouter(prefix="/queue/jobs", tags=["jobs"], route_class=ApiRoute)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which jobs are asked for, and how many of them at once."""

    queue: str
    state: State
    text: str | None
    count: int


def asked_of(
    queue: OneQueue,
    state: State,
    text: Annotated[str | None, Query(min_length=1, max_length=200, description="Only jobs with these words.")] = None,
    count: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Asked:
    """What the address asks for."""
    return Asked(queue, state, text, count)


def cursor_of(
    after: Annotated[
        str | None, Query(max_length=LONGEST_CURSOR, description="The `next` of the last page. Of both wires only.")
    ] = None,
) -> Cursor | None:
    """The place in the list of both wires. Raises 422."""
    try:
        return Cursor.read(after) if after else None
    except ValueError:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "after: it is no place in a list") from None


@router.get("", responses=described(401, 404, 422, 503))
async def browse(
    operator: Operator,
    asked: Annotated[Asked, Depends(asked_of)],
    after: Annotated[Cursor | None, Depends(cursor_of)],
    wire: Annotated[Wire | None, Query(description="Both wires as one list by time, if it is left out.")] = None,
    start: Annotated[
        int, Query(ge=0, le=10_000_000, description="The number of the first one, from 0. Of one wire only.")
    ] = 0,
) -> JobPageOut:
    """A queue's jobs of a state: ended jobs newest first, others in running order.

    With `text`, jobs that have it in their id, name, reason or payload, in any case; one request looks for a tenth of a
    second, and at 5,000 jobs at most. Of both wires, `next` is the `after` of the next request: jobs that come or go
    meanwhile move no other one from page to page. Of one `wire`, `resume` is the `start` of the next request.
    """
    if wire is None and start:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "start: it needs a `wire`; both wires have `after`")
    if wire is not None and after is not None:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "after: it is of both wires; one `wire` has `start`")
    if wire is None:
        return await _of_both(operator, asked, after)
    return await _of_one(operator, asked, wire, start)


async def _of_both(operator: Admin, asked: Asked, after: Cursor | None) -> JobPageOut:
    queue, state, text, count = asked.queue, asked.state, asked.text, asked.count
    if text is not None:
        found = await operator.lists.search(queue, state, None, text, after, count=count, seconds=QUICK)
        return page_out(found, total=None)
    found = await operator.lists.page(queue, state, None, after, count)
    return page_out(found, total=await operator.lists.total(queue, state))


async def _of_one(operator: Admin, asked: Asked, wire: Wire, start: int) -> JobPageOut:
    queue, state, text, count = asked.queue, asked.state, asked.text, asked.count
    if text is not None:
        search = await operator.jobs.search(queue, state, wire, text, start=start, count=count, seconds=QUICK)
        return numbered_out(search.jobs, None, search.resume)
    page = await operator.jobs.browse(queue, state, wire, start, count)
    end = start + count
    return numbered_out(page.jobs, page.total, end if end < page.total else None)


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
