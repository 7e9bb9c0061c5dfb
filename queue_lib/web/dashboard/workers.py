"""The page of workers, with the jobs that they run."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response

from queue_lib.web.dashboard.alarms import alarms
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.pages import page

router = APIRouter()


@router.get("/workers")
async def workers(request: Request, operator: Operator) -> Response:
    """The worker processes that have been heard of within a minute."""
    found, stats = await asyncio.gather(operator.workers.alive(), operator.queues.stats())
    unserved = [(each.queue, alarm) for each in stats for alarm in alarms(each, found)]
    has_outbox = any("outbox" in worker.features for worker in found)
    return page(
        request, "workers.html", workers=found, unserved=unserved, has_outbox=has_outbox, refresh=5, here="workers"
    )
