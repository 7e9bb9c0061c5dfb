"""A job that could not even be read: it is claimed, and buried with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queue_lib.job import Job, Wire
from queue_lib.plain_json import unread

if TYPE_CHECKING:
    from queue_lib.queues import Queue

NAME = "unreadable"


def data_of(raw: str | bytes) -> Any:
    """What is shown as the payload of such a job: what was written in its place."""
    return unread("the job could not be read", raw)


def refused(queue: Queue, wire: Wire, job_id: str, reason: str, raw: str | bytes) -> Job:
    """Stand in for the job; `reason` says what is wrong with it, `raw` is what was written as its payload."""
    return Job(
        id=job_id,
        name=NAME,
        queue=queue.name,
        wire=wire,
        data=data_of(raw),
        attempt=1,
        max_attempts=1,
        backoff=queue.backoff,
        timeout=queue.timeout,
        enqueued_at=0.0,
        refusal=reason,
    )
