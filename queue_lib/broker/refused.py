"""A job that could not even be read: it is claimed, and buried with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queue_lib.job import Job, Wire
from queue_lib.plain_json import note

if TYPE_CHECKING:
    from queue_lib.queues import Queue

NAME = "unreadable"


def refused(queue: Queue, wire: Wire, job_id: str, reason: str) -> Job:
    """Stand in for the job; `reason` says what is wrong with it."""
    return Job(
        id=job_id,
        name=NAME,
        queue=queue.name,
        wire=wire,
        data=note("the job could not be read"),
        attempt=1,
        max_attempts=1,
        backoff=queue.backoff,
        timeout=queue.timeout,
        enqueued_at=0.0,
        refusal=reason,
    )
