"""A queue's jobs of a state, of one wire or both, and what may be done to the queue."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.exceptions import HTTPException

from queue_lib.admin.filters import JobFilter
from queue_lib.admin.lists import JobLists, Listed
from queue_lib.admin.merging import Cursor
from queue_lib.admin.reading import Reading
from queue_lib.job import State, Wire
from queue_lib.web.dashboard.alarms import alarms
from queue_lib.web.dashboard.charts import InPeriod, Period, graphs_of, history_of
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.formats import WIRES
from queue_lib.web.dashboard.offers import LONGEST, QUICK, AsSeen, offer
from queue_lib.web.dashboard.pages import done, page

COUNT = 50  # jobs on a page
LONGEST_CURSOR = 8000  # characters: ids of a place in each list
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
    """What of a queue is looked at, as the address says it. Without a wire it is both."""

    state: State
    wire: Wire | None
    text: str
    after: Cursor | None


def where_of(
    state: State = State.WAITING,
    wire: Annotated[str, Query(pattern="^(bullmq|rq|)$")] = "",
    text: Text = "",
    after: Annotated[str, Query(max_length=LONGEST_CURSOR)] = "",
) -> Where:
    """What the address asks for."""
    try:
        cursor = Cursor.read(after) if after else None
    except ValueError:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "after: it is no place in a list") from None
    return Where(state, Wire(wire) if wire else None, text, cursor)


Looked = Annotated[Where, Depends(where_of)]


@router.get("")
async def jobs(
    request: Request, operator: Operator, queue: Known, where: Looked, period: InPeriod = Period.HOUR
) -> Response:
    """A page of jobs of a state, by time."""
    read = Reading()
    stats = await operator.queues.stats_of(queue)
    history = await read(history_of(operator.queues, queue, period))
    names = await read(operator.queues.by_name(queue, period.minutes))
    listed = await _look(operator.lists, queue, where)
    counted = [counts for wire, counts in stats.counts.items() if where.wire in {None, wire}]
    totals = {state: sum(counts[state] for counts in counted) for state in State}
    is_whole = where.after is None and listed.following is None
    known = (len(listed.jobs) if is_whole else None) if where.text else totals[where.state]
    return page(
        request,
        "queue.html",
        stats=stats,
        alarms=alarms(stats, await operator.workers.alive()),
        jobs=listed.jobs,
        following=listed.following.text() if listed.following else None,
        totals=totals,
        total=totals[where.state],
        may_add=bool(operator.jobs.offered(queue)),
        looked=listed.looked,
        passed=where.after.passed if where.after else 0,
        offer=offer(known, f"failed {WIRES[where.wire]} job" if where.wire else "failed job"),
        state=where.state,
        wire=where.wire,
        text=where.text,
        period=period,
        after=where.after.text() if where.after else None,
        graphs=graphs_of(history or (), period),
        names=names,
        unread=read.trouble,
        states=State,
        ages=AGES,
        refresh=0 if where.text else 5,  # a search is expensive
        here="overview",
    )


async def _look(lists: JobLists, queue: str, where: Where) -> Listed:
    if where.text:
        return await lists.search(queue, where.state, where.wire, where.text, where.after, count=COUNT, seconds=QUICK)
    return await lists.page(queue, where.state, where.wire, where.after, COUNT)


@router.post("/pause")
async def pause(request: Request, operator: Operator, queue: Known) -> Response:
    """Hand out no more jobs."""
    await operator.queues.pause(queue)
    return done(request, f"/queue/{queue}", "paused")


@router.post("/resume")
async def resume(request: Request, operator: Operator, queue: Known) -> Response:
    """Undo pause."""
    await operator.queues.resume(queue)
    return done(request, f"/queue/{queue}", "resumed")


@router.post("/retry")
async def retry(request: Request, operator: Operator, queue: Known, where: Looked, seen: AsSeen) -> Response:
    """Run the failed jobs again, those that have the text: as many as the page said, and none newer."""
    wanted = JobFilter(queue=queue, wire=where.wire, words=where.text or None, before=seen.at)
    outcome = await operator.jobs.retry_many(wanted, seen.most, LONGEST)
    said = "retried-some" if outcome.more else "retried"
    return done(request, f"/queue/{queue}", said, outcome.retried, state=State.FAILED.value)


@router.post("/clean")
async def clean(
    request: Request, operator: Operator, queue: Known, state: State, seen: Annotated[float, Query(gt=0)]
) -> Response:
    """Delete the jobs that had ended some time before the page was made, which was `seen` seconds after the epoch."""
    age = request.state.form.get("older", "")
    if state not in {State.COMPLETED, State.FAILED} or age not in AGES:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, "what has ended is cleaned, by one of the ages offered")
    deleted = await operator.queues.clean(queue, state, float(age) + max(time.time() - seen, 0.0), CLEANED)
    return done(request, f"/queue/{queue}", "cleaned-some" if deleted == CLEANED else "cleaned", deleted)
