"""What a queue is: its budget and its policy. The rows are in the features' manifests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from queue_lib.job import Backoff

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR = 3600.0
DAY = 24 * HOUR
RETRIES = Backoff((5.0,), exponential=True)
DEAD_QUEUE = "dead"
Profile = Literal["light", "medium", "heavy"]


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
    """A queue's budget and its policy, the same for both wires.

    A worker serves the queue in `processes` processes, with `concurrency` jobs at once in each. The rate of `rate_max`
    jobs in `rate_duration` seconds holds across all processes (0 jobs: no limit). `attempts`, `backoff` and `timeout`
    (seconds) apply where the producer chose none; `retries` has other attempts and backoffs by job name. `needs` are
    the servers beside Redis, and what the process itself must have, without which its jobs can't be done. `profile`
    says what its jobs cost: WORKER_TYPE chooses by it.
    """

    name: str
    profile: Profile = "medium"
    needs: tuple[str, ...] = ()
    processes: int = 1
    concurrency: int = 5
    rate_max: int = 0
    rate_duration: float = 1.0
    attempts: int = 3
    backoff: Backoff = RETRIES
    timeout: float = 300.0
    keep_completed: Retention = Retention(age=DAY, count=1000)
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
