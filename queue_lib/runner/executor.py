"""One claimed job to one recorded ending. No loop, no server: hand it a lease."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

import structlog

from queue_lib.broker.dead_letters import DeadLetter, DeadLetters
from queue_lib.errors import (
    FaultError,
    JobError,
    LeaseLostError,
    PermanentError,
    SnoozeError,
    StoppedError,
    TransientError,
)
from queue_lib.observe.events import InternalFault, JobEnded, JobStarted, Observer
from queue_lib.outcome import Dead, Done, Ending, Failure, Lost, Released, Retry, Snooze, reason_of
from queue_lib.plain_json import to_json
from queue_lib.retry import decide
from queue_lib.runner.context import RunContext
from queue_lib.runner.outage import through_outage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from queue_lib.broker.base import Lease
    from queue_lib.job import Job
    from queue_lib.processor import Board, Registry, Route

RECORD_PAUSES = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, *(15.0,) * 40)  # seconds: ten minutes of outage


class Executor:
    """Runs leases."""

    def __init__(self, registry: Registry, dead_letters: DeadLetters, observe: Observer, board: Board) -> None:
        """Run the jobs that the registry knows, and bury others. Runs share facts with other processes on `board`."""
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
        context = RunContext(lease, self._observe, self._board)
        self._observe(JobStarted(lease.job))
        ending = await self._attempt(lease, context)
        seconds = context.spent()
        recorded = await self._record(lease, ending)
        self._observe(JobEnded(lease.job, recorded, seconds, context.counts))

    async def give_back(self, lease: Lease) -> None:
        """Return a job to its queue: the process is stopping."""
        recorded = await self._record(lease, Released())
        self._observe(JobEnded(lease.job, recorded, 0.0))

    async def _attempt(self, lease: Lease, context: RunContext) -> Ending:
        """Run the job's processor, and say how that ended. Raises nothing."""
        job = lease.job
        try:
            route = self._route(job)
            payload = route.schema.parse(job.data)
            with self._interruptible(lease):
                result = await _in_time(route, payload, context)
            return Done(to_json(result))
        except LeaseLostError as error:
            return Lost(reason_of(error))
        except asyncio.CancelledError:
            if self._interrupted:
                return Released()
            return decide(job, TransientError("the processor cancelled itself"))
        except (GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 -- here any error of a processor, sys.exit as well, is an outcome
            if isinstance(error, FaultError):
                self._alarm(job, Failure.of(error))
            return decide(job, error)

    def _alarm(self, job: Job, failure: Failure) -> None:
        """Report a fault of our own to operators, beside the outcome that the job has."""
        named = {"queue": job.queue, "id": job.id[:200], "name": job.name[:200]}
        structlog.get_logger().error("job_fault", **named, reason=failure.reason)
        self._observe(InternalFault("job_fault", failure))

    def _route(self, job: Job) -> Route:
        if job.refusal is not None:
            raise PermanentError(job.refusal)
        route = self._registry.find(job.name, job.queue)
        if route is None:
            known = ", ".join(self._registry.names(job.queue))
            msg = f"unknown job name {job.name[:100]!r} in queue {job.queue}; it takes {known}"
            raise PermanentError(msg)
        return route

    @contextlib.contextmanager
    def _interruptible(self, lease: Lease) -> Iterator[None]:
        """Let the shutdown, the loss of the lease, or an operator's stop cancel the processor.

        Raises LeaseLostError after a loss and StoppedError after a stop, even if the processor swallowed the
        cancellation: another run settles a lost job, so here it has no outcome and leaves no dead letter.
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

    async def _record(self, lease: Lease, ending: Ending) -> Ending:
        """Record how a run ended, through an outage of the broker if need be: the work is done and must not be lost.

        Returns what was recorded: it may be Lost. Raises nothing: the process and its other jobs go on.
        """
        try:
            return await through_outage(partial(self._settle, lease, ending), RECORD_PAUSES)
        except LeaseLostError as error:
            return Lost(reason_of(error))
        except Exception as error:  # noqa: BLE001 -- one job that can't be recorded must not end all the others
            lease.abandon()
            return Lost(reason_of(error))

    async def _settle(self, lease: Lease, ending: Ending) -> Ending:
        """Settle the lease; returns how it was settled in the end."""
        match ending:
            case Done(result):
                try:
                    await lease.done(result)
                except JobError as error:  # the wire does not allow it: a BullMQ parent and its children
                    return await self._settle(lease, decide(lease.job, error))
            case Retry(delay, failure):
                await lease.retry(delay, failure)
            case Snooze(delay, _):
                await lease.snooze(delay)
            case Dead(failure):
                return await self._bury(lease, failure)
            case Released():
                await lease.release()
            case Lost():
                pass
            case _:
                assert_never(ending)
        return ending

    async def _bury(self, lease: Lease, failure: Failure) -> Ending:
        if (later := await self._tell(lease, failure)) is not None:
            return await self._settle(lease, later)
        # The dead letter first: a crash in between leaves one too many, never one too few.
        await self._dead_letters.add(DeadLetter(job=lease.job, failure=failure, failed_at=time.time()))
        await lease.bury(failure)
        return Dead(failure)

    async def _tell(self, lease: Lease, failure: Failure) -> Snooze | None:
        """Tell the route that the job is dead.

        Returns a Snooze if the route's handler can't run now, unless the job was stopped: a stopped job ends at once.
        """
        job = lease.job
        route = self._registry.find(job.name, job.queue)
        if route is None or route.on_dead is None:
            return None
        try:
            await route.on_dead(job, failure)
        except Exception as error:  # noqa: BLE001 -- the job must end even if its route's handler fails
            if isinstance(error, SnoozeError) and lease.stopped is None:
                return Snooze(error.delay, str(error))
            failed = Failure.of(error)
            # Not its message: a database's may have values of a row.
            self._alarm(job, replace(failed, reason=f"the handler of dead jobs failed ({failed.kind})"))
        return None


def _check(lease: Lease) -> None:
    if lease.is_lost:
        msg = "the lease ran out or the job was removed while it ran"
        raise LeaseLostError(msg)
    if lease.stopped is not None:
        raise StoppedError(lease.stopped)


async def _in_time(route: Route, payload: BaseModel, context: RunContext) -> Any:
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
