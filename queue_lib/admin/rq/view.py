"""An RQ job as an operator sees it. What can't be read of its hash is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rq.job import JobStatus
from rq.serializers import JSONSerializer

from queue_lib.admin import failures
from queue_lib.admin.ports import JobRef, JobView
from queue_lib.broker.refused import NAME, data_of
from queue_lib.broker.rq.lanes import scheduled_key
from queue_lib.broker.rq.parse import MALFORMED, bare, number, restore, waited, written
from queue_lib.broker.rq.results import FAILURES, read_result
from queue_lib.broker.rq.retention import keys_of
from queue_lib.broker.trouble import synchronous_answers
from queue_lib.job import State, Wire
from queue_lib.plain_json import readable

if TYPE_CHECKING:
    from datetime import datetime

    from redis import Redis

    from queue_lib.broker.rq.job import GuardedJob
    from queue_lib.broker.rq.parse import Raw

STATES = {
    JobStatus.QUEUED: State.WAITING,
    JobStatus.SCHEDULED: State.DELAYED,
    JobStatus.STARTED: State.ACTIVE,
    JobStatus.FINISHED: State.COMPLETED,
    JobStatus.DEFERRED: State.WAITING_CHILDREN,
    JobStatus.READY_TO_ENQUEUE: State.WAITING_CHILDREN,
}
ENDED = frozenset({State.COMPLETED, State.FAILED})
RESULTS = 10  # that RQ keeps
CHILDREN = 100  # of a job that are shown


def read(connection: Redis, job_id: str, raw: Raw) -> tuple[GuardedJob, str, Any]:
    """RQ's Job, its name and its payload; with little more than its id if the hash can't be read."""
    try:
        job = restore(job_id, raw, connection, JSONSerializer)
        return job, str(job.func_name), job.args[0] if job.args else None
    except MALFORMED:
        lane, status = (raw.get(field, b"").decode(errors="replace") for field in (b"origin", b"status"))
        job = bare(job_id, lane, connection, JSONSerializer)
        job._status = JobStatus(status) if status in set(JobStatus) else JobStatus.CREATED  # noqa: SLF001
        return job, NAME, data_of(written(raw))


def view(
    connection: Redis, queue: str, job_id: str, raw: Raw, state: State | None = None, most: int | None = None
) -> JobView:
    """The job as its hash has it.

    `state` is where it was found, `most` are the characters of its payload and progress.
    """
    job, name, data = read(connection, job_id, raw)
    state = state or STATES.get(job.get_status(refresh=False), State.FAILED)
    started, finished = _at(job.started_at), _at(job.ended_at) if state in ENDED else None
    made = number(raw.get(b"attempts_made"))
    return JobView(
        id=job_id,
        name=str(readable(name)),
        queue=queue,
        wire=Wire.RQ,
        state=state,
        data=readable(data, most),
        attempts_made=made + (state is State.COMPLETED),
        enqueued_at=_at(job.enqueued_at) or 0.0,
        finished_at=finished,
        progress=readable(job.meta.get("progress"), most),
        reason=raw.get(b"failed_reason", b"").decode(errors="replace") or None,
        log=[str(readable(line)) for line in lines] if isinstance(lines := job.meta.get("log"), list) else [],
        max_attempts=None if job.retries_left is None else made + job.retries_left + (state is not State.FAILED),
        priority=job.origin,
        started_at=started,
        ready_at=_at(job.enqueued_at) if state is State.WAITING else None,
        worker=raw.get(b"worker_name", b"").decode(errors="replace") or None,
        wait=waited(raw, job, started) if started else None,
        run=max(0.0, finished - started) if started and finished else None,
        parents=tuple(JobRef(str(readable(parent))) for parent in job._dependency_ids),  # noqa: SLF001
    )


def whole(connection: Redis, found: JobView, lane: str) -> JobView:
    """The job with what other keys hold: results, due time, dependents."""
    _, dependents_key, results_key, *_ = keys_of(found.id)
    with connection.pipeline(transaction=False) as pipe:
        pipe.xrevrange(results_key, count=RESULTS)
        pipe.zscore(scheduled_key(lane), found.id)
        pipe.srandmember(dependents_key, CHILDREN)
        entries, due, dependents = synchronous_answers(pipe)
    results = [result for entry in entries or () if (result := read_result(connection, found.id, *entry)) is not None]
    failed = [result for result in reversed(results) if result.type in FAILURES]
    ended_well = found.state is State.COMPLETED
    return replace(
        found,
        result=readable(results[0].return_value) if results and ended_well else None,
        stack=failed[-1].exc_string if failed else None,
        failures=failures.of_traces(
            [result.exc_string or "" for result in failed],
            made=found.attempts_made - ended_well,
            times=[_at(result.created_at) for result in failed],
            last_reason=found.reason,
        ),
        due_at=due,
        children=tuple(JobRef(child) for child in sorted(raw.decode(errors="replace") for raw in dependents or ())),
    )


def _at(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
