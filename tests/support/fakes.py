"""Small fakes for unit tests of the runner: a lease that records how it was settled, and ready-made jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queue_lib.broker.base import Lease
from queue_lib.broker.board import MemoryBoard
from queue_lib.job import Backoff, Job, Wire
from queue_lib.observe.events import JobEnded, Unlogged
from queue_lib.processor import Children, Model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from queue_lib.addition import Addition
    from queue_lib.observe.events import Event, Observer
    from queue_lib.outcome import Ending, Failure


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


def told(events: list[Event]) -> Observer:
    """An observer that adds to `events` those that the log has a line for."""

    def observe(event: Event) -> None:
        if not isinstance(event, Unlogged):
            events.append(event)

    return observe


def endings(events: Iterable[Event]) -> list[type[Ending]]:
    """How the runs among these events ended."""
    return [type(event.ending) for event in events if isinstance(event, JobEnded)]


class NotingLease(Lease):
    """Records each call; raises the given exceptions, one a settling call."""

    def __init__(self, job: Job | None = None, *troubles: Exception) -> None:
        """Hold `job`; the first settling calls raise `troubles`."""
        self.job = job or make_job()
        self.calls: list[tuple[Any, ...]] = []
        self.reports: list[Any] = []
        self.kept: dict[str, str] = {}
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

    async def notes(self) -> dict[str, str]:
        """What was noted."""
        return dict(self.kept)

    async def note(self, entries: Mapping[str, str], forget: Collection[str]) -> None:
        """Record it, or fail as the test says."""
        if self._troubles:
            raise self._troubles.pop(0)
        self.kept |= entries
        for key in forget:
            self.kept.pop(key, None)

    async def children(self) -> Children:
        """None."""
        return Children({}, {})

    async def enqueue(self, queue: str, addition: Addition) -> str:
        """Note."""
        self._note("enqueue", queue, addition)
        return addition.job_id or ""


class FakeContext:
    """A job's context; reuse it for another run of the same job, whose notes it keeps."""

    def __init__(self, job: Job | None = None, board: MemoryBoard | None = None) -> None:
        """Serve `job`; on a `board` of its own, unless several contexts share one."""
        self.job = job or make_job()
        self.board = board or MemoryBoard()
        self.kept: dict[str, str] = {}
        self.enqueued: dict[str, Addition] = {}
        self.flow = Children({}, {})
        self.counts: list[tuple[str, dict[str, dict[str, int]]]] = []
        self.reports: list[Any] = []
        self.seconds = 300.0
        self.asked_cancelled = 0
        self.fault: BaseException | None = None

    def remaining(self) -> float:
        """See the protocol."""
        return self.seconds

    async def progress(self, value: float | dict[str, Any]) -> None:
        """See the protocol."""
        self.reports.append(value)

    async def log(self, line: str) -> None:
        """See the protocol."""
        self.reports.append(line)

    async def notes(self) -> dict[str, str]:
        """See the protocol."""
        return dict(self.kept)

    async def note(self, entries: Mapping[str, str], forget: Collection[str] = ()) -> None:
        """See the protocol; fails as `fault` says."""
        if self.fault is not None:
            raise self.fault
        self.kept |= entries
        for key in forget:
            self.kept.pop(key, None)

    async def children(self) -> Children:
        """See the protocol."""
        return self.flow

    async def is_cancelled(self, key: str | None, since: float | None = None) -> bool:
        """See the protocol; notes that it was asked."""
        if key is None:
            return False
        self.asked_cancelled += 1
        moments = await self.board.cancelled([key])
        return key in moments and moments[key] >= (self.job.created_at if since is None else since)

    async def enqueue(self, addition: Addition, queue: str | None = None) -> str:
        """See the protocol."""
        if self.fault is not None:
            raise self.fault
        job_id = addition.job_id or f"added-{len(self.enqueued)}"
        self.enqueued.setdefault(job_id, addition)
        return job_id

    def count(self, metric: str, counts: Mapping[str, Mapping[str, int]]) -> None:
        """See the protocol."""
        self.counts.append((metric, {origin: dict(kinds) for origin, kinds in counts.items()}))
