"""The fake: a broker in memory, with the same promises as the real ones. For tests, and to read the port by."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from queue_lib.broker.base import CRASH_CAP, Lease, NotNow
from queue_lib.chore import Chore
from queue_lib.errors import LeaseLostError, PermanentError
from queue_lib.job import Backoff, Job, State, Wire
from queue_lib.processor import Children

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from queue_lib.addition import Addition
    from queue_lib.broker.dead_letters import DeadLetter
    from queue_lib.outcome import Failure
    from queue_lib.queues import Queue

IDLE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class MemoryFailure:
    """An attempt that failed. `at` is in seconds of the store's clock."""

    attempt: int
    at: float
    failure: Failure


@dataclass(slots=True)
class Record:
    """A job as the store keeps it. Times are seconds of the store's clock."""

    id: str
    name: str
    data: Any
    attempts: int | None
    backoff: Backoff | None
    enqueued_at: float
    state: State = State.WAITING
    due: float = 0.0
    attempts_made: int = 0
    crashes: int = 0
    holder: MemoryLease | None = None
    lease_until: float = 0.0
    progress: Any = None
    result: Any = None
    failure: Failure | None = None
    log: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    finished_at: float | None = None
    started_at: float | None = None
    worker: str | None = None
    waited: float | None = None
    failures: list[MemoryFailure] = field(default_factory=list)


class MemoryStore:
    """What a server would hold; several brokers (processes) may share one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty."""
        self.clock = clock
        self.jobs: dict[tuple[str, str], Record] = {}
        self.lines: dict[str, deque[Record]] = {}
        self.paused: set[str] = set()
        self.windows: dict[str, tuple[float, int]] = {}  # queue -> (end of the window, jobs in it)
        self.letters: list[DeadLetter] = []
        self.news = asyncio.Event()

    def enqueue(  # noqa: PLR0913 -- a producer's options
        self,
        queue: str,
        name: str,
        data: Any = None,
        *,
        delay: float = 0.0,
        attempts: int | None = None,
        backoff: Backoff | None = None,
        job_id: str | None = None,
        front: bool = False,
    ) -> str:
        """Add a job; returns its id. `delay` is in seconds."""
        record = Record(job_id or str(len(self.jobs) + 1), name, data, attempts, backoff, self.clock())
        self.jobs[queue, record.id] = record
        self.put(queue, record, delay, front=front)
        return record.id

    def check(self, addition: Addition) -> None:
        """Raise PermanentError, which names the option, for what the fake can't do."""
        for option in ("priority", "remove_on_complete", "remove_on_fail", "deduplication"):
            if getattr(addition, option) is not None:
                msg = f"{option}: not in memory"
                raise PermanentError(msg)

    def add(self, queue: str, addition: Addition) -> str:
        """Add a job, unless there is one with its id. Raises PermanentError for what the fake can't do."""
        self.check(addition)
        if addition.job_id is not None and (queue, addition.job_id) in self.jobs:
            return addition.job_id
        return self.enqueue(
            *(queue, addition.name, addition.data),
            delay=addition.delay,
            attempts=addition.attempts,
            backoff=addition.backoff,
            job_id=addition.job_id,
            front=addition.lifo,
        )

    def put(self, queue: str, record: Record, delay: float = 0.0, *, front: bool = False) -> None:
        """Make a job wait, at the front or at the end of the line, now or in `delay` seconds."""
        record.holder, record.due = None, self.clock() + delay
        record.state = State.DELAYED if delay > 0 else State.WAITING
        line = self.lines.setdefault(queue, deque())
        (line.appendleft if front else line.append)(record)
        self.tell()

    def next(self, queue: str) -> Record | None:
        """Take the first job of the line that is due."""
        now = self.clock()
        line = self.lines.get(queue, deque())
        record = next((record for record in line if record.due <= now), None)
        if record is not None:
            line.remove(record)
        return record

    def limited_for(self, queue: Queue) -> float:
        """Seconds until the queue's rate limit allows another job; 0 if it does now."""
        end, count = self.windows.get(queue.name, (0.0, 0))
        now = self.clock()
        return end - now if queue.rate_max and count >= queue.rate_max and end > now else 0.0

    def count(self, queue: Queue) -> None:
        """Count a claimed job in the window, which opens with its first job."""
        end, count = self.windows.get(queue.name, (0.0, 0))
        now = self.clock()
        self.windows[queue.name] = (end, count + 1) if end > now else (now + queue.rate_duration, 1)

    def tell(self) -> None:
        """Wake the waiting consumers."""
        self.news.set()
        self.news = asyncio.Event()


