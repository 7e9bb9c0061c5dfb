"""A queue's jobs, by state and wire, and what may be done to the queue."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.admin.filters import JobFilter
from queue_lib.admin.jobs import JobAdmin
from queue_lib.admin.ports import JobView
from queue_lib.admin.queues import QueueStats
from queue_lib.errors import BrokerRefusedError
from queue_lib.job import State, Wire
from queue_lib.web.dashboard.alarms import alarms
from queue_lib.web.dashboard.charts import InPeriod, Period, graphs_of, history_of
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.formats import WIRES
from queue_lib.web.dashboard.offers import LONGEST, AsSeen, offer
from queue_lib.web.dashboard.pages import done, page

COUNT = 50  # jobs on a page
CLEANED = 100_000  # jobs that one action deletes at most: routers give up after 30 seconds
AGES = {"0": "whatever their age", "3600": "an hour ago", "86400": "a day ago", "604800": "a week ago"}  # seconds

router = APIRouter(prefix="/queue/{queue}")


def known(operator: Operator, queue: Annotated[str, Path(max_length=200)]) -> str:
    """The queue's name. Raises NoSuchQueueError, which is answered with a 404."""
    [queue] = operator.queues.chosen(queue)
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
async def jobs(
    request: Request,
    operator: Operator,
    queue: Known,
    where: Annotated[Where, Depends(where_of)],
    period: InPeriod = Period.HOUR,
) -> Response:
    """A page of jobs of a state on a wire."""
    stats = next(each for each in await operator.queues.stats() if each.queue == queue)
    wire = where.wire or _busiest(stats, where.state)
    if wire not in stats.counts and stats.trouble is not None:
        raise BrokerRefusedError(trouble=stats.trouble)
    listed = await _look(operator.jobs, queue, wire, where)
    total = stats.counts[wire][where.state]
    known = (None if where.start or listed.following is not None else len(listed.jobs)) if where.text else total
    return page(
        request,
        "queue.html",
        stats=stats,
        alarms=alarms(stats, await operator.workers.alive()),
        jobs=listed.jobs,
        following=listed.following,
        offer=offer(known, f"failed {WIRES[wire]} job"),
        state=where.state,
        wire=wire,
        text=where.text,
        start=where.start,
        period=period,
        graphs=graphs_of(await history_of(operator.queues, queue, period), period),
        names=await operator.queues.by_name(queue, period.minutes),
        states=State,
        ages=AGES,
        count=COUNT,
        refresh=0 if where.text else 5,  # a search is expensive
        here="overview",
    )


async def _look(jobs: JobAdmin, queue: str, wire: Wire, where: Where) -> Listed:
    if where.text:
        found = await jobs.search(queue, where.state, wire, where.text, start=where.start, count=COUNT)
        return Listed(found.jobs, found.resume)
    browsed = await jobs.browse(queue, where.state, wire, where.start, COUNT)
    following = where.start + COUNT
    return Listed(browsed.jobs, following if following < browsed.total else None)


def _busiest(stats: QueueStats, state: State) -> Wire:
    """The wire with the most jobs of a state."""
    return max(stats.counts, key=lambda wire: stats.counts[wire][state], default=Wire.BULLMQ)


@router.post("/pause")
async def pause(operator: Operator, queue: Known) -> Response:
    """Hand out no more jobs."""
    await operator.queues.pause(queue)
    return done(f"/queue/{queue}", "paused")


@router.post("/resume")
async def resume(operator: Operator, queue: Known) -> Response:
    """Undo pause."""
    await operator.queues.resume(queue)
    return done(f"/queue/{queue}", "resumed")


@router.post("/retry")
async def retry(operator: Operator, queue: Known, wire: Wire, seen: AsSeen, text: Text = "") -> Response:
    """Run the failed jobs of a wire again, those that have the text: as many as the page said, and none newer."""
    wanted = JobFilter(queue=queue, wire=wire, words=text or None, before=seen.at)
    outcome = await operator.jobs.retry_many(wanted, seen.most, LONGEST)
    where = {"state": State.FAILED.value, "wire": wire.value, "text": text}
    return done(f"/queue/{queue}", "retried-some" if outcome.more else "retried", outcome.retried, **where)


@router.post("/clean")
async def clean(
    request: Request, operator: Operator, queue: Known, state: State, seen: Annotated[float, Query(gt=0)]
) -> Response:
    """Delete the jobs that had ended some time before the page was made, which was `seen` seconds after the epoch."""
    age = request.state.form.get("older", "")
    if state not in {State.COMPLETED, State.FAILED} or age not in AGES:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "what has ended is cleaned, by one of the ages offered")
    deleted = await operator.queues.clean(queue, state, float(age) + max(time.time() - seen, 0.0), CLEANED)
    return done(f"/queue/{queue}", "cleaned-some" if deleted == CLEANED else "cleaned", deleted, state=state.value)
