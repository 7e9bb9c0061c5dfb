"""The port between the runner and a wire: claim a job under a lease, settle it, look at the queue."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from queue_lib.job import Wire  # noqa: TC001 -- pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from queue_lib.job import Job
    from queue_lib.observe.events import Observer
    from queue_lib.outcome import Failure
    from queue_lib.processor import FollowUp
    from queue_lib.queues import Queue


MAX_NUMBER = 2**53  # what a number of JavaScript can count to
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

    Ask again in `seconds` at the latest. `listen` says whether news from the broker may end the wait sooner: so when
    the queue is empty or paused; not when the rate limit's window has to pass, as `limited` tells.
    """

    seconds: float
    listen: bool
    limited: bool = False


class Lease(Protocol):
    """A claimed job, ours until it is settled. Exactly one of the settling calls is made, or `abandon`.

    Every call may raise BrokerUnavailableError (try again), BrokerRefusedError (trying again is no use) and
    LeaseLostError (somebody else has the job by now).
    """

    job: Job
    is_lost: bool = False
    stopped: str | None = None
    cut_short: Callable[[], object] | None = None

    def lose(self) -> None:
        """Somebody else has the job by now, as its broker has noticed: whoever runs it is told by `cut_short`."""
        self.is_lost = True
        if self.cut_short is not None:
            self.cut_short()

    def stop(self, reason: str) -> None:
        """Somebody wants the run to end, and the job to fail for good, with this reason: told in the same way."""
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

    async def enqueue(self, follow_up: FollowUp) -> None:
        """Add a job to the same queue on the same wire, unless there is one with its id, in whatever state."""


@dataclass(frozen=True, slots=True)
class Chore:
    """Housekeeping that a broker needs done: `run` at start and then every `every` seconds."""

    name: str
    every: float
    run: Callable[[], Awaitable[None]]


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
        """News was heard that this process can't act on: let another worker hear it."""

    def reserve_for(self, queue: Queue, room: Callable[[], int]) -> None:
        """`room` says how many jobs may be held ready for the next claims of `queue`, if that saves round trips."""

    async def quiet(self, queue: Queue) -> None:
        """No more claims of `queue` will come: give back what is held ready for them."""

    def chores(self) -> Sequence[Chore]:
        """What housekeeping must run: renewing leases, recovering lost jobs, retention."""

    async def close(self) -> None:
        """Sign off and close the connections. All leases are settled by then."""


LISTED = 64 * 1024  # characters of a job's payload where many are listed
READ_AT_ONCE = 20  # jobs of a list: payloads may be large


class State(enum.StrEnum):
    """Where a job is, in BullMQ's words."""

    WAITING = "waiting"
    DELAYED = "delayed"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"
    WAITING_CHILDREN = "waiting-children"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailure:
    """An attempt that failed. `attempt` counts from 1, `at` is in seconds since the epoch; None where it is not known.

    BullMQ keeps the stack traces of as many attempts as the app has set, and the time of the last one alone. RQ keeps
    the last ten, each with its time.
    """

    attempt: int | None
    at: float | None
    reason: str
    stack: str