class MemoryLease(Lease):
    """A lease on a record."""

    def __init__(self, store: MemoryStore, queue: Queue, record: Record, job: Job) -> None:
        """Hold `record` until it is settled."""
        self.job = job
        self.renewed = True
        self._store = store
        self._queue = queue
        self._record = record

    def _mine(self) -> Record:
        if self._record.holder is not self:
            msg = f"job {self.job.id} is no longer leased to this worker"
            raise LeaseLostError(msg)
        return self._record

    def _finish(self, state: State) -> Record:
        record = self._mine()
        record.holder, record.state = None, state
        record.attempts_made += 1
        record.finished_at = self._store.clock()
        return record

    def _fail(self, state: State, failure: Failure) -> Record:
        record = self._finish(state)
        record.failure = failure
        record.failures.append(MemoryFailure(self.job.attempt, self._store.clock(), failure))
        return record

    async def done(self, result: Any) -> None:
        """Settle as done."""
        record = self._finish(State.COMPLETED)
        record.result = result
        record.notes.clear()

    async def retry(self, delay: float, failure: Failure) -> None:
        """Settle as failed, to be tried again."""
        record = self._fail(State.WAITING, failure)
        self._store.put(self._queue.name, record, delay)

    async def snooze(self, delay: float) -> None:
        """Settle as put off."""
        self._store.put(self._queue.name, self._mine(), delay)

    async def bury(self, failure: Failure) -> None:
        """Settle as failed for good."""
        self._fail(State.FAILED, failure)

    async def release(self) -> None:
        """Give back to the front."""
        self._store.put(self._queue.name, self._mine(), front=True)

    def abandon(self) -> None:
        """Let the lease run out."""
        self.renewed = False

    async def progress(self, value: Any) -> None:
        """Keep the value."""
        self._mine().progress = value

    async def log(self, line: str) -> None:
        """Keep the line."""
        self._mine().log.append(line)

    async def notes(self) -> dict[str, str]:
        """Read the job's notes."""
        return dict(self._record.notes)

    async def note(self, entries: Mapping[str, str], forget: Collection[str]) -> None:
        """Write the job's notes."""
        notes = self._mine().notes
        notes |= entries
        for key in forget:
            notes.pop(key, None)

    async def children(self) -> Children:
        """None: there are no flows in memory."""
        return Children({}, {})

    async def enqueue(self, queue: str, addition: Addition) -> str:
        """Add a job, unless there is one with its id."""
        return self._store.add(queue, addition)


class MemoryBroker:
    """The Broker port over a MemoryStore."""

    def __init__(
        self,
        store: MemoryStore,
        lease_duration: float = 30.0,
        wire: Wire = Wire.BULLMQ,
        worker_name: str = "memory",
    ) -> None:
        """`lease_duration` is in seconds."""
        self._worker_name = worker_name
        self.wire = wire
        self._store = store
        self._lease_duration = lease_duration
        self._held: set[MemoryLease] = set()
        self._queues: dict[str, Queue] = {}

    async def start(self) -> None:
        """Nothing to register with."""

    async def ping(self) -> None:
        """There is no server to be away."""

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Take the next job."""
        store = self._store
        self._queues[queue.name] = queue
        if queue.name in store.paused:
            return NotNow(IDLE, listen=True)
        if (pause := store.limited_for(queue)) > 0:
            return NotNow(pause, listen=False, limited=True)
        record = store.next(queue.name)
        if record is None:
            return NotNow(self._next_due(queue), listen=True)
        store.count(queue)
        return self._lease(queue, record)

    def _next_due(self, queue: Queue) -> float:
        dues = [record.due - self._store.clock() for record in self._store.lines.get(queue.name, ())]
        return max(0.0, min([IDLE, *dues]))

    def _lease(self, queue: Queue, record: Record) -> Lease:
        refusal = f"its worker died {record.crashes} times while running it" if record.crashes >= CRASH_CAP else None
        job = Job(
            id=record.id,
            name=record.name,
            queue=queue.name,
            wire=self.wire,
            data=record.data,
            attempt=record.attempts_made + 1,
            max_attempts=record.attempts or queue.attempts_of(record.name),
            backoff=record.backoff or queue.backoff_of(record.name),
            timeout=queue.timeout,
            enqueued_at=record.enqueued_at,
            created_at=record.enqueued_at,
            waited=self._store.clock() - record.due,
            refusal=refusal,
        )
        lease = MemoryLease(self._store, queue, record, job)
        record.state, record.holder = State.ACTIVE, lease
        record.started_at, record.waited, record.worker = self._store.clock(), job.waited, self._worker_name
        record.lease_until = self._store.clock() + self._lease_duration
        self._held.add(lease)
        return lease

    async def wait(self, queue: Queue, pause: NotNow) -> None:  # noqa: ARG002 -- any news will do
        """Wait for news of any queue, or for the pause to pass."""
        try:
            async with asyncio.timeout(pause.seconds):
                await (self._store.news if pause.listen else asyncio.Event()).wait()
        except TimeoutError:
            return

    async def pass_on(self, queue: Queue) -> None:
        """All waiters have heard."""

    def reserve_for(self, queue: Queue, room: Callable[[], int]) -> None:
        """No round trip would be saved."""

    async def quiet(self, queue: Queue) -> None:
        """Nothing is held ready."""

    def chores(self) -> Sequence[Chore]:
        """Renew and recover, three times a lease."""
        every = self._lease_duration / 3
        return [Chore("renew leases", every, self.renew), Chore("recover jobs", every, self.recover)]

    async def renew(self) -> None:
        """Prolong the leases held."""
        until = self._store.clock() + self._lease_duration
        for lease in self._held:
            if lease._record.holder not in {lease, None}:  # noqa: SLF001 -- another run has it
                lease.lose()
        self._held = {lease for lease in self._held if lease._record.holder is lease and lease.renewed}  # noqa: SLF001
        for lease in self._held:
            lease._record.lease_until = until  # noqa: SLF001

    async def recover(self) -> None:
        """Put jobs whose lease ran out back to the front."""
        now = self._store.clock()
        for (queue, _), record in self._store.jobs.items():
            if record.state is State.ACTIVE and record.lease_until <= now:
                record.crashes += 1
                self._store.put(queue, record, front=True)

    async def close(self) -> None:
        """Nothing to close."""
