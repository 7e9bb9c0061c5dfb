"""A job's follow-ups, which its result names, and the jobs that it follows, which its data names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queue_lib.admin.ports import JobRef

if TYPE_CHECKING:
    from collections.abc import Iterable

    from queue_lib.admin.ports import JobView

MOST = 100  # of a job that are shown
LONGEST = 1000  # characters of an id


def follow_ups(job: JobView) -> tuple[JobRef, ...]:
    """The jobs that it has added, as its result names them."""
    named = _field(job.result, "followUps")
    return _refs(job, named if isinstance(named, list) else ())


def follow_up_of(job: JobView) -> tuple[JobRef, ...]:
    """The job that has added it, and the first of them all."""
    return _refs(job, (_field(job.data, "addedBy"), _field(job.data, "followUpOf")))


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _refs(job: JobView, ids: Iterable[Any]) -> tuple[JobRef, ...]:
    """The values come from the job's producer, so they may be anything."""
    fit = (each for each in ids if isinstance(each, str) and 0 < len(each) <= LONGEST)
    return tuple(JobRef(each, job.queue) for each in dict.fromkeys(fit))[:MOST]