@dataclass(frozen=True, slots=True)
class JobRef:
    """Where another job is. `queue` is None where the wire does not say."""

    id: str
    queue: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """What is known of a job. `data`, `progress`, `result` are JSON; `reason` is that of the last failure.

    Moments (`..._at`) are in seconds since the epoch, and `wait` and `run` are the seconds of its last run: before it
    started, and until it ended. `due_at` is when a delayed job will be ready. What is not known is None: `max_attempts`
    where the queue's number holds, `wait` of a BullMQ job after its first run. `priority` is BullMQ's number, or RQ's
    lane. `parents` wait for this job on BullMQ, and are what it waits for on RQ; `children` the other way round, at
    most 100 of them. `stack`, `result`, `log`, `failures` and `children` may be missing where many jobs are listed;
    there, what has more than 64 Ki characters is a note.
    """

    id: str
    name: str
    queue: str
    wire: Wire
    state: State
    data: Any
    attempts_made: int
    enqueued_at: float = 0.0
    finished_at: float | None = None
    progress: Any = None
    result: Any = None
    reason: str | None = None
    stack: str | None = None
    log: list[str] = field(default_factory=list)
    max_attempts: int | None = None
    priority: int | str | None = None
    due_at: float | None = None
    started_at: float | None = None
    worker: str | None = None
    wait: float | None = None
    run: float | None = None
    failures: tuple[AttemptFailure, ...] = ()
    parents: tuple[JobRef, ...] = ()
    children: tuple[JobRef, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A job to be added. `data` is JSON, `delay` seconds; without `attempts` the queue's number holds."""

    name: str
    data: Any
    job_id: str | None = None
    delay: float = 0.0
    attempts: int | None = None


@dataclass(frozen=True, slots=True)
class StoppedScheduler:
    """A job scheduler of BullMQ that has come to a stop before its end.

    `schedule` is its pattern or interval as the app wrote it, `reason` why no job follows. The last one was due at
    `due_at`, in seconds since the epoch.
    """

    id: str
    schedule: str
    reason: str
    due_at: float


class Inspector(Protocol):
    """What an operator may see and do, for one wire. Every call may raise BrokerUnavailableError."""

    wire: Wire

    async def check(self, queue: str) -> None:
        """See whether the wire can serve the queue at all. Raises BrokerRefusedError if not."""

    async def counts(self, queue: str) -> dict[State, int]:
        """How many jobs are in each state."""

    async def find(self, queue: str, job_id: str) -> JobView | None:
        """One job, or None."""

    async def page(self, queue: str, state: State, start: int, count: int) -> list[JobView]:
        """Up to `count` jobs of a state from number `start` on: what has finished, newest first; else who is next.

        Jobs may come and go between two pages, so one may be seen twice, or not at all.
        """

    async def marks(self, queue: str, job_ids: Sequence[str]) -> list[str | None]:
        """For each of these jobs a text that is another one whenever the job has got on; None for one that is gone.

        It costs a round trip for all of them together: whoever waits for many jobs looks often.
        """

    async def retry(self, queue: str, job_id: str) -> bool:
        """Run a failed job again, its attempts and crashes forgotten; False if it is not among the failed ones."""

    async def remove(self, queue: str, job_id: str) -> bool:
        """Delete a job with all that is known of it; False if there is none, or somebody has it leased."""

    async def clean(self, queue: str, state: State, older: float, most: int) -> int:
        """Delete up to `most` jobs that completed or failed more than `older` seconds ago; returns how many."""

    async def promote(self, queue: str, job_id: str) -> bool:
        """Let a delayed job run now; False if it is not among the delayed ones."""

    async def drain(self, queue: str, *, delayed: bool, most: int) -> int:
        """Delete up to `most` of the jobs that wait, and of those that are `delayed` if that is said; returns how many.

        What runs, and what has ended, stays. So do jobs that other jobs hold back, and BullMQ's schedulers.
        """

    async def add(self, queue: str, addition: Addition) -> str:
        """Add a job as a producer does, unless there is one with its id; returns the id."""

    async def add_all(self, queue: str, additions: Sequence[Addition]) -> list[str]:
        """Add many jobs, each as `add` does, in few round trips; returns their ids in this order."""

    async def stopped(self, queue: str) -> list[StoppedScheduler]:
        """The job schedulers that have come to a stop before their end; RQ has none."""

    async def check_server(self) -> None:
        """Raise BrokerUnavailableError unless the broker's server takes writes."""

    async def is_paused(self, queue: str) -> bool:
        """Whether the queue is paused, on both wires alike."""

    async def pause(self, queue: str) -> None:
        """Stop handing out jobs of the queue, on both wires; running jobs go on."""

    async def resume(self, queue: str) -> None:
        """Undo pause."""
