"""A job: what a producer asked for. It is the same value on both wires."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

# The ids that both wires take: RQ allows only these characters, BullMQ no whole number, which its own ids are.
ID = re.compile(r"(?!-?\d+\Z)[A-Za-z0-9_-]{1,128}")
# A BullMQ job's key is `<prefix>:<queue>:<id>`: a job with one of these ids would overwrite a key of the queue itself.
# The names are those of BullMQ 4 to 6.
KEYS_OF_QUEUES = frozenset(
    (
        *("active", "completed", "de", "delay", "delayed", "dn", "events", "failed", "id", "limiter", "marker", "meta"),
        *("metrics", "notes", "paused", "pc", "prioritized", "priority", "repeat", "stalled", "stalled-check", "wait"),
        "waiting-children",
    )
)
ID_RULE = (
    "a job's id has letters, digits, - and _, at most 128 of them; it is no whole number, and no name that BullMQ "
    "keeps for itself (wait, active, meta, ...)"
)


def is_fit_id(job_id: str) -> bool:
    """Whether the API and the scripts accept this id; ID_RULE has the rule in words."""
    return ID.fullmatch(job_id) is not None and job_id not in KEYS_OF_QUEUES


class Wire(enum.StrEnum):
    """The format in which a job was enqueued."""

    BULLMQ = "bullmq"
    RQ = "rq"


class State(enum.StrEnum):
    """The state of a job, in BullMQ's words."""

    WAITING = "waiting"
    DELAYED = "delayed"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    WAITING_CHILDREN = "waiting-children"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next attempt.

    `delays` are seconds. With `exponential` the first one doubles at each attempt. Otherwise attempt n waits the n-th
    delay, and all further attempts the last one. `jitter` (0 to 1) is the random share of the delay, as in BullMQ.
    """

    delays: tuple[float, ...] = (0.0,)
    exponential: bool = False
    jitter: float = 0.0

    def delay(self, attempt: int, chance: float) -> float:
        """Seconds to wait after attempt `attempt` (the first is 1). `chance` in [0, 1) is the draw for jitter."""
        if self.exponential:
            base = self.delays[0] * 2.0 ** min(attempt - 1, 30)
        else:
            base = self.delays[min(attempt, len(self.delays)) - 1]
        return base * (1 - self.jitter) + base * self.jitter * chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One claimed job.

    `data` is the producer's JSON, unchanged. `attempt` counts from 1. `timeout` is in seconds, `enqueued_at` and
    `created_at` in seconds since the epoch; `created_at` is the same in every run. `waited` is the time in seconds from
    when the job was ready until it was claimed; None if the wire does not know. `refusal` is the reason why the job
    must not run, if the broker knows one.
    """

    id: str
    name: str
    queue: str
    wire: Wire
    data: Any
    attempt: int
    max_attempts: int
    backoff: Backoff
    timeout: float
    enqueued_at: float
    created_at: float = 0.0
    waited: float | None = None
    refusal: str | None = None

    @property
    def is_last_attempt(self) -> bool:
        """Whether no attempt follows if this one fails."""
        return self.attempt >= self.max_attempts
