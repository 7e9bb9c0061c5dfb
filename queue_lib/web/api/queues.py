"""Queues and workers: statistics, history, and actions on many jobs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from queue_lib.admin.admin import Admin
from queue_lib.admin.filters import JobFilter
from queue_lib.admin.queues import LONGEST_HISTORY
from queue_lib.job import State, Wire
from queue_lib.web.api.dependencies import OneQueue, Operator
from queue_lib.web.api.job_models import Outcome
from queue_lib.web.api.problems import described
from queue_lib.web.api.queue_models import (
    ByName,
    Cancellation,
    Cleaned,
    History,
    Retried,
    Stats,
    WorkerOut,
    by_name_out,
    minute_out,
    stats_out,
    worker_out,
)
from queue_lib.web.api.route import ApiRoute

router = APIRouter(prefix="/queue", tags=["queues"], route_class=ApiRoute)

QueueName = Annotated[str | None, Query(min_length=1, description="All queues, if it is left out.")]

Older = Annotated[int, Query(ge=0, le=10**12, description="Milliseconds.")]

DELETED = 100_000  # jobs of one request: it takes five to ten seconds, and routers give up after 30
AtMost = Annotated[int, Query(ge=1, le=DELETED, description="Delete at most so many.")]


@router.get("/stats", responses=described(401, 422, 503))
async def stats(operator: Operator) -> Stats:
    """Jobs by state: of all queues together, and of each one, in all and on each wire. How long the next has waited."""
    return stats_out(await operator.queues.stats(), await operator.dead_letters.count())


@router.post("/pause", responses=described(401, 403, 404, 422, 503))
async def pause(operator: Operator, queue: QueueName = None) -> Outcome:
    """Hand out no more jobs, on both wires. Running jobs go on, and producers may enqueue."""
    for name in operator.queues.chosen(queue):
        await operator.queues.pause(name)
    return Outcome(outcome="paused")


@router.post("/resume", responses=described(401, 403, 404, 422, 503))
async def resume(operator: Operator, queue: QueueName = None) -> Outcome:
    """Undo pause."""
    for name in operator.queues.chosen(queue):
        await operator.queues.resume(name)
    return Outcome(outcome="resumed")


@router.post("/cancel", responses=described(400, 401, 403, 408, 413, 422, 503))
async def cancel(operator: Operator, cancellation: Cancellation) -> Outcome:
    """Take back the jobs with this `cancelKey` that were added until now: they end without doing anything.

    A job that is added later is not taken back. One that runs may go on until it looks again.
    """
    await operator.cancel(cancellation.cancel_key, cancellation.seconds)
    return Outcome(outcome="cancelled")


@router.post("/clean/completed", responses=described(401, 403, 404, 422, 503))
async def clean_completed(
    operator: Operator,
    older: Older,
    queue: QueueName = None,
    *,
    limit: AtMost = DELETED,
) -> Cleaned:
    """Delete jobs that completed longer ago than `older`. If `limit` were deleted, there may be more: ask again."""
    return await _clean(operator, State.COMPLETED, older, queue, limit)


@router.post("/clean/failed", responses=described(401, 403, 404, 422, 503))
async def clean_failed(
    operator: Operator,
    older: Older,
    queue: QueueName = None,
    *,
    limit: AtMost = DELETED,
) -> Cleaned:
    """Delete jobs that failed longer ago than `older`; their dead letters stay.

    If `limit` were deleted, there may be more: ask again.
    """
    return await _clean(operator, State.FAILED, older, queue, limit)


async def _clean(operator: Admin, state: State, older: int, queue: str | None, limit: int) -> Cleaned:
    removed = 0
    for name in operator.queues.chosen(queue):
        removed += await operator.queues.clean(name, state, older / 1000, limit - removed)
    return Cleaned(removed=removed)


@router.post("/drain", responses=described(401, 403, 404, 422, 503))
async def drain(
    operator: Operator,
    queue: OneQueue,
    *,
    delayed: Annotated[bool, Query(description="Delete the delayed ones, too.")] = False,
    limit: AtMost = DELETED,
) -> Cleaned:
    """Delete the waiting jobs of one queue, on both wires. Running jobs go on, and ended jobs stay.

    If `limit` were deleted, there may be more: ask again. Pause the queue first if its producers go on.
    """
    return Cleaned(removed=await operator.queues.drain(queue, delayed=delayed, most=limit))


@router.post("/retry/failed", responses=described(401, 403, 404, 422, 503))
async def retry_failed(  # noqa: PLR0913 -- the filter
    operator: Operator,
    queue: QueueName = None,
    *,
    wire: Annotated[Wire | None, Query(description="Both wires, if it is left out.")] = None,
    name: Annotated[str | None, Query(max_length=200, description="Only jobs of this name.")] = None,
    text: Annotated[str | None, Query(max_length=200, description="Only where the reason has these words.")] = None,
    newer: Annotated[int | None, Query(ge=0, le=10**12, description="Failed within so many milliseconds.")] = None,
    older: Annotated[int | None, Query(ge=0, le=10**12, description="Failed more milliseconds ago than this.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many, the newest first.")] = 1000,
) -> Retried:
    """Run failed jobs that meet all conditions again from their first attempt, and drop their dead letters.

    If `limit` were retried, there may be more: ask again. Jobs that another operator retried meanwhile are `matched`,
    and not `retried`.
    """
    wanted = JobFilter(
        queue=queue,
        wire=wire,
        name=name,
        reason=text,
        newer=None if newer is None else newer / 1000,
        older=None if older is None else older / 1000,
    )
    done = await operator.jobs.retry_many(wanted, limit)
    return Retried(matched=done.matched, retried=done.retried)


@router.get("/history", responses=described(401, 404, 422, 503))
async def history(
    operator: Operator,
    queue: OneQueue,
    minutes: Annotated[int, Query(ge=1, le=LONGEST_HISTORY)] = 60,
) -> History:
    """What all workers did with a queue's jobs, minute by minute: the oldest first, this minute last."""
    return History(queue=queue, minutes=[minute_out(each) for each in await operator.queues.history(queue, minutes)])


@router.get("/names", responses=described(401, 404, 422, 503))
async def names(
    operator: Operator,
    queue: OneQueue,
    minutes: Annotated[int, Query(ge=1, le=LONGEST_HISTORY)] = 60,
) -> ByName:
    """What all workers did with a queue's jobs of each name, those that failed most first.

    Counts are kept by the half-hour. `since` is when the first one began, up to half an hour earlier.
    """
    return by_name_out(queue, await operator.queues.by_name(queue, minutes))


@router.get("/workers", responses=described(401, 422, 503))
async def workers(operator: Operator) -> list[WorkerOut]:
    """The worker processes that reported within the last minute, with the jobs that they run."""
    return [worker_out(each) for each in await operator.workers.alive()]
