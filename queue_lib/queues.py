"""The queue table. A new queue is one row here, one payload model and one processor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from queue_lib.job import Backoff

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR = 3600.0
DAY = 24 * HOUR
DEAD_QUEUE = "dead"


@dataclass(frozen=True, slots=True)
class Retention:
    """How long finished jobs stay: at most `age` seconds and at most `count` of them (None: no such bound)."""

    age: float
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Retries:
    """Attempts and backoff of the jobs of one name. What is None is left to their queue."""

    attempts: int | None = None
    backoff: Backoff | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One row of the table: a queue's budget and its policy, the same for both wires.

    A worker serves the queue in so many `processes`, `concurrency` is that of each; the rate of `rate_max` jobs in
    `rate_duration` seconds holds across all processes (0 jobs: no limit). `attempts`, `backoff` and `timeout` (seconds)
    apply where the producer chose none; `retries` has other attempts and backoffs by job name. `needs` are the servers
    beside Redis, and what the process itself must have, without which its jobs can't be done.
    """

    name: str
    needs: tuple[str, ...] = ()
    processes: int = 1
    concurrency: int
    rate_max: int
    rate_duration: float = 1.0
    attempts: int
    backoff: Backoff
    timeout: float
    keep_completed: Retention
    keep_failed: Retention = Retention(age=7 * DAY)
    retries: Mapping[str, Retries] = field(default_factory=dict, hash=False)

    def attempts_of(self, name: str) -> int:
        """How many attempts a job of this name has, where its producer chose no number."""
        own = self.retries.get(name)
        return self.attempts if own is None or own.attempts is None else own.attempts

    def backoff_of(self, name: str) -> Backoff:
        """The backoff of a job of this name, where its producer chose none."""
        own = self.retries.get(name)
        return self.backoff if own is None or own.backoff is None else own.backoff


QUEUES: tuple[Queue, ...] = (
    Queue(
        name="push-notifications",
        needs=("database",),
        concurrency=30,
        rate_max=100,
        attempts=3,
        backoff=Backoff((2.0,), exponential=True),
        timeout=300.0,
        keep_completed=Retention(age=DAY, count=1000),
    ),
    Queue(
        name="file-processing",
        needs=("database", "database_writes", "storage", "disk"),
        concurrency=3,
        rate_max=50,
        attempts=2,
        backoff=Backoff((5.0,), exponential=True),
        timeout=900.0,
        keep_completed=Retention(age=7 * DAY, count=500),
    ),
)
