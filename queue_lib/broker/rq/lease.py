"""A lease on an RQ job: its execution in the started registry, renewed by heartbeats.

Every settling call fills a batch with RQ's own methods and sends it in one step.
"""

from __future__ import annotations

import math
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from rq.job import JobStatus
from rq.rate_limit import release_slot
from rq.results import Result
from rq.utils import now

from queue_lib.broker.base import Lease
from queue_lib.broker.notes import Holder, Notes
from queue_lib.broker.rq import producer
from queue_lib.broker.rq.lanes import kept_key, started_key
from queue_lib.broker.rq.results import of_jobs
from queue_lib.broker.rq.retention import wake_ready
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from redis.client import Pipeline
    from rq.executions import Execution

    from queue_lib.addition import Addition
    from queue_lib.broker.held import Held
    from queue_lib.broker.rq.job import GuardedJob
    from queue_lib.broker.rq.session import Session
    from queue_lib.job import Job
    from queue_lib.outcome import Failure
    from queue_lib.processor import Children
    from queue_lib.queues import Queue

LONGEST_LOG = 100  # lines, kept in the job's meta


class RQLease(Lease):
    """Settles a job through RQ's methods."""

    def __init__(
        self, job: Job, rq_job: GuardedJob, execution: Execution, queue: Queue, session: Session, held: Held[RQLease]
    ) -> None:
        """The lease leaves `held` once its execution is no longer ours to renew."""
        self.job = job
        self.rq_job = rq_job
        self.execution = execution
        self.key: str = execution.composite_key
        self.queue = queue
        self.lane = session.lanes[rq_job.origin]
        self._session = session
        self._held = held
        self._notes = Notes(session.client, self.lane.key, job, Holder(started_key(self.lane.name), self.key))

    def lose(self) -> None:
        """Another run has the job by now."""
        self._forget()
        super().lose()

    def _forget(self) -> None:
        """The lease is settled or lost: renew it no more."""
        self._held.forget(self)
        self._session.room.ended(self.job.queue)
        self._session.worker.executions.pop(self.execution.id, None)

    def renew(self, pipe: Pipeline) -> None:
        """Write what renews it."""
        self._session.worker.renew_lease(self.rq_job, self.execution, pipe)

    async def done(self, result: Any) -> None:
        """Finish, keep the result, and let waiting dependents go."""
        self._check()
        rq_job = self.rq_job
        rq_job.ended_at = now()
        rq_job._result = result  # noqa: SLF001 -- where RQ's worker puts it, too
        simple = rq_job.result_ttl != 0 and not rq_job.repeats_left
        if not simple or not await self._commit(self._fill_done, unless_dependents=True):
            with outages_translated():
                await self._session.in_thread(self._done_by_rq)
            self._forget()
        await self._notes.drop()

    def _done_by_rq(self) -> None:
        """RQ's own way, which reads before it writes: for dependents, repeats, and results that are not kept."""
        rq_job, lane, worker = self.rq_job, self.lane, self._session.worker
        rq_job._status = JobStatus.FINISHED  # noqa: SLF001
        try:
            worker.handle_job_success(rq_job, lane, lane.started_job_registry, self.execution)
        except LeaseLostError:
            if not self._have_settled():
                raise self._lost() from None
        self._session.room.wake_others(self.job.queue, worker.connection)
        wake_ready(worker.queues)  # RQ leaves them to its maintenance if the connection breaks before they are in line
        worker.rest()

    def _have_settled(self) -> bool:
        """Whether an earlier try has settled it, and its answer was lost. One whose result is not kept is gone then."""
        connection, key = self._session.worker.connection, self.rq_job.key
        if not connection.exists(key):
            return self.rq_job.result_ttl == 0
        return bool(connection.hget(key, "settled_by") == self.key.encode())

    def _check(self) -> None:
        if self not in self._held:
            raise self._lost()

    def _lost(self) -> LeaseLostError:
        self._forget()
        return LeaseLostError(f"job {self.job.id} is no longer leased to this worker")

    def _fill_done(self, pipe: Pipeline) -> None:
        rq_job, worker, execution = self.rq_job, self._session.worker, self.execution
        ttl = rq_job.result_ttl
        worker.increment_successful_job_count(pipeline=pipe)
        self._count_time(pipe)
        rq_job._handle_success(  # noqa: SLF001
            ttl,
            pipeline=pipe,
            worker_name=worker.name,
            execution_id=execution.id,
            execution_started_at=execution.created_at,
            execution_ended_at=rq_job.ended_at,
        )
        rq_job.cleanup(ttl, pipeline=pipe, remove_from_queue=False)
        worker.keep(rq_job, execution, pipe)

    async def retry(self, delay: float, failure: Failure) -> None:
        """Schedule, or put back in line if there is no delay; the attempt is counted and its error kept."""
        rq_job = self.rq_job
        rq_job.ended_at = now()
        rq_job.retries_left = self.job.max_attempts - self.job.attempt - 1

        def fill(pipe: Pipeline) -> None:
            self._fill_failed(pipe, failure)
            Result.create_failure(
                rq_job,
                rq_job.failure_ttl,
                failure.stack or failure.reason,
                worker_name=self._session.worker.name,
                pipeline=pipe,
                execution_id=self.execution.id,
                execution_started_at=self.execution.created_at,
                execution_ended_at=rq_job.ended_at,
            )
            self._fill_again(pipe, delay, at_front=bool(rq_job.enqueue_at_front_on_retry))

        await self._commit(fill)

    async def snooze(self, delay: float) -> None:
        """Schedule without counting the attempt."""
        await self._commit(lambda pipe: self._fill_again(pipe, delay, at_front=True))

    async def release(self) -> None:
        """Push to the front of the lane."""
        await self._commit(lambda pipe: self._fill_again(pipe, 0.0, at_front=True))

    def _fill_again(self, pipe: Pipeline, delay: float, *, at_front: bool) -> None:
        if delay > 0:
            # RQ keeps whole seconds and cuts the rest off: round up, so as never to be early.
            due = math.ceil(time.time() + delay)
            self.rq_job.set_status(JobStatus.SCHEDULED, pipeline=pipe)
            self.lane.schedule_job(self.rq_job, now() + timedelta(seconds=due - time.time() + 0.001), pipeline=pipe)
        else:
            self.lane._enqueue_job(self.rq_job, pipeline=pipe, at_front=at_front)  # noqa: SLF001

    async def bury(self, failure: Failure) -> None:
        """Move to the failed registry, as failed or as stopped; dependents that allow a failure go on."""
        rq_job, worker, execution = self.rq_job, self._session.worker, self.execution
        rq_job.ended_at = now()

        def fill(pipe: Pipeline) -> None:
            self._fill_failed(pipe, failure)
            rq_job.set_status(JobStatus.FAILED if self.stopped is None else JobStatus.STOPPED, pipeline=pipe)
            rq_job._handle_failure(  # noqa: SLF001
                failure.stack or failure.reason,
                pipeline=pipe,
                worker_name=worker.name,
                execution_id=execution.id,
                execution_started_at=execution.created_at,
                execution_ended_at=rq_job.ended_at,
            )
            pipe.hdel(rq_job.key, "crashes")  # an operator who requeues it gives it a new start

        await self._commit(fill)

    def abandon(self) -> None:
        """Let the execution run out."""
        self._forget()

    async def progress(self, value: Any) -> None:
        """Write `meta['progress']`."""
        await self._save_meta("progress", value)

    async def log(self, line: str) -> None:
        """Append to `meta['log']`."""
        await self._save_meta("log", [*self.rq_job.meta.get("log", []), line][-LONGEST_LOG:])

    async def notes(self) -> dict[str, str]:
        """Read the job's notes."""
        return await self._notes.read()

    async def note(self, entries: Mapping[str, str], forget: Collection[str]) -> None:
        """Write the job's notes."""
        await self._notes.write(entries, forget)

    async def children(self) -> Children:
        """Read the newest results of its dependencies."""
        ids = self.rq_job._dependency_ids  # noqa: SLF001
        with outages_translated():
            return await self._session.in_thread(partial(of_jobs, self.lane.connection, ids))

    async def enqueue(self, queue: str, addition: Addition) -> str:
        """Add as a producer does, in the same queue to this job's lane unless it names a lane."""
        lane = self.lane.name if queue == self.queue.name and addition.priority is None else queue
        with outages_translated():
            return await self._session.in_thread(partial(producer.add, self.lane.connection, lane, addition))

    async def _save_meta(self, key: str, value: Any) -> None:
        self.rq_job.meta[key] = value
        with outages_translated():
            await self._session.client.hset(self.rq_job.key, "meta", self._meta())

    def _meta(self) -> str:
        return str(self.rq_job._serialize_meta(), "utf-8")  # noqa: SLF001

    def _fill_failed(self, pipe: Pipeline, failure: Failure) -> None:
        pipe.hset(self.rq_job.key, mapping={"attempts_made": self.job.attempt, "failed_reason": failure.reason})
        self._session.worker.increment_failed_job_count(pipe)
        self._count_time(pipe)

    def _count_time(self, pipe: Pipeline) -> None:
        if self.rq_job.started_at and self.rq_job.ended_at:
            self._session.worker.increment_total_working_time(self.rq_job.ended_at - self.rq_job.started_at, pipe)

    async def _commit(self, fill: Callable[[Pipeline], None], *, unless_dependents: bool = False) -> bool:
        """Send what `fill` writes together with the end of the execution; then wake the dependents.

        False if the job has dependents and nothing was written because of them.
        """
        self._check()
        worker, rq_job = self._session.worker, self.rq_job

        def fill_and_end(pipe: Pipeline) -> None:
            fill(pipe)
            worker.end(rq_job, self.execution, pipe)
            self._session.room.wake_others(self.job.queue, pipe)

        kept = (kept_key(self.queue.name), self.queue.keep_completed.count)
        with outages_translated():
            verdict, dependents = await self._session.batch.send(
                rq_job, fill_and_end, holder=self.key, unless_dependents=unless_dependents, kept=kept
            )
        if verdict == "dependents":
            return False
        if verdict == "lost":
            raise self._lost()
        self._forget()
        if dependents and rq_job.get_status(refresh=False) in {JobStatus.FAILED, JobStatus.STOPPED}:
            await self._session.afterwards(lambda: self.lane.enqueue_dependents(rq_job), self.job.id)
        if rq_job.has_rate_limit:  # RQ's own limit: how many jobs of a key run at once
            await self._session.afterwards(lambda: release_slot(rq_job), self.job.id)
        return True
