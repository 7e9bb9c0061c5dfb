"""All queues at a glance."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from queue_lib.admin.reading import Reading
from queue_lib.job import State
from queue_lib.observe.events import LOST_DATA
from queue_lib.web.dashboard import sparkline
from queue_lib.web.dashboard.alarms import alarms
from queue_lib.web.dashboard.dependencies import Operator
from queue_lib.web.dashboard.pages import page
from queue_lib.web.dashboard.verdict import verdict_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.admin.queues import QueueStats
    from queue_lib.observe.worker_stats import Minute

MINUTES = 60  # of history
RECENT = 15  # minutes for which the page says that Redis lost data

router = APIRouter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A queue as the overview shows it."""

    stats: QueueStats
    alarms: Sequence[str]
    graphs: Graphs


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphs:
    """The last hour. `done`, `retried`, `dead` and `p50`, `p95` are SVG paths; the rest is text.

    `peak` is the most runs that ended in a minute; `latest` the last minute in which a wait was measured.
    """

    minutes: int
    done: str
    retried: str
    dead: str
    p50: str
    p95: str
    peak: int
    longest: float | None
    totals: tuple[int, int, int]
    latest: Minute | None


@router.get("/")
async def overview(request: Request, operator: Operator) -> Response:
    """Counts, graphs and alarms of each queue."""
    read = Reading()
    names = operator.queues.names
    histories = asyncio.gather(*(read(operator.queues.history(name, MINUTES)) for name in names))
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
        Card(stats=each, alarms=alarms(each, workers), graphs=graphs_of(history[each.queue] or ())) for each in stats
    ]
    return page(
        request,
        "overview.html",
        verdict=verdict_of(stats, workers, letters, outbox, lost=bool(lost)),
        cards=cards,
        workers=workers,
        letters=letters,
        outbox=outbox,
        lost=lost,
        recent=RECENT,
        states=State,
        refresh=5,
        here="overview",
    )


def graphs_of(history: Sequence[Minute]) -> Graphs:
    """The graphs of a queue's history."""
    done = [minute.done for minute in history]
    retried = [minute.retried for minute in history]
    dead = [minute.dead for minute in history]
    failures = [sum(pair) for pair in zip(dead, retried, strict=True)]
    peak = max((sum(pair) for pair in zip(done, failures, strict=True)), default=0)
    longest = max((minute.wait_p95 for minute in history if minute.wait_p95 is not None), default=None)
    return Graphs(
        minutes=len(history),
        dead=sparkline.bars(dead, peak),
        retried=sparkline.bars(retried, peak, dead),
        done=sparkline.bars(done, peak, failures),
        p50=sparkline.line([minute.wait_p50 for minute in history], longest or 0.0),
        p95=sparkline.line([minute.wait_p95 for minute in history], longest or 0.0),
        peak=peak,
        longest=longest,
        totals=(sum(done), sum(retried), sum(dead)),
        latest=next((minute for minute in reversed(history) if minute.wait_p50 is not None), None),
    )
