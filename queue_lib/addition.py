"""A job to add, from any producer: a running job, the REST API, a script."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from queue_lib.errors import PermanentError
from queue_lib.job import ID_RULE, is_fit_id
from queue_lib.queues import Retention

if TYPE_CHECKING:
    from queue_lib.job import Backoff

LOWEST_PRIORITY = 2**21 - 1  # BullMQ's limit

Kept = bool | int | Retention | None
Priority = int | Literal["high", "low"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplication:
    """BullMQ's option: do not add a job if there is an earlier one with the same deduplication `id`.

    Only `id`: while the earlier job has not finished. With `ttl`: for so many seconds (throttle). With `ttl`, `extend`
    and `replace`: the new job replaces the delayed one, and the time starts again (debounce). `keep_last_if_active`:
    the last job that comes while the earlier one runs is kept, and added when that one ends.
    """

    id: str
    ttl: float | None = None
    extend: bool = False
    replace: bool = False
    keep_last_if_active: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A job to add. An option that is None is left to the queue.

    `data` is JSON. A second job with the same `job_id` in a queue is not added. `delay` is in seconds. `priority` is
    BullMQ's number: 1 runs first, 2,097,151 last, and 0 before all of them. On RQ it is the queue's lane, high or low.
    `lifo` adds the job at the front. `remove_on_complete` and `remove_on_fail` say how long the job stays after its
    end. True: not at all, False: for ever, a number: among the last so many, a Retention: as that says.

    A wire that does not have an option raises PermanentError with its name.
    """

    name: str
    data: Any
    job_id: str | None = None
    delay: float = 0.0
    attempts: int | None = None
    backoff: Backoff | None = None
    priority: Priority = None
    lifo: bool = False
    remove_on_complete: Kept = None
    remove_on_fail: Kept = None
    deduplication: Deduplication | None = None

    def check(self) -> None:
        """Raise PermanentError for an id, a number or data that no wire takes."""
        faults = {
            ID_RULE: self.job_id is not None and not is_fit_id(self.job_id),
            "delay: not a number of 0 or more": not 0 <= self.delay < math.inf,
            "attempts: not a number of 1 or more": self.attempts is not None and self.attempts < 1,
            "priority: not a number from 0 to 2,097,151": isinstance(self.priority, int)
            and not 0 <= self.priority <= LOWEST_PRIORITY,
            "deduplication: its id is empty": self.deduplication is not None and not self.deduplication.id,
            "deduplication: its ttl is not more than 0": not 0 < _ttl(self.deduplication) < math.inf,
        }
        for reason, is_fault in faults.items():
            if is_fault:
                raise PermanentError(reason)
        _check_json(self.data)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be added to a queue."""

    queue: str
    addition: Addition


@dataclass(frozen=True, slots=True)
class Batch:
    """What was added: the ids of the jobs, in their order, and of the job that runs when they have ended."""

    jobs: tuple[str, ...]
    then: str | None


def _ttl(deduplication: Deduplication | None) -> float:
    return 1.0 if deduplication is None or deduplication.ttl is None else deduplication.ttl


def _check_json(data: object) -> None:
    """Raise PermanentError for data that Node can't read or Redis can't hold: NaN, lone surrogates, deep nesting."""
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        msg = f"the payload can't be written as JSON: {type(error).__name__}"
        raise PermanentError(msg) from None
