"""A lease on a BullMQ job: its lock, under our token."""

from __future__ import annotations

import contextlib
import json
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bullmq.job import getReturnValue

from queue_lib.broker.base import Lease
from queue_lib.broker.bullmq.parse import keep, keeps_none
from queue_lib.broker.notes import Holder, Notes
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import LeaseLostError
from queue_lib.processor import Children

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from queue_lib.addition import Addition
    from queue_lib.broker.bullmq.ahead import Ahead
    from queue_lib.broker.bullmq.producer import Producer
    from queue_lib.broker.bullmq.worker import LoopLessWorker
    from queue_lib.broker.held import Held
    from queue_lib.job import Job
    from queue_lib.outcome import Failure
    from queue_lib.queues import Queue

LONGEST_LOG = 1000  # lines kept where the app set no keepLogs


@dataclass(frozen=True, slots=True)
class Session:
    """What the leases of one queue share."""

    queue: Queue
    worker: LoopLessWorker
    ahead: Ahead
    producer: Producer


class BullLease(Lease):
    """Settles a job through the package's scripts."""

    def __init__(self, job: Job, raw: Any, token: str, session: Session, held: Held[BullLease]) -> None:
        """`raw` is the package's Job; the lease leaves `held` once its lock is no longer ours to renew."""
        self.job = job
        self.key = job.id
        self.token = token
        self.queue = session.queue
        self._raw = raw
        self._worker = worker = session.worker
        self._ahead = session.ahead
        self._producer = session.producer
        self._held = held
        prefix = worker.backend.toKey("").removesuffix(":")
        holder = Holder(worker.backend.toKey(f"{job.id}:lock"), token)
        self._notes = Notes(worker.backend.conn, prefix, job, holder)

    async def done(self, result: Any) -> None:
        """Complete, and fetch the next job in the same step, which saves a round trip a job.

        Raises PermanentError for a parent with a failed child, and TransientError for one that was given another child
        while it ran: BullMQ lets neither complete.
        """
        kept = keep(self._raw.opts.get("removeOnComplete"), self.queue.keep_completed.count)
        moved: dict[str, Any] = {}
        with self._ahead.fetching() as fetch:
            async with self._settling(kept):
                moved = await self._worker.backend.moveToCompleted(self._raw, result, kept, self.token, fetch)
        fields, job_id, *_ = moved.get("result") or (None, None)
        if fields:
            await self._ahead.add(fields, str(job_id), self.token)
        await self._notes.drop()

    async def retry(self, delay: float, failure: Failure) -> None:
        """Delay, or put back in line if there is no delay; the attempt is counted."""
        fields = {"fieldsToUpdate": self._failed(failure)}
        backend, job_id = self._worker.backend, self.job.id
        async with self._settling():
            if delay > 0:
                await backend.moveToDelayed(job_id, _now(), math.ceil(delay * 1000), self.token, fields)
            else:
                await backend.retryJob(job_id, bool(self._raw.opts.get("lifo")), self.token, fields)

    async def snooze(self, delay: float) -> None:
        """Delay without counting the attempt."""
        async with self._settling(counted=False):
            await self._worker.backend.moveToDelayed(
                self.job.id, _now(), max(1, math.ceil(delay * 1000)), self.token, {"skipAttempt": True}
            )

    async def bury(self, failure: Failure) -> None:
        """Move to the failed set."""
        self._raw.attempts = self.job.max_attempts  # so that the script can tell that retries are exhausted
        kept = keep(self._raw.opts.get("removeOnFail"), self.queue.keep_failed.count)
        fields = self._failed(failure)
        async with self._settling(kept):
            await self._worker.backend.moveToFailed(
                self._raw, failure.reason, kept, self.token, fetch_next=False, fields_to_update=fields
            )

    async def release(self) -> None:
        """Move back to the front of the line."""
        async with self._settling(counted=False):
            await self._worker.scripts.give_back(self.job.id, self.token)

    def abandon(self) -> None:
        """Let the lock run out."""
        self._held.forget(self)

    async def progress(self, value: Any) -> None:
        """Publish: a Node QueueEvents hears of it."""
        with outages_translated():
            await self._worker.backend.updateProgress(self.job.id, value)

    async def log(self, line: str) -> None:
        """Append, as `job.log` does, and keep as many lines as the app wants."""
        client, key = self._worker.backend.conn, self._worker.backend.toKey(f"{self.job.id}:logs")
        with outages_translated():
            await client.rpush(key, line)
            await client.ltrim(key, -int(self._raw.opts.get("keepLogs") or LONGEST_LOG), -1)

    async def notes(self) -> dict[str, str]:
        """Read the job's notes; there are none in its first run, which needs no round trip."""
        return await self._notes.read() if self._raw.attemptsStarted != 1 else {}

    async def note(self, entries: Mapping[str, str], forget: Collection[str]) -> None:
        """Write the job's notes."""
        await self._notes.write(entries, forget)

    async def children(self) -> Children:
        """Read what Node reads for `getChildrenValues` and `getIgnoredChildrenFailures`."""
        client, key = self._worker.backend.conn, self._worker.backend.toKey(self.job.id)
        with outages_translated():
            results = await client.hgetall(f"{key}:processed")
            failures = await client.hgetall(f"{key}:failed")
        return Children({child: getReturnValue(text) for child, text in results.items()}, failures)

    async def enqueue(self, queue: str, addition: Addition) -> str:
        """Add as `queue.add` does, in the same queue with this job's priority unless the addition says its place."""
        if queue == self.queue.name and addition.priority is None and not addition.lifo:
            addition = replace(addition, priority=self._raw.priority)
        return await self._producer.add(queue, addition)

    def _failed(self, failure: Failure) -> dict[str, str]:
        """The fields of a failed attempt: the reason raw, the stack traces as a JSON list, one an attempt."""
        limit = self._raw.opts.get("stackTraceLimit")
        traces = [*self._raw.stacktrace, failure.stack or failure.reason]
        kept = traces[-limit:] if isinstance(limit, int) and limit > 0 else [] if limit == 0 else traces
        return {"failedReason": failure.reason, "stacktrace": json.dumps(kept, separators=(",", ":"))}

    @contextlib.asynccontextmanager
    async def _settling(self, kept: Any = None, *, counted: bool = True) -> AsyncIterator[None]:
        """Around a command that settles the job: end the lease, also if the command's answer was lost.

        `kept` is how long the scripts keep a job that has ended; `counted` says whether the command counts an attempt.
        redis-py sends a command again whose answer was lost with the connection; the second one finds no lock.
        """
        if self not in self._held:
            msg = f"job {self.job.id} is no longer leased to this worker"
            raise LeaseLostError(msg)
        try:
            with outages_translated():
                yield
        except LeaseLostError:
            if not await self._have_settled(kept, counted=counted):
                self._held.forget(self)
                raise
        self._held.forget(self)

    async def _have_settled(self, kept: Any, *, counted: bool) -> bool:
        """Whether an earlier try has settled the job, and its answer was lost.

        So it is if no worker has started the job since, and it is not active. A job that is not kept is gone then, as
        it is when an operator has removed it.
        """
        client, key = self._worker.backend.conn, self._worker.backend.toKey(self.job.id)
        with outages_translated():
            made, started = await client.hmget(key, "atm", "ats")
            active = await client.lpos(self._worker.keys["active"], self.job.id)
        if started is None:
            return keeps_none(kept)
        expected = self.job.attempt if counted else self.job.attempt - 1
        return active is None and (int(made or 0), started) == (expected, str(self._raw.attemptsStarted))


def _now() -> int:
    return round(time.time() * 1000)
