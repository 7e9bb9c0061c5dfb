"""How long RQ's finished jobs stay: by age (their keys expire), and by count, which RQ itself does not know."""

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

    from queue_lib.queues import Queue

AT_ONCE = 1000
# What is before and after a job's id in the keys beside its hash.
BESIDE: tuple[tuple[str, str], ...] = (
    (StockJob.key_for(""), ":dependents"),
    (f"{RQ_KEY_PREFIX}:results:", ""),
    (StockJob.key_for(""), ":dependencies"),
    (executions_of_job_key(""), ""),
)


def apply_retention(lane: Lane, queue: Queue) -> None:
    """Drop expired members of the registries, dead workers, and the oldest finished jobs beyond the queue's count.

    Started jobs are not looked at: RQ's own clean-up would count an attempt for a worker that died.
    """
    now = clock(lane.connection)
    FinishedJobRegistry(queue=lane).cleanup(now)
    FailedJobRegistry(queue=lane).cleanup(now)
    wake_dependents(lane)
    clean_worker_registry(lane)
    if queue.keep_completed.count is not None:
        _trim(FinishedJobRegistry(queue=lane), queue.keep_completed.count)


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


def _trim(registry: FinishedJobRegistry, count: int) -> None:
    """Keep the newest `count` of those whose producer chose no `result_ttl`; it is in the hash of the others."""
    connection, newer = registry.connection, 0
    ids = registry.get_job_ids(desc=True, cleanup=False)
    for start in range(0, len(ids), AT_ONCE):
        page = ids[start : start + AT_ONCE]
        with connection.pipeline(transaction=False) as pipe:
            for job_id in page:
                pipe.hexists(StockJob.key_for(job_id), "result_ttl")
            chosen = pipe.execute()
        left_to_queue = [job_id for job_id, own in zip(page, chosen, strict=True) if not own]
        surplus = left_to_queue[max(0, count - newer) :]
        newer += len(left_to_queue)
        if surplus:
            connection.zrem(registry.key, *surplus)
            connection.delete(*(key for job_id in surplus for key in keys_of(job_id)))


def keys_of(job_id: str) -> tuple[str, ...]:
    """All keys of a job: its hash, its dependents, its results, its dependencies, its executions."""
    return StockJob.key_for(job_id), *(before + job_id + after for before, after in BESIDE)


def clock(connection: Redis) -> float:
    """Seconds since the epoch, by the server's clock."""
    seconds, microseconds = connection.time()
    return seconds + microseconds / 1_000_000
