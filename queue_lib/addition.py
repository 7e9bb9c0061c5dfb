"""A job to add, from any producer: a running job, the REST API, a script."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

from queue_lib.errors import PermanentError
from queue_lib.job import ID_RULE, Backoff, is_fit_id
from queue_lib.queues import DAY, Retention

LOWEST_PRIORITY = 2**21 - 1  # BullMQ's limit
LONGEST = 10 * 365 * DAY  # seconds: BullMQ's scripts can't count much farther
MOST = 2**31 - 1  # of attempts, and of jobs that stay

NONE = (None,) * 5
JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))

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

    @property
    def is_plain(self) -> bool:
        """Whether all but the id and the deduplication is left to the queue."""
        options = (self.attempts, self.backoff, self.priority, self.remove_on_complete, self.remove_on_fail)
        return self.delay == 0 and self.lifo is False and options == NONE

    def check(self) -> None:
        """Raise PermanentError for what no wire takes, and for a value that would make the job die later."""
        self.check_options()
        json_of(self.data)

    def check_options(self) -> None:
        """The same without the data, for what writes that as JSON itself."""
        faults = {
            "name: empty, or no text": not _is_text(self.name),
            ID_RULE: self.job_id is not None and not (isinstance(self.job_id, str) and is_fit_id(self.job_id)),
            "deduplication: its id is empty, or no text": not _has_id(self.deduplication),
            "deduplication: its ttl is not more than 0 seconds, or is more than ten years": not _has_ttl(
                self.deduplication
            ),
        }
        if not self.is_plain:
            faults |= self._faults()
        for reason, is_fault in faults.items():
            if is_fault:
                raise PermanentError(reason)

    def _faults(self) -> dict[str, bool]:
        """Those of the options that most jobs do not have."""
        return {
            "delay: not a number of seconds from 0 to ten years": not _is_seconds(self.delay),
            "attempts: not a whole number of 1 or more": not (self.attempts is None or _is_whole(self.attempts, 1)),
            "backoff: not seconds from 0 to ten years, with a jitter from 0 to 1": not _is_backoff(self.backoff),
            "priority: not a number from 0 to 2,097,151, high or low": not _is_priority(self.priority),
            "lifo: not true or false": not isinstance(self.lifo, bool),
            "removeOnComplete: not a boolean, a number of jobs or a Retention": not _is_kept(self.remove_on_complete),
            "removeOnFail: not a boolean, a number of jobs or a Retention": not _is_kept(self.remove_on_fail),
        }


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


def _is_text(value: object) -> bool:
    """Whether it is a text that UTF-8 can have, and not empty."""
    if not isinstance(value, str) or value == "":
        return False
    return value.isascii() or value == value.encode(errors="replace").decode()


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST


def _is_whole(value: object, least: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST


def _is_priority(value: object) -> bool:
    if isinstance(value, str):
        return value in {"high", "low"}
    return value is None or (_is_whole(value, 0) and value <= LOWEST_PRIORITY)


def _is_backoff(value: object) -> bool:
    if not isinstance(value, Backoff):
        return value is None
    is_jitter = isinstance(value.jitter, int | float) and 0 <= value.jitter <= 1
    return is_jitter and isinstance(value.delays, tuple) and value.delays != () and all(map(_is_seconds, value.delays))


def _is_kept(value: object) -> bool:
    if isinstance(value, Retention):
        return _is_seconds(value.age) and (value.count is None or _is_whole(value.count, 0))
    return value is None or isinstance(value, bool) or _is_whole(value, 0)


def _has_id(deduplication: Deduplication | None) -> bool:
    return deduplication is None or _is_text(deduplication.id)


def _has_ttl(deduplication: Deduplication | None) -> bool:
    if deduplication is None or deduplication.ttl is None:
        return True
    return _is_seconds(deduplication.ttl) and deduplication.ttl > 0


def json_of(data: object) -> bytes:
    """The data as JSON.

    Raises PermanentError for what Node can't read or Redis can't hold: NaN, lone surrogates, deep nesting.
    """
    try:
        return JSON.encode(data).encode()
    except (ValueError, TypeError, RecursionError) as error:
        msg = f"the payload can't be written as JSON: {type(error).__name__}"
        raise PermanentError(msg) from None
