"""Queues: statistics, pause and resume."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException

from queue_lib.admin import Admin
from queue_lib.api.guard import reader, writer
from queue_lib.api.jobs import admin
from queue_lib.api.models import Cleaned, Outcome, Stats, queue_out
from queue_lib.api.problems import described
from queue_lib.api.tokens import Token
from queue_lib.broker.base import State

router = APIRouter(prefix="/queue", tags=["queues"])

QueueName = Annotated[str | None, Query(description="All queues, if it is left out.")]

Older = Annotated[int, Query(ge=0, le=10**12, description="Milliseconds.")]


@router.get("/stats", responses=described(401, 503))
async def stats(request: Request, token: Annotated[Token, Depends(reader)]) -> Stats:
    """Each queue: jobs by state, on both wires and on each, and how long the next one has waited."""
    operator = admin(request, token)
    queues = [queue_out(each) for each in await operator.stats()]
    return Stats(queues=queues, dead_letters=await operator.letter_count())


@router.post("/pause", responses=described(401, 403, 404, 422, 503))
async def pause(request: Request, token: Annotated[Token, Depends(writer)], queue: QueueName = None) -> Outcome:
    """Hand out no more jobs, on both wires; running jobs go on, and producers may enqueue."""
    operator = admin(request, token)
    for name in _named(operator, queue):
        await operator.pause(name)
    return Outcome(outcome="paused")


@router.post("/resume", responses=described(401, 403, 404, 422, 503))
async def resume(request: Request, token: Annotated[Token, Depends(writer)], queue: QueueName = None) -> Outcome:
    """Undo pause."""
    operator = admin(request, token)
    for name in _named(operator, queue):
        await operator.resume(name)
    return Outcome(outcome="resumed")


@router.post("/clean/completed", responses=described(401, 403, 404, 422, 503))
async def clean_completed(
    request: Request, token: Annotated[Token, Depends(writer)], older: Older, queue: QueueName = None
) -> Cleaned:
    """Delete jobs that completed longer ago than this."""
    return await _clean(admin(request, token), State.COMPLETED, older, queue)


@router.post("/clean/failed", responses=described(401, 403, 404, 422, 503))
async def clean_failed(
    request: Request, token: Annotated[Token, Depends(writer)], older: Older, queue: QueueName = None
) -> Cleaned:
    """Delete jobs that failed longer ago than this; their dead letters stay."""
    return await _clean(admin(request, token), State.FAILED, older, queue)


async def _clean(operator: Admin, state: State, older: int, queue: str | None) -> Cleaned:
    names = _named(operator, queue)
    return Cleaned(removed=sum([await operator.clean(name, state, older / 1000) for name in names]))


def _named(operator: Admin, queue: str | None) -> tuple[str, ...]:
    if queue is not None and queue not in operator.queues:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no such queue; there are {', '.join(operator.queues)}")
    return operator.queues if queue is None else (queue,)
