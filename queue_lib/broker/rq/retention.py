"""What RQ's maintenance would clear out: what has expired in its registries, dead workers, dependents left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from rq.defaults import RQ_KEY_PREFIX
from rq.job import Job as StockJob
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ReadyJobRegistry
from rq.worker_registration import clean_worker_registry

from queue_lib.broker.rq.lanes import executions_of_job_key
from queue_lib.broker.rq.parse import MALFORMED, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis
    from rq.queue import Queue as Lane


def clear_out(lane: Lane) -> None:
    """Drop expired members of the registries, and dead workers.

    Started jobs are not looked at: RQ's own clean-up would count an attempt for a worker that died.
    """
    now = clock(lane.connection)
    FinishedJobRegistry(queue=lane).cleanup(now)
    FailedJobRegistry(queue=lane).cleanup(now)
    wake_dependents(lane)
    clean_worker_registry(lane)


def wake_dependents(lane: Lane) -> None:
    """Enqueue dependents that are ready, and whose parent's worker died, or lost its connection, before it could."""
    try:
        ReadyJobRegistry(queue=lane).cleanup()
    except MALFORMED as error:
        structlog.get_logger().warning("dependents_unreadable", lane=lane.name, reason=describe(error))


def wake_ready(lanes: Sequence[Lane]) -> None:
    """Enqueue the dependents that are ready in these lanes: one round trip where there are none, as a rule."""
    with lanes[0].connection.pipeline(transaction=False) as pipe:
        for lane in lanes:
            pipe.zcard(ReadyJobRegistry(queue=lane).key)
        counts = pipe.execute()
    for lane, count in zip(lanes, counts, strict=True):
        if count:
            wake_dependents(lane)


def keys_of(job_id: str) -> tuple[str, ...]:
    """All keys of a job: its hash, its dependents, its results, its dependencies, its executions."""
    job = StockJob.key_for(job_id)
    return (
        job,
        f"{job}:dependents",
        f"{RQ_KEY_PREFIX}:results:{job_id}",
        f"{job}:dependencies",
        executions_of_job_key(job_id),
    )


def clock(connection: Redis) -> float:
    """Seconds since the epoch, by the server's clock."""
    seconds, microseconds = connection.time()
    return seconds + microseconds / 1_000_000
