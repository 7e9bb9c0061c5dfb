"""Schedules: list, look, put, run now, pause, resume, remove."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.exceptions import HTTPException

from queue_lib.admin.schedules import ScheduleView
from queue_lib.web.api.dependencies import Operator, Start
from queue_lib.web.api.job_models import Outcome
from queue_lib.web.api.problems import described
from queue_lib.web.api.route import ApiRoute
from queue_lib.web.api.schedule_models import (
    ScheduledRun,
    ScheduleIn,
    ScheduleOut,
    SchedulePageOut,
    ScheduleSet,
    schedule_out,
    schedules_out,
)

router = APIRouter(prefix="/queue/schedules", tags=["schedules"], route_class=ApiRoute)

ScheduleId = Annotated[str, Path(min_length=1, max_length=500)]
QueueOfSchedule = Annotated[
    str | None, Query(min_length=1, description="Needed where schedules of several queues have this id.")
]


async def schedule_of(operator: Operator, schedule_id: ScheduleId, queue: QueueOfSchedule = None) -> ScheduleView:
    """The schedule that the address names. Raises 404 if there is none, 409 if there are several."""
    found = await operator.schedules.find(schedule_id, queue)
    if not found:
        raise _gone()
    if len(found) > 1:
        places = ", ".join(f"queue={each.queue}" for each in found)
        raise HTTPException(HTTPStatus.CONFLICT, f"several schedules have this id; say which: {places}")
    return found[0]


FoundSchedule = Annotated[ScheduleView, Depends(schedule_of)]


@router.get("", responses=described(401, 404, 422, 503))
async def page(
    operator: Operator,
    queue: Annotated[str | None, Query(min_length=1, description="All queues, if it is left out.")] = None,
    *,
    start: Start = 0,
    count: Annotated[int, Query(ge=1, le=100)] = 50,
) -> SchedulePageOut:
    """The schedules of the app, of the team's modules and of the API: queue by queue, those that are due first."""
    return schedules_out(await operator.schedules.page(queue, start, count), start)


@router.get("/{schedule_id}", responses=described(401, 404, 409, 422, 503))
async def look(schedule: FoundSchedule) -> ScheduleOut:
    """One schedule."""
    return schedule_out(schedule)


@router.put("/{schedule_id}", responses=described(400, 401, 403, 408, 413, 422, 503))
async def put(operator: Operator, schedule_id: ScheduleId, schedule: ScheduleIn) -> ScheduleSet:
    """Add a schedule, or replace the one with its id. The job's name says in which queue; its payload is checked.

    It runs afterwards, also if that one was paused. Ids of SCHEDULES (`pushmill:...`) are refused.
    """
    queue = await operator.schedules.put(schedule.schedule(schedule_id))
    return ScheduleSet(id=schedule_id, queue=queue)


@router.post("/{schedule_id}/run", responses=described(401, 403, 404, 409, 422, 503))
async def run(operator: Operator, schedule: FoundSchedule) -> ScheduledRun:
    """Add one more job like those of the schedule, now. Its times stay."""
    job_id = await operator.schedules.run(schedule)
    if job_id is None:
        raise _gone()
    return ScheduledRun(outcome="added", id=job_id, queue=schedule.queue)


@router.post("/{schedule_id}/pause", responses=described(401, 403, 404, 409, 422, 503))
async def pause(operator: Operator, schedule: FoundSchedule) -> Outcome:
    """Add no more jobs, until it is resumed or the app makes it again. A job that is due already runs."""
    if not await operator.schedules.pause(schedule):
        raise _gone()
    return Outcome(outcome="paused")


@router.post("/{schedule_id}/resume", responses=described(401, 403, 404, 409, 422, 503))
async def resume(operator: Operator, schedule: FoundSchedule) -> Outcome:
    """Go on at the next time; with an interval at once. 409 if it is not paused."""
    if not await operator.schedules.resume(schedule):
        raise HTTPException(HTTPStatus.CONFLICT, "the schedule is not paused")
    return Outcome(outcome="resumed")


@router.delete("/{schedule_id}", responses=described(401, 403, 404, 409, 422, 503))
async def remove(operator: Operator, schedule: FoundSchedule) -> Outcome:
    """Delete a schedule, and the job that was to come.

    A worker adds one of SCHEDULES again when it starts: pause it instead.
    """
    if not await operator.schedules.remove(schedule):
        raise _gone()
    return Outcome(outcome="removed")


def _gone() -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, "there is no such schedule (any more)")
