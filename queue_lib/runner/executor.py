"""One claimed job to one recorded outcome. No loop, no server: hand it a lease."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, assert_never

import structlog
from pydantic import BaseModel, ValidationError

from queue_lib.broker.dead_letters import DeadLetter, DeadLetters
from queue_lib.errors import (
    BrokerRefusedError,
    BrokerUnavailableError,
    FaultError,
    JobError,
    LeaseLostError,
    PermanentError,
    SnoozeError,
    StoppedError,
    TransientError,
)
from queue_lib.observe.events import (
    Breakdown,
    FollowUpAdded,
    JobLost,
    JobReleased,
    JobSettled,
    JobStarted,
    Observer,
    Tallies,
)
from queue_lib.outcome import Dead, Done, Failure, Outcome, Retry, Snooze, reason_of
from queue_lib.plain_json import to_json
from queue_lib.processor import faults
from queue_lib.retry import decide

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from queue_lib.broker.base import Lease
    from queue_lib.job import Job
    from queue_lib.processor import Board, FollowUp, Registry, Route

T = TypeVar("T")

PROGRESS_EVERY = 1.0  # seconds
NOTE_PAUSES = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds of outage that a run waits in its middle
RECORD_PAUSES = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, *(15.0,) * 40)  # seconds: ten minutes of outage


class RunContext:
    """The Context of one run, which `started` in monotonic seconds: the rest through the lease and the observer."""

    def __init__(self, lease: Lease, started: float, observe: Observer, board: Board) -> None:
        """Serve one run of the lease's job."""
        self.job = lease.job
        self.board = board
        self.tallies: dict[str, dict[str, dict[str, int]]] = {}
        self._observe = observe
        self._lease = lease
        self._deadline = started + lease.job.timeout
        self._next_progress = 0.0

    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self._deadline - time.monotonic()

    async def progress(self, value: float | dict[str, Any]) -> None:
        """Publish progress, at most once a second; 100 is always published."""
        now = time.monotonic()
        if now >= self._next_progress or value == 100:  # noqa: PLR2004 -- percent
            self._next_progress = now + PROGRESS_EVERY
            with contextlib.suppress(BrokerUnavailableError):  # a report that can't be delivered must not cost the job
                await self._lease.progress(to_json(value))

    async def log(self, line: str) -> None:
        """Append to the job's log."""
        with contextlib.suppress(BrokerUnavailableError):
            await self._lease.log(line)

    async def notes(self) -> dict[str, str]:
        """Read the job's notes."""
        return await _through_outage(self._lease.notes, NOTE_PAUSES)

    async def note(self, entries: Mapping[str, str], forget: Collection[str] = ()) -> None:
        """Write the job's notes."""
        await _through_outage(lambda: self._lease.note(entries, forget), NOTE_PAUSES)

    async def enqueue(self, follow_up: FollowUp) -> None:
        """Add a job to this job's queue."""
        await _through_outage(lambda: self._lease.enqueue(follow_up), NOTE_PAUSES)
        self._observe(FollowUpAdded(self.job, follow_up.name))

    def tally(self, metric: str, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Keep counts, to be reported with the end of the run."""
        mine = self.tallies.setdefault(metric, {})
        for key, kinds in counts.items():
            total = mine.setdefault(key, {})
            for kind, count in kinds.items():
                total[kind] = total.get(kind, 0) + count


class Executor:
    """Runs leases."""

    def __init__(self, registry: Registry, dead_letters: DeadLetters, observe: Observer, board: Board) -> None:
        """Run what the registry knows; bury the rest. Runs tell those of other processes on the `board`."""
        self._registry = registry
        self._board = board
        self._dead_letters = dead_letters
        self._observe = observe
        self._performing: set[asyncio.Task[Any]] = set()
        self._interrupted = False

    def interrupt(self) -> None:
        """Cut short the processors under way, and start no other: their jobs go back. Recording goes on to its end."""
        self._interrupted = True
        for task in self._performing:
            task.cancel()

    async def close(self) -> None:
        """Close what the executor alone uses. All runs have ended by then."""
        await self._dead_letters.close()

    async def run(self, lease: Lease) -> None:
        """Take one lease from claim to settled."""
        started = time.monotonic()
        context = RunContext(lease, started, self._observe, self._board)
        self._observe(JobStarted(lease.job))
        try:
            outcome = await self._attempt(lease, context)
        except LeaseLostError as error:
            self._observe(JobLost(lease.job, time.monotonic() - started, reason_of(error), context.tallies))
            return
        except asyncio.CancelledError:
            await self._settle(lease, started, lease.release, context.tallies)
            return
        await self._settle(lease, started, lambda: self._record(lease, outcome), context.tallies)

    async def give_back(self, lease: Lease) -> None:
        """Return a job to its queue: the process is stopping."""
        await self._settle(lease, time.monotonic(), lease.release, {})

    async def _attempt(self, lease: Lease, context: RunContext) -> Outcome:
        job = lease.job
        try:
            route = self._route(job)
            payload = _parse(route, job)
            return Done(to_json(await self._perform(route, payload, lease, context)))
        except LeaseLostError:
            raise
        except asyncio.CancelledError:
            if self._interrupted:
                raise
            return decide(job, TransientError("the processor cancelled itself"))
        except Exception as error:  # noqa: BLE001 -- the one place where any error of a processor becomes an outcome
            if isinstance(error, FaultError):
                self._alarm(job, Failure.of(error))
            return decide(job, error)

    def _alarm(self, job: Job, failure: Failure) -> None:
        """Tell operators of a fault of our own, beside the outcome that the job has."""
        named = {"queue": job.queue, "id": job.id[:200], "name": job.name[:200]}
        structlog.get_logger().error("job_fault", **named, reason=failure.reason)
        self._observe(Breakdown("job_fault", failure))

    def _route(self, job: Job) -> Route[Any]:
        if job.refusal is not None:
            raise PermanentError(job.refusal)
        route = self._registry.find(job.name, job.queue)
        if route is None:
            known = ", ".join(self._registry.names(job.queue))
            msg = f"unknown job name {job.name[:100]!r} in queue {job.queue}; it takes {known}"
            raise PermanentError(msg)
        return route

    async def _perform(self, route: Route[Any], payload: BaseModel, lease: Lease, context: RunContext) -> Any:
        with self._interruptible(lease):
            return await _in_time(route, payload, context)

    @contextlib.contextmanager
    def _interruptible(self, lease: Lease) -> Iterator[None]:
        """Where the shutdown, the loss of the lease, or somebody who stops it cuts the run short.

        Raises LeaseLostError after a loss and StoppedError after a stop, whatever the processor makes of being
        cancelled: what is another's to settle has no outcome here, and leaves no dead letter.
        """
        task = asyncio.current_task()
        if task is None or self._interrupted:
            raise asyncio.CancelledError
        _check(lease)
        self._performing.add(task)
        lease.cut_short = task.cancel
        try:
            yield
        finally:
            self._performing.discard(task)
            lease.cut_short = None
            _check(lease)

    async def _record(self, lease: Lease, outcome: Outcome) -> Outcome:
        """Record the outcome; returns what was recorded in the end."""
        match outcome:
            case Done(result):
                try:
                    await lease.done(result)
                except JobError as error:  # the wire does not allow it: a BullMQ parent and its children
                    return await self._record(lease, decide(lease.job, error))
            case Retry(delay, failure):
                await lease.retry(delay, failure)
            case Snooze(delay, _):
                await lease.snooze(delay)
            case Dead(failure):
                if (later := await self._tell(lease, failure)) is not None:
                    return await self._record(lease, later)
                # The letter first: a crash in between leaves a letter too many, never one too few.
                await self._dead_letters.add(DeadLetter(job=lease.job, failure=failure, failed_at=time.time()))
                await lease.bury(failure)
            case _:
                assert_never(outcome)
        return outcome

    async def _tell(self, lease: Lease, failure: Failure) -> Snooze | None:
        """Tell the route that the job is dead; a Snooze where that can't be now, but for a job that was stopped."""
        job = lease.job
        route = self._registry.find(job.name, job.queue)
        if route is None or route.on_dead is None:
            return None
        try:
            await route.on_dead(job, failure)
        except Exception as error:  # noqa: BLE001 -- a job that nobody could be told of must still end
            if isinstance(error, SnoozeError) and lease.stopped is None:
                return Snooze(error.delay, str(error))
            untold = Failure.of(error)
            # Not its message: a database's may have values of a row.
            self._alarm(job, replace(untold, reason=f"nobody could be told that the job is dead ({untold.kind})"))
        return None

    async def _settle(
        self, lease: Lease, started: float, record: Callable[[], Awaitable[Outcome | None]], tallies: Tallies
    ) -> None:
        """Record an ending, and report what became of it. Whatever happens, the process and its other jobs go on."""
        job, spent = lease.job, time.monotonic() - started
        try:
            outcome = await self._persist(record)
        except LeaseLostError as error:
            self._observe(JobLost(job, spent, reason_of(error), tallies))
        except Exception as error:  # noqa: BLE001 -- one job that can't be recorded must not end all the others
            lease.abandon()
            self._observe(JobLost(job, spent, reason_of(error), tallies))
        else:
            end = JobReleased(job, spent, tallies) if outcome is None else JobSettled(job, outcome, spent, tallies)
            self._observe(end)

    async def _persist(self, record: Callable[[], Awaitable[Outcome | None]]) -> Outcome | None:
        """Record through an outage of the broker, if need be: the work is done and must not be lost."""
        return await _through_outage(record, RECORD_PAUSES)


async def _through_outage(call: Callable[[], Awaitable[T]], pauses: Sequence[float]) -> T:
    """Call again while the broker's server is away, after these pauses (seconds). Raises BrokerUnavailableError."""
    for pause in pauses:
        try:
            return await call()
        except BrokerRefusedError:
            raise
        except BrokerUnavailableError:
            await asyncio.sleep(pause)
    return await call()


def _check(lease: Lease) -> None:
    if lease.is_lost:
        msg = "the lease ran out or the job was removed while it ran"
        raise LeaseLostError(msg)
    if lease.stopped is not None:
        raise StoppedError(lease.stopped)


async def _in_time(route: Route[Any], payload: BaseModel, context: RunContext) -> Any:
    """Run the processor until the job's deadline. Raises TransientError there."""
    seconds = context.job.timeout
    try:
        async with asyncio.timeout(seconds) as limit:
            return await route.processor(payload, context)
    except TimeoutError as error:
        if limit.expired():
            msg = f"timed out after {seconds:g} s"
            raise TransientError(msg) from error
        raise


def _parse(route: Route[Any], job: Job) -> BaseModel:
    try:
        payload: BaseModel = route.payload.model_validate(job.data)
    except ValidationError as error:
        msg = f"bad payload for {job.name}: {faults(error)}"
        raise PermanentError(msg) from None
    return payload
