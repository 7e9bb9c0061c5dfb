"""All queues at a glance."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from queue_lib.admin.reading import Reading
from queue_lib.job import State
from queue_lib.observe.events import LOST_DATA
from queue_lib.web.dashboard.alarms import alarms
from queue_lib.web.dashboard.charts import Graphs, InPeriod, Period, graphs_of, history_of
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.pages import page
from queue_lib.web.dashboard.verdict import verdict_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.admin.queues import QueueStats

RECENT = 15  # minutes for which the page says that Redis lost data

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A queue as the overview shows it."""

    stats: QueueStats
    alarms: Sequence[str]
    graphs: Graphs


@router.get("/")
async def overview(request: Request, operator: Operator, chosen: InPeriod = Period.HOUR) -> Response:
    """Counts, graphs and alarms of each queue."""
    read = Reading()
    names = operator.queues.names
    histories = asyncio.gather(*(read(history_of(operator.queues, name, chosen)) for name in names))
    stats, workers, letters, faults, outbox, found = await asyncio.gather(
        operator.queues.stats(),
        operator.workers.alive(),
        operator.dead_letters.count(),
        read(operator.workers.faults(RECENT)),
        read(operator.outbox()),
        histories,
    )
    history = dict(zip(names, found, strict=True))
    lost = (faults or {}).get(LOST_DATA, 0)
    cards = [
        Card(stats=each, alarms=alarms(each, workers), graphs=graphs_of(history[each.queue] or (), chosen))
        for each in stats
    ]
    return page(
        request,
        "overview.html",
        verdict=verdict_of(stats, workers, letters, outbox, lost=bool(lost), unread=read.trouble),
        cards=cards,
        workers=workers,
        letters=letters,
        outbox=outbox,
        lost=lost,
        recent=RECENT,
        states=State,
        period=chosen,
        refresh=5,
        here="overview",
    )
