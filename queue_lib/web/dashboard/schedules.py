"""The schedules of all queues, and what may be done to one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.admin.schedules import ScheduleView
from queue_lib.job import Wire
from queue_lib.web.dashboard import formats
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.pages import done, page

if TYPE_CHECKING:
    from collections.abc import Sequence

COUNT = 50  # schedules on a page

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Row:
    """A schedule on the page. `key` tells it from all others, in letters and digits."""

    schedule: ScheduleView
    key: str
    said: str
    owner: str


def rows(schedules: Sequence[ScheduleView]) -> list[Row]:
    """The schedules as the page shows them."""
    return [Row(each, _key(each), _said(each), _owner(each)) for each in schedules]


def _key(schedule: ScheduleView) -> str:
    text = f"{schedule.queue} {schedule.id}".encode(errors="replace")
    return hashlib.sha256(text).hexdigest()[:16]


def _said(schedule: ScheduleView) -> str:
    if schedule.cron is not None:
        return f"{schedule.cron} {schedule.tz or ''}".rstrip()
    return formats.NONE if schedule.every is None else f"every {formats.duration(schedule.every)}"


def _owner(schedule: ScheduleView) -> str:
    return "" if schedule.owner is None else schedule.owner or "JOBS"


@router.get("/schedules")
async def listed(
    request: Request, operator: Operator, start: Annotated[int, Query(ge=0, le=10_000_000)] = 0
) -> Response:
    """The schedules, queue by queue, those that are due first in front."""
    found = await operator.schedules.page(None, start, COUNT)
    following = start + len(found.schedules)
    return page(
        request,
        "schedules.html",
        rows=rows(found.schedules),
        total=found.total,
        unread=found.unread,
        start=start,
        following=following if found.schedules and following < found.total else None,
        bullmq=Wire.BULLMQ.value,
        refresh=5,
        here="schedules",
    )


async def schedule_of(
    operator: Operator,
    queue: Annotated[str, Query(max_length=200)],
    id: Annotated[str, Query(min_length=1, max_length=1000)],  # noqa: A002 -- its name in the address
) -> ScheduleView:
    """The schedule that the address names. Raises 404."""
    found = await operator.schedules.find(id, queue)
    if not found:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such schedule (any more)")
    return found[0]


FoundSchedule = Annotated[ScheduleView, Depends(schedule_of)]


@router.post("/schedule/run")
async def run(request: Request, operator: Operator, schedule: FoundSchedule) -> Response:
    """Add one more job now, and show it."""
    job_id = await operator.schedules.run(schedule)
    if job_id is None:
        return done(request, "/schedules", "schedule-gone")
    return done(request, "/job", "schedule-run", queue=schedule.queue, wire=Wire.BULLMQ.value, id=job_id)


@router.post("/schedule/pause")
async def pause(request: Request, operator: Operator, schedule: FoundSchedule) -> Response:
    """Add no more jobs."""
    said = "schedule-paused" if await operator.schedules.pause(schedule) else "schedule-gone"
    return done(request, "/schedules", said)


@router.post("/schedule/resume")
async def resume(request: Request, operator: Operator, schedule: FoundSchedule) -> Response:
    """Undo pause."""
    said = "schedule-resumed" if await operator.schedules.resume(schedule) else "schedule-not-paused"
    return done(request, "/schedules", said)


@router.post("/schedule/remove")
async def remove(request: Request, operator: Operator, schedule: FoundSchedule) -> Response:
    """Delete a schedule."""
    said = "schedule-removed" if await operator.schedules.remove(schedule) else "schedule-gone"
    return done(request, "/schedules", said)
