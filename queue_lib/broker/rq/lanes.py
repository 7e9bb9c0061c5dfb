"""Lanes: the RQ queues that make up one of our queues, the most urgent first.

RQ has no priorities inside a queue. A producer uses the lane `<queue>-high` or `<queue>-low`, or `at_front=True`.
"""

from __future__ import annotations

from rq.defaults import RQ_KEY_PREFIX
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE, ExecutionRegistry

JOB_PREFIX, EXECUTION_PREFIX = f"{RQ_KEY_PREFIX}:job:", f"{RQ_KEY_PREFIX}:execution:"
SUFFIXES = ("-high", "", "-low")
LISTENED = ("-high", "")  # a connection each; the low lane is looked into at every claim


def lanes(queue: str) -> tuple[str, ...]:
    """Names of the RQ queues behind a queue."""
    return tuple(queue + suffix for suffix in SUFFIXES)


def listened(queue: str) -> tuple[str, ...]:
    """The lanes in which a new job ends an idle wait at once."""
    return tuple(queue + suffix for suffix in LISTENED)


def waiting_key(lane: str) -> str:
    """The list of waiting job ids."""
    return f"{RQ_KEY_PREFIX}:queue:{lane}"


def intermediate_key(lane: str) -> str:
    """The list of claimed job ids that are not marked as started yet."""
    return f"{RQ_KEY_PREFIX}:queue:{lane}:intermediate"


def scheduled_key(lane: str) -> str:
    """The sorted set of jobs to come."""
    return f"{RQ_KEY_PREFIX}:scheduled:{lane}"


def started_key(lane: str) -> str:
    """The sorted set of running executions."""
    return f"{RQ_KEY_PREFIX}:wip:{lane}"


def executions_of_job_key(job_id: str) -> str:
    """The sorted set of a job's running executions."""
    return str(ExecutionRegistry.key_template.format(job_id))


def executions_key(worker: str) -> str:
    """The set of a worker's running executions."""
    return WORKER_EXECUTIONS_KEY_TEMPLATE.format(worker)


def kept_key(queue: str) -> str:
    """The list of executions that have finished jobs which the queue's count is for, the oldest first."""
    return f"{RQ_KEY_PREFIX}:kept:{queue}"
