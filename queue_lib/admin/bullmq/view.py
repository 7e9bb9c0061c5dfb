"""A BullMQ job as an operator sees it. What can't be read of its hash is left out."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

from bullmq import Job as BullJob

from queue_lib.admin import failures
from queue_lib.admin.ports import JobRef, JobView
from queue_lib.broker.bullmq.parse import MALFORMED, MS, waited
from queue_lib.broker.refused import NAME, data_of
from queue_lib.job import State, Wire
from queue_lib.plain_json import MAX_NUMBER, readable

if TYPE_CHECKING:
    from bullmq import Queue as BullQueue

TRACES = 50  # that are shown of a job: an app may keep any number
ENDED = frozenset({State.COMPLETED, State.FAILED})


def bull_job(source: BullQueue, job_id: str, fields: dict[str, str]) -> Any:
    """The package's Job; with little more than its id if the hash can't be read."""
    try:
        return BullJob.fromJSON(source, fields, job_id)
    except MALFORMED:
        return BullJob(source, NAME, data_of(fields.get("data", "")), {}, job_id)


def view(source: BullQueue, job_id: str, fields: dict[str, str], state: State, *, most: int | None = None) -> JobView:
    """The job as its hash has it; `most` is the limit of characters of its payload, result and progress."""
    job = bull_job(source, str(job_id), fields)
    started, finished = (count_of(fields.get(name)) / MS or None for name in ("processedOn", "finishedOn"))
    added = count_of(fields.get("timestamp")) / MS
    made = count_of(fields.get("atm"))
    failed = _failures(job, fields, made - (state is State.COMPLETED), finished if state is State.FAILED else None)
    return JobView(
        id=str(job_id),
        name=str(job.name or NAME),
        queue=source.name,
        wire=Wire.BULLMQ,
        state=state,
        data=readable(job.data, most),
        attempts_made=made,
        enqueued_at=added,
        finished_at=finished,
        progress=readable(job.progress, most),
        result=readable(job.returnvalue, most),
        reason=fields.get("failedReason"),
        stack=failed[-1].stack if failed else None,
        max_attempts=_attempts(job),
        priority=count_of(fields.get("priority")),
        started_at=started,
        ready_at=_ready(job, added, started) if state is State.WAITING else None,
        worker=fields.get("pb"),
        wait=_wait(job),
        run=max(0.0, finished - started) if started and finished and state in ENDED else None,
        failures=failed,
        parents=(ref(fields["parentKey"], source),) if fields.get("parentKey") else (),
    )


def ref(key: str, source: BullQueue) -> JobRef:
    """The job with this key: `<prefix>:<queue>:<id>`. Ids of schedulers have colons, names of queues have none."""
    prefix = source.toKey("").removesuffix(f"{source.name}:")
    queue, _, job_id = key.removeprefix(prefix).partition(":")
    return JobRef(job_id, queue)


def _failures(job: Any, fields: dict[str, str], made: int, ended: float | None) -> tuple[Any, ...]:
    kept = job.stacktrace[-TRACES:] if isinstance(job.stacktrace, list) else []
    traces = [str(readable(trace)) for trace in kept]
    times = [*[None] * (len(traces) - 1), ended][: len(traces)]
    return failures.of_traces(traces, made=made, times=times, last_reason=fields.get("failedReason"))


def _attempts(job: Any) -> int | None:
    attempts = job.opts.get("attempts")
    return int(attempts) if isinstance(attempts, int) and 0 < attempts < MAX_NUMBER else None


def _wait(job: Any) -> float | None:
    with contextlib.suppress(*MALFORMED):  # numbers out of bounds
        seconds = waited(job)
        return seconds if seconds is None or math.isfinite(seconds) else None
    return None


def _ready(job: Any, added: float, started: float | None) -> float | None:
    """When its delay was over. Of a later attempt only the start of the one before is known."""
    if started is not None or not added:
        return started
    delay = job.opts.get("delay") or 0
    return added + delay / MS if isinstance(delay, int | float) and abs(delay) < MAX_NUMBER else None


def count_of(text: str | None) -> int:
    """A count in a job's hash; 0 if there is none, or it is no possible count."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else 0  # noqa: PLR2004
