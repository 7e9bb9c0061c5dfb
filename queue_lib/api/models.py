"""What goes over the API: camelCase JSON, times in milliseconds since the epoch, as BullMQ writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from queue_lib.broker.base import State
from queue_lib.job import Wire
from queue_lib.processor import Model

if TYPE_CHECKING:
    from queue_lib.admin import QueueStats
    from queue_lib.broker.base import JobView

WEEKS = 4 * 7 * 86_400_000  # milliseconds


class JobOptions(Model):
    """`delay` in milliseconds; without `attempts` the queue's number holds."""

    job_id: str | None = None
    delay: Annotated[int, Field(ge=0, le=WEEKS, strict=True)] = 0
    attempts: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = None
    wire: Wire = Wire.BULLMQ


class Submission(Model):
    """A job to be enqueued: its name says in which queue."""

    name: Annotated[str, Field(examples=["process-image"])]
    data: Annotated[Any, Field(examples=[{"fileId": "cm1", "filePath": "uploads/a.jpg", "userId": "u1"}])]
    options: JobOptions = JobOptions()


class Accepted(Model):
    """Where the job is to be asked for."""

    id: str
    queue: str
    wire: Wire


class JobOut(Model):
    """All that is known of a job."""

    id: str
    name: str
    queue: str
    wire: Wire
    state: State
    data: Any
    attempts_made: int
    enqueued_at: int | None
    finished_at: int | None
    progress: Any
    result: Any
    reason: str | None
    stack: str | None
    log: list[str]


class WireCounts(Model):
    """Jobs by state."""

    waiting: int
    delayed: int
    active: int
    completed: int
    failed: int
    waiting_children: int


class QueueOut(Model):
    """A queue at this moment. `oldest`: how long the next job has waited, in milliseconds."""

    queue: str
    paused: bool
    oldest: int | None
    counts: WireCounts
    wires: dict[Wire, WireCounts]


class Stats(Model):
    """All queues, and how many dead letters there are."""

    queues: list[QueueOut]
    dead_letters: int


class Outcome(Model):
    """What became of it."""

    outcome: str


class Cleaned(Model):
    """How many jobs were deleted."""

    removed: int


def job_out(view: JobView) -> JobOut:
    """A job for a client."""
    return JobOut(
        id=view.id,
        name=view.name,
        queue=view.queue,
        wire=view.wire,
        state=view.state,
        data=view.data,
        attempts_made=view.attempts_made,
        enqueued_at=_milliseconds(view.enqueued_at or None),
        finished_at=_milliseconds(view.finished_at),
        progress=view.progress,
        result=view.result,
        reason=view.reason,
        stack=view.stack,
        log=view.log,
    )


def queue_out(stats: QueueStats) -> QueueOut:
    """A queue for a client."""
    totals = {state: stats.total(state) for state in State}
    return QueueOut(
        queue=stats.queue,
        paused=stats.paused,
        oldest=_milliseconds(stats.oldest),
        counts=_counts(totals),
        wires={wire: _counts(dict(counts)) for wire, counts in stats.counts.items()},
    )


def _counts(counts: dict[State, int]) -> WireCounts:
    return WireCounts(**{state.value.replace("-", "_"): count for state, count in counts.items()})


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
