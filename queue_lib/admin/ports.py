"""The port between the operators and a wire: look at its jobs, and act on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from queue_lib.job import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.addition import Addition
    from queue_lib.admin.flows import FlowNode
    from queue_lib.broker.bullmq.schedulers import StoppedScheduler
    from queue_lib.job import Wire

LISTED = 64 * 1024  # characters of a job's payload where many are listed
LARGEST = 256 * 1024  # bytes of a payload that a search reads: LISTED characters may be as many
READ_AT_ONCE = 20  # jobs of a list: each payload may be large


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
    started, and until it ended. `due_at` is when a delayed job will be ready, `ready_at` since when a waiting one has
    been, or a moment before that: BullMQ keeps it for first attempts. What is not known is None: `max_attempts`
    where the queue's number holds, `wait` of a BullMQ job after its first run. `priority` is BullMQ's number, or RQ's
    lane. `parents` wait for this job on BullMQ, and are what it waits for on RQ; `children` the other way round, at
    most 100 of them. `dead_children` are those for which it waits for ever: they have failed for good, or are gone.
    `stack`, `result`, `log`, `failures` and `children` may be missing where many jobs are listed; there, what has more
    than 64 Ki characters is a note.
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
    ready_at: float | None = None
    started_at: float | None = None
    worker: str | None = None
    wait: float | None = None
    run: float | None = None
    failures: tuple[AttemptFailure, ...] = ()
    parents: tuple[JobRef, ...] = ()
    children: tuple[JobRef, ...] = ()
    dead_children: tuple[JobRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a list of a wire: the job's `id` as the list has it, and its `score` where it is a sorted set."""

    id: str
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A job and its place in a list. `job` is None where the list has an id without a job."""

    mark: Mark
    job: JobView | None


def moment_of(job: JobView, state: State) -> float | None:
    """The time by which a list of a state is ordered, in seconds since the epoch."""
    match state:
        case State.COMPLETED | State.FAILED:
            return job.finished_at
        case State.DELAYED:
            return job.due_at
        case State.ACTIVE:
            return job.started_at
        case State.WAITING | State.WAITING_CHILDREN:
            return job.enqueued_at


class Inspector(Protocol):
    """What an operator may see and do, for one wire. Every call may raise BrokerUnavailableError."""

    wire: Wire

    async def check(self, queue: str) -> None:
        """See whether the wire can serve the queue at all. Raises BrokerRefusedError if not."""

    async def counts(self, queue: str) -> dict[State, int]:
        """How many jobs are in each state."""

    async def find(self, queue: str, job_id: str) -> JobView | None:
        """One job, or None."""

    async def page(self, queue: str, state: State, start: int, count: int, *, brief: bool = False) -> list[JobView]:
        """Up to `count` jobs of a state from number `start` on: ended jobs newest first, others in running order.

        Jobs may come and go between two pages, so one may be seen twice, or not at all. A `brief` job is read in little
        time: it has its id, name, payload and reason, and the time by which the list of its state is ordered.
        """

    async def listed(self, queue: str, state: State, job_ids: Sequence[str]) -> list[JobView]:
        """These jobs, as a page shows them; without those that are gone."""

    def lists(self, state: State) -> int:
        """In how many lists the wire keeps the jobs of a state."""

    async def behind(
        self, queue: str, state: State, number: int, mark: Mark | None, count: int, *, brief: bool = False
    ) -> list[Placed]:
        """Up to `count` jobs of the list with this number, from 0 on: those behind the mark, or the first ones.

        The list has its own order: ended jobs the newest first, others in running order. If the mark's job has left
        the list, those behind its place follow; of a list without scores, whose jobs leave in their order, the first.
        Fewer than `count` means that the list ends there.
        """

    async def fingerprints(self, queue: str, job_ids: Sequence[str]) -> list[str | None]:
        """For each job a short text that changes whenever the job does; None for a job that is gone.

        One round trip for all of them: clients that wait for jobs have them looked at often.
        """

    async def retry(self, queue: str, job_id: str) -> bool:
        """Run a failed job again, with its attempts and crashes reset; False if it is not failed."""

    async def remove(self, queue: str, job_id: str) -> bool:
        """Delete a job and all that is kept of it; False if it does not exist or is leased."""

    async def clean(self, queue: str, state: State, older: float, most: int) -> int:
        """Delete up to `most` jobs that completed or failed more than `older` seconds ago; returns how many."""

    async def promote(self, queue: str, job_id: str) -> bool:
        """Let a delayed job run now; False if it is not delayed."""

    async def drain(self, queue: str, *, delayed: bool, most: int) -> int:
        """Delete up to `most` waiting jobs, and delayed ones if `delayed` is set; returns how many.

        Running and ended jobs stay. So do jobs that wait for other jobs, and BullMQ's schedulers.
        """

    def check_addition(self, addition: Addition) -> None:
        """Raise PermanentError, which names the option, for what the wire can't do."""

    async def add(self, queue: str, addition: Addition) -> str:
        """Add a job as a producer does, unless there is one with its id; returns the id of the job that is there.

        Raises PermanentError as `check_addition` does.
        """

    async def add_all(self, queue: str, additions: Sequence[Addition]) -> list[str]:
        """Add many jobs, each as `add` does, in few round trips; returns their ids in this order."""

    async def stopped(self, queue: str) -> list[StoppedScheduler]:
        """The job schedulers that stopped before their end; RQ has none."""

    async def stuck(self, queue: str) -> list[JobRef]:
        """The jobs that wait for a child that has failed for good, or is gone; RQ has none.

        The 100 that wait longest are looked at.
        """

    async def flow(self, queue: str, job_id: str) -> FlowNode | None:
        """The whole flow that a job belongs to, 100 jobs of it at most; None if there is none, as always on RQ."""

    async def check_server(self) -> None:
        """Raise BrokerUnavailableError unless the broker's server takes writes."""

    async def is_paused(self, queue: str) -> bool:
        """Whether the queue is paused, on both wires alike."""

    async def pause(self, queue: str) -> None:
        """Stop handing out jobs of the queue, on both wires; running jobs go on."""

    async def resume(self, queue: str) -> None:
        """Undo pause."""
