"""Adds jobs to RQ's queues, as a stock producer would: our own jobs never write their data."""

from __future__ import annotations

import contextlib
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn
from uuid import uuid4

from rq.exceptions import DuplicateJobError
from rq.queue import Queue as Lane
from rq.serializers import JSONSerializer

from queue_lib.broker.rq.retention import clock
from queue_lib.errors import PermanentError
from queue_lib.queues import Retention

if TYPE_CHECKING:
    from redis import Redis

    from queue_lib.addition import Addition, Kept

FOR_EVER = -1  # of result_ttl and failure_ttl


def add(connection: Redis, queue: str, addition: Addition) -> str:
    """Add a job to the lane that its priority names, unless there is one with its id; returns the id.

    Raises PermanentError for what RQ can't do, and redis-py's errors.
    """
    check(addition)
    lane = Lane(
        f"{queue}-{addition.priority}" if addition.priority else queue, connection=connection, serializer=JSONSerializer
    )
    job = lane.create_job(addition.name, args=[addition.data], job_id=addition.job_id or str(uuid4()))
    job.retries_left = None if addition.attempts is None else addition.attempts - 1
    job.retry_intervals = _intervals(addition)  # type: ignore[assignment]  # RQ takes parts of seconds, too
    job.result_ttl = _ttl("removeOnComplete", addition.remove_on_complete)
    job.failure_ttl = _ttl("removeOnFail", addition.remove_on_fail)
    with contextlib.suppress(DuplicateJobError):
        if addition.delay > 0:
            due = math.ceil(clock(connection) + addition.delay)  # RQ cuts off what is no whole second: never be early
            lane.schedule_job(job, datetime.fromtimestamp(due, UTC), unique=True)
        else:
            lane.enqueue_job(job, at_front=addition.lifo, unique=True)
    return str(job.id)


def check(addition: Addition) -> None:
    """Raise PermanentError, which names the option, for what RQ can't do."""
    if isinstance(addition.priority, int):
        _refuse("priority: RQ has no numbers; say high or low, a lane of the queue")
    if addition.deduplication is not None:
        _refuse("deduplication: RQ has none; a jobId that is taken is not added again")
    if addition.lifo and addition.delay > 0:
        _refuse("lifo: RQ adds a delayed job at the end")
    _intervals(addition)
    _ttl("removeOnComplete", addition.remove_on_complete)
    _ttl("removeOnFail", addition.remove_on_fail)


def _intervals(addition: Addition) -> list[float] | None:
    """Seconds before each further attempt; a single one stands for all of them."""
    backoff = addition.backoff
    if backoff is None:
        return None
    if backoff.jitter:
        _refuse("backoff.jitter: RQ has none")
    if len(backoff.delays) == 1 and not backoff.exponential:
        return list(backoff.delays)
    if addition.attempts is None:
        _refuse("backoff: RQ keeps a list of delays, one for each further attempt, so say how many attempts there are")
    return [backoff.delay(attempt, 0.0) for attempt in range(1, addition.attempts)]


def _ttl(option: str, kept: Kept) -> int | None:
    """Seconds that an ended job stays; None where that is left to the queue."""
    if kept is None:
        return None
    if isinstance(kept, bool):
        return 0 if kept else FOR_EVER
    if not isinstance(kept, Retention) or kept.count is not None:
        _refuse(f"{option}: RQ keeps a job for a time, and not among so many")
    return math.ceil(kept.age)


def _refuse(reason: str) -> NoReturn:
    raise PermanentError(reason)
