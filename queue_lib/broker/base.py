"""The port between the runner and a wire: claim a job under a lease, and settle it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from queue_lib.addition import Addition
    from queue_lib.chore import Chore
    from queue_lib.job import Job, Wire
    from queue_lib.observe.events import Observer
    from queue_lib.outcome import Failure
    from queue_lib.processor import Children
    from queue_lib.queues import Queue


CRASH_CAP = 3  # a job whose worker has died so often while running it is dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What every broker on Redis needs to know.

    `redis` are redis-py's connection options. `prefix` is BullMQ's key prefix; the rate limiter and the pause switch
    of both wires are below it. `lease_duration` is in seconds; `worker_name` is what dashboards show.
    """

    redis: dict[str, Any]
    prefix: str
    lease_duration: float
    worker_name: str
    observe: Observer


@dataclass(frozen=True, slots=True)
class NotNow:
    """Nothing to claim at the moment.

    Ask again in `seconds` at the latest. `listen` says whether a new job may end the wait sooner: so when the
    queue is empty or paused. It may not while the rate limit's window has to pass; `limited` says so.
    """

    seconds: float
    listen: bool
    limited: bool = False


class Lease(Protocol):
    """A claimed job, ours until it is settled. Exactly one of the settling calls is made, or `abandon`.

    Every call may raise BrokerUnavailableError (try again), BrokerRefusedError (trying again is no use) and
    LeaseLostError (another worker has the job by now).
    """

    job: Job
    is_lost: bool = False
    stopped: str | None = None
    cut_short: Callable[[], object] | None = None

    def lose(self) -> None:
        """Another run has the job by now, as the broker has noticed: cut this one short."""
        self.is_lost = True
        if self.cut_short is not None:
            self.cut_short()

    def stop(self, reason: str) -> None:
        """Cut the run short on request; the job fails for good, with this reason."""
        self.stopped = reason
        if self.cut_short is not None:
            self.cut_short()

    async def done(self, result: Any) -> None:
        """Settle: finished, with a JSON `result`.

        Raises a JobError where the wire does not let the job finish, as BullMQ a parent whose child has failed.
        """

    async def retry(self, delay: float, failure: Failure) -> None:
        """Settle: failed, next attempt in `delay` seconds."""

    async def snooze(self, delay: float) -> None:
        """Settle: run again in `delay` seconds without counting an attempt."""

    async def bury(self, failure: Failure) -> None:
        """Settle: failed for good; the job stays in its wire's own failed set."""

    async def release(self) -> None:
        """Give the job back to the front of its queue without counting an attempt."""

    def abandon(self) -> None:
        """Renew no more, though the job could not be settled: it is recovered when the lease runs out."""

    async def progress(self, value: Any) -> None:
        """Publish progress (JSON)."""

    async def log(self, line: str) -> None:
        """Append a line to the job's log."""

    async def notes(self) -> dict[str, str]:
        """What runs of this very job have noted: nothing on the first run, nor of an older job with the same id."""

    async def note(self, entries: Mapping[str, str], forget: Collection[str]) -> None:
        """Note entries and forget others, in one step; they are kept until the job is done, 24 hours at most."""

    async def children(self) -> Children:
        """How the jobs have ended that this one has waited for."""

    async def enqueue(self, queue: str, addition: Addition) -> str:
        """Add a job to a queue on the same wire, unless there is one with its id, in whatever state; returns the id.

        In the same queue it has this job's priority (BullMQ) or lane (RQ), unless it says its own. Raises
        PermanentError, which names the option, for what the wire can't do.
        """


class Broker(Protocol):
    """One wire, for all the queues that this process serves."""

    wire: Wire

    async def start(self) -> None:
        """Register this worker. Raises BrokerUnavailableError."""

    async def ping(self) -> None:
        """See whether the server answers. Raises BrokerUnavailableError."""

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Take the next job of `queue` if the rate limit and the pause switch allow it. Never blocks."""

    async def wait(self, queue: Queue, pause: NotNow) -> None:
        """Wait as `pause` says. Safe to cancel."""

    async def pass_on(self, queue: Queue) -> None:
        """A wait heard of a job that this process has no slot for: let another worker hear of it."""

    def reserve_for(self, queue: Queue, room: Callable[[], int]) -> None:
        """`room` says how many jobs may be held ready for the next claims of `queue`, if that saves round trips."""

    async def quiet(self, queue: Queue) -> None:
        """No more claims of `queue` will come: give back what is held ready for them."""

    def chores(self) -> Sequence[Chore]:
        """What housekeeping must run: renewing leases, recovering lost jobs, retention."""

    async def close(self) -> None:
        """Sign off and close the connections. All leases are settled by then."""
