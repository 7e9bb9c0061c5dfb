"""A queue's jobs, by state and wire, and what may be done to the queue."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.admin.admin import Admin
from queue_lib.admin.answers import QueueStats
from queue_lib.admin.ports import JobView
from queue_lib.errors import BrokerRefusedError
from queue_lib.job import State, Wire
from queue_lib.web.dashboard.access import Acting
from queue_lib.web.dashboard.formats import WIRES
from queue_lib.web.dashboard.offers import LONGEST, AsSeen, Seen, offer
from queue_lib.web.dashboard.overview import alarms
from queue_lib.web.dashboard.pages import done, page

COUNT = 50  # jobs on a page
CLEANED = 100_000  # jobs that one action deletes: routers give up after 30 seconds
AGES = {"0": "whatever their age", "3600": "an hour ago", "86400": "a day ago", "604800": "a week ago"}  # seconds

router = APIRouter(prefix="/queue/{queue}")


def known(admin: Acting, queue: Annotated[str, Path(max_length=200)]) -> str:
    """The queue's name. Raises 404 where there is none."""
    if queue not in admin.queues:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no such queue; there are {', '.join(admin.queues)}")
    return queue


Known = Annotated[str, Depends(known)]
Text = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Where:
    """What of a queue is looked at, as the address says it."""

    state: State
    wire: Wire | None
    text: str
    start: int


def where_of(
    state: State = State.WAITING,
    wire: Wire | None = None,
    text: Text = "",
    start: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> Where:
    """What the address asks for."""
    return Where(state, wire, text, start)


@dataclass(frozen=True, slots=True)
class Listed:
    """Some jobs, and from where on there are more."""

    jobs: list[JobView]
    following: int | None


@router.get("")
async def jobs(request: Request, admin: Acting, queue: Known, where: Annotated[Where, Depends(where_of)]) -> Response:
    """A page of jobs of a state on a wire."""
    stats = next(each for each in await admin.stats() if each.queue == queue)
    wire = where.wire or _busiest(stats, where.state)
    if wire not in stats.counts and stats.trouble is not None:
        raise BrokerRefusedError(trouble=stats.trouble)
    listed = await _look(admin, queue, wire, where)
    total = stats.counts[wire][where.state]
    known = (None if where.start or listed.following is not None else len(listed.jobs)) if where.text else total
    return page(
        request,
        "queue.html",
        stats=stats,
        alarms=alarms(stats, await admin.workers()),
        jobs=listed.jobs,
        following=listed.following,
        offer=offer(known, f"failed {WIRES[wire]} job"),
        state=where.state,
        wire=wire,
        text=where.text,
        start=where.start,
        states=State,
        ages=AGES,
        count=COUNT,
        refresh=0 if where.text else 5,  # a search is much to ask for
        here="overview",
    )


async def _look(admin: Admin, queue: str, wire: Wire, where: Where) -> Listed:
    if where.text:
        found = await admin.search(queue, where.state, wire, where.text, start=where.start, count=COUNT)
        return Listed(found.jobs, found.resume)
    browsed = await admin.browse(queue, where.state, wire, where.start, COUNT)
    following = where.start + COUNT
    return Listed(browsed.jobs, following if following < browsed.total else None)


def _busiest(stats: QueueStats, state: State) -> Wire:
    """The wire with the most jobs of a state."""
    return max(stats.counts, key=lambda wire: stats.counts[wire][state], default=Wire.BULLMQ)


@router.post("/pause")
async def pause(admin: Acting, queue: Known) -> Response:
    """Hand out no more jobs."""
    await admin.pause(queue)
    return done(f"/queue/{queue}", "paused")


@router.post("/resume")
async def resume(admin: Acting, queue: Known) -> Response:
    """Undo pause."""
    await admin.resume(queue)
    return done(f"/queue/{queue}", "resumed")


@router.post("/retry")
async def retry(admin: Acting, queue: Known, wire: Wire, seen: AsSeen, text: Text = "") -> Response:
    """Run the failed jobs of a wire again, those that have the text: as many as the page said, and none newer."""
    until = time.monotonic() + LONGEST
    found, more = await _failed(admin, queue, wire, text, seen)
    retried = 0
    for job in found:
        if time.monotonic() > until:
            more = True
            break
        retried += await admin.retry(job)
    where = {"state": State.FAILED.value, "wire": wire.value, "text": text}
    return done(f"/queue/{queue}", "retried-some" if more else "retried", retried, **where)


async def _failed(admin: Admin, queue: str, wire: Wire, text: str, seen: Seen) -> tuple[list[JobView], bool]:
    """Failed jobs, and whether there are more. All are found first: one that is retried makes those behind move up."""
    found: list[JobView] = []
    start: int | None = 0
    until = time.monotonic() + LONGEST / 2
    while start is not None and len(found) <= seen.most and time.monotonic() < until:
        search = await admin.search(queue, State.FAILED, wire, text, start=start, count=seen.most + 1 - len(found))
        found += [replace(job, data=None) for job in search.jobs if (job.finished_at or 0.0) <= seen.at]
        start = search.resume
    return found[: seen.most], start is not None or len(found) > seen.most


@router.post("/clean")
async def clean(
    request: Request, admin: Acting, queue: Known, state: State, seen: Annotated[float, Query(gt=0)]
) -> Response:
    """Delete the jobs that had ended some time before the page was made, which was `seen` seconds after the epoch."""
    age = request.state.form.get("older", "")
    if state not in {State.COMPLETED, State.FAILED} or age not in AGES:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "what has ended is cleaned, by one of the ages offered")
    deleted = await admin.clean(queue, state, float(age) + max(time.time() - seen, 0.0), CLEANED)
    return done(f"/queue/{queue}", "cleaned-some" if deleted == CLEANED else "cleaned", deleted, state=state.value)
