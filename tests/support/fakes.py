"""Small fakes for unit tests of the runner: a lease that notes how it was settled, and jobs to order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queue_lib.broker.base import Lease
from queue_lib.job import Backoff, Job, Wire
from queue_lib.processor import Model

if TYPE_CHECKING:
    from queue_lib.outcome import Failure


class Greeting(Model):
    """A payload: `{"userId": "u1", "count": 2}` on the wire."""

    user_id: str
    count: int = 1


def make_job(**changes: Any) -> Job:
    """A job called `greet` with a valid payload, with changes."""
    fields: dict[str, Any] = {
        "id": "1",
        "name": "greet",
        "queue": "work",
        "wire": Wire.BULLMQ,
        "data": {"userId": "u1"},
        "attempt": 1,
        "max_attempts": 3,
        "backoff": Backoff((2.0,), exponential=True),
        "timeout": 60.0,
        "enqueued_at": 0.0,
    }
    return Job(**(fields | changes))


class NotingLease(Lease):
    """Notes each call; raises what it is told to, one exception a settling call."""

    def __init__(self, job: Job | None = None, *troubles: Exception) -> None:
        """Hold `job`; the first settling calls raise `troubles`."""
        self.job = job or make_job()
        self.calls: list[tuple[Any, ...]] = []
        self.reports: list[Any] = []
        self._troubles = list(troubles)

    def _note(self, *call: Any) -> None:
        if self._troubles:
            raise self._troubles.pop(0)
        self.calls.append(call)

    async def done(self, result: Any) -> None:
        """Note."""
        self._note("done", result)

    async def retry(self, delay: float, failure: Failure) -> None:
        """Note."""
        self._note("retry", delay, failure.reason)

    async def snooze(self, delay: float) -> None:
        """Note."""
        self._note("snooze", delay)

    async def bury(self, failure: Failure) -> None:
        """Note."""
        self._note("bury", failure.reason)

    async def release(self) -> None:
        """Note."""
        self._note("release")

    def abandon(self) -> None:
        """Note."""
        self.calls.append(("abandon",))

    async def progress(self, value: Any) -> None:
        """Note."""
        self.reports.append(value)

    async def log(self, line: str) -> None:
        """Note."""
        self.reports.append(line)
