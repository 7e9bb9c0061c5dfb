"""A job to be added, as any producer may ask for it: a running job, the REST API, a script."""

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

LOWEST_PRIORITY = 2**21 - 1  # BullMQ's bound

Kept = bool | int | Retention | None
Priority = int | Literal["high", "low"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deduplication:
    """When a job is not added because of an earlier one with the same deduplication `id`: BullMQ's option.

    `id` alone: while the earlier job is not finished. With `ttl`: for so many seconds (throttle). With `ttl`, `extend`
    and `replace`: the new job replaces the delayed one, and the time starts again (debounce). `keep_last_if_active`:
    the last job that is added while the earlier one runs is kept, and added when that one ends.
    """

    id: str
    ttl: float | None = None
    extend: bool = False
    replace: bool = False
    keep_last_if_active: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A job to be added. What is None is left to the queue.

    `data` is JSON. There is never a second job with the same `job_id` in a queue. `delay` is in seconds. `priority` is
    BullMQ's number: 1 runs first, 2,097,151 last, and 0 before all of them; on RQ it is the queue's lane, high or low.
    `lifo` adds the job at the front.
    `remove_on_complete` and `remove_on_fail` say how long it stays when it has ended: True not at all, False for ever,
    a number among so many of its kind, a Retention as that says.

    A wire that can't do what an option says raises PermanentError, which names the option.
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
        """Raise PermanentError, which says why, for what no wire takes: an id, a number or data out of bounds."""
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


def _ttl(deduplication: Deduplication | None) -> float:
    return 1.0 if deduplication is None or deduplication.ttl is None else deduplication.ttl


def _check_json(data: object) -> None:
    """Raise PermanentError for what Node could not read, or Redis not take: NaN, lone surrogates, endless nesting."""
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError, RecursionError) as error:
        msg = f"the payload can't be written as JSON: {type(error).__name__}"
        raise PermanentError(msg) from None
