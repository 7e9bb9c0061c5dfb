"""Graphs of a queue's last hour or day, with what their axes and their text say. Times are in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from fastapi import Query

from queue_lib.observe.worker_stats import MINUTE, SPAN
from queue_lib.web.dashboard import sparkline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.admin.queues import QueueAdmin
    from queue_lib.observe.worker_stats import Minute

HOUR, DAY = 60, 24 * 60  # minutes
QUARTERS = 4  # of an axis


class Period(StrEnum):
    """How far back the graphs go."""

    HOUR = "hour"
    DAY = "day"

    @property
    def minutes(self) -> int:
        """How long it is."""
        return HOUR if self is Period.HOUR else DAY

    @property
    def step(self) -> str:
        """What a bar stands for."""
        return "minute" if self is Period.HOUR else "ten minutes"


InPeriod = Annotated[Period, Query(alias="period")]


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis of time: `x` steps from its beginning, `at` in seconds since the epoch."""

    x: float
    at: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the graphs show of a part of the time that began `at`. `longest` is the highest of its 95th percentiles."""

    at: float
    done: int
    retried: int
    dead: int
    longest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Graphs:
    """`done`, `retried`, `dead` and `p50`, `p95` are SVG paths over so many `steps`.

    `peak` is the most runs that ended in a step, which began at `peak_at`; `longest` the longest wait, from
    `longest_at`. `latest` is the last step in which a wait was measured.
    """

    period: Period
    steps: int
    done: str
    retried: str
    dead: str
    p50: str
    p95: str
    ticks: Sequence[Tick]
    peak: int
    peak_at: float | None
    longest: float | None
    longest_at: float | None
    totals: tuple[int, int, int]
    latest: Minute | None
    rows: Sequence[Row]


async def history_of(queues: QueueAdmin, queue: str, chosen: Period) -> list[Minute]:
    """A queue's history in that range."""
    return await (queues.history(queue, HOUR) if chosen is Period.HOUR else queues.day(queue))


def graphs_of(history: Sequence[Minute], chosen: Period = Period.HOUR) -> Graphs:
    """The graphs of a queue's history."""
    done = [minute.done for minute in history]
    retried = [minute.retried for minute in history]
    dead = [minute.dead for minute in history]
    failures = [sum(pair) for pair in zip(dead, retried, strict=True)]
    peak, peak_at = _highest(history, [sum(pair) for pair in zip(done, failures, strict=True)])
    longest, longest_at = _highest(history, [minute.wait_p95 or 0.0 for minute in history])
    return Graphs(
        period=chosen,
        steps=len(history),
        dead=sparkline.bars(dead, peak),
        retried=sparkline.bars(retried, peak, dead),
        done=sparkline.bars(done, peak, failures),
        p50=sparkline.line([minute.wait_p50 for minute in history], longest),
        p95=sparkline.line([minute.wait_p95 for minute in history], longest),
        ticks=_ticks(history, chosen),
        peak=round(peak),
        peak_at=peak_at,
        longest=longest if longest_at else None,
        longest_at=longest_at,
        totals=(sum(done), sum(retried), sum(dead)),
        latest=next((minute for minute in reversed(history) if minute.wait_p50 is not None), None),
        rows=_rows(history, 5 if chosen is Period.HOUR else 6),
    )


def _highest(history: Sequence[Minute], values: Sequence[float]) -> tuple[float, float | None]:
    """The highest value, and when it was: the last time; None if all are 0."""
    highest = max(values, default=0.0)
    at = next(
        (each.at for each, value in zip(reversed(history), reversed(values), strict=True) if value == highest), 0.0
    )
    return highest, at if highest else None


def _ticks(history: Sequence[Minute], period: Period) -> list[Tick]:
    """At each quarter of the time, the oldest first."""
    if not history:
        return []
    seconds, whole, unit = (MINUTE, 60, "min") if period is Period.HOUR else (SPAN, 24, "h")
    labels = (
        f"{whole} {unit} ago",
        *(str(whole - whole * quarter // QUARTERS) for quarter in range(1, QUARTERS)),
        "now",
    )
    places = [len(history) * quarter / QUARTERS for quarter in range(QUARTERS + 1)]
    return [Tick(x, history[0].at + x * seconds, label) for x, label in zip(places, labels, strict=True)]


def _rows(history: Sequence[Minute], size: int) -> list[Row]:
    """So many steps together, the newest first."""
    parts = [history[start : start + size] for start in range(0, len(history), size)]
    return [
        Row(
            at=part[0].at,
            done=sum(each.done for each in part),
            retried=sum(each.retried for each in part),
            dead=sum(each.dead for each in part),
            longest=max((each.wait_p95 for each in part if each.wait_p95 is not None), default=None),
        )
        for part in reversed(parts)
    ]
