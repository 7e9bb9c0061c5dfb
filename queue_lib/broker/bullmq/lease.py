"""A lease on a BullMQ job: its lock, under our token."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bullmq.job import getReturnValue

from queue_lib.broker.base import Lease
from queue_lib.broker.bullmq.parse import keep, keeps_none
from queue_lib.broker.notes import Holder, Notes
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import LeaseLostError
from queue_lib.processor import Children

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

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
        self._worker = session.worker
        self._ahead = session.ahead
        self._producer = session.producer
        self._held = held
        self._notes: Notes | None = None  # most jobs have none

    async def done(self, result: Any) -> None:
        """Complete, and fetch the next job in the same step, which saves a round trip a job.

        Raises PermanentError for a parent with a failed child, and TransientError for one that was given another child
        while it ran: BullMQ lets neither complete.
        """
        kept = keep(self._raw.opts.get("removeOnComplete"), self.queue.keep_completed.count)
        complete = self._worker.backend.moveToCompleted
        with self._ahead.fetching() as fetch:
            moved = await self._settle(partial(complete, self._raw, result, kept, self.token, fetch), kept)
        fields, job_id, *_ = (moved or {}).get("result") or (None, None)
        if fields:
            await self._ahead.add(fields, str(job_id), self.token)
        if self._notes is not None:
            await self._notes.drop()

    async def retry(self, delay: float, failure: Failure) -> None:
        """Delay, or put back in line if there is no delay; the attempt is counted."""
        fields = {"fieldsToUpdate": self._failed(failure)}
        backend, job_id = self._worker.backend, self.job.id
        if delay > 0:
            put_back = partial(backend.moveToDelayed, job_id, _now(), math.ceil(delay * 1000), self.token, fields)
        else:
            put_back = partial(backend.retryJob, job_id, bool(self._raw.opts.get("lifo")), self.token, fields)
        await self._settle(put_back)

    async def snooze(self, delay: float) -> None:
        """Delay without counting the attempt."""
        due = max(1, math.ceil(delay * 1000))
        put_off = self._worker.backend.moveToDelayed
        await self._settle(partial(put_off, self.job.id, _now(), due, self.token, {"skipAttempt": True}), counted=False)

    async def bury(self, failure: Failure) -> None:
        """Move to the failed set."""
        self._raw.attempts = self.job.max_attempts  # so that the script can tell that retries are exhausted
        kept = keep(self._raw.opts.get("removeOnFail"), self.queue.keep_failed.count)
        words = {"fetch_next": False, "fields_to_update": self._failed(failure)}
        fail = self._worker.backend.moveToFailed
        await self._settle(partial(fail, self._raw, failure.reason, kept, self.token, **words), kept)

    async def release(self) -> None:
        """Move back to the front of the line."""
        await self._settle(partial(self._worker.scripts.give_back, self.job.id, self.token), counted=False)

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
        return await self._its_notes().read() if self._raw.attemptsStarted != 1 else {}

    async def note(self, entries: Mapping[str, str], forget: Collection[str]) -> None:
        """Write the job's notes."""
        await self._its_notes().write(entries, forget)

    def _its_notes(self) -> Notes:
        if self._notes is None:
            backend = self._worker.backend
            prefix = backend.toKey("").removesuffix(":")
            holder = Holder(backend.toKey(f"{self.job.id}:lock"), self.token)
            self._notes = Notes(backend.conn, prefix, self.job, holder)
        return self._notes

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

    async def _settle(self, command: Callable[[], Awaitable[Any]], kept: Any = None, *, counted: bool = True) -> Any:
        """Settle the job and end the lease, also if the command's answer was lost; returns its answer, if there is one.

        `kept` is how long the scripts keep a job that has ended; `counted` says whether the command counts an attempt.
        redis-py sends a command again whose answer was lost with the connection; the second one finds no lock.
        """
        if self not in self._held:
            msg = f"job {self.job.id} is no longer leased to this worker"
            raise LeaseLostError(msg)
        answer = None
        try:
            with outages_translated():
                answer = await command()
        except LeaseLostError:
            if not await self._have_settled(kept, counted=counted):
                self._held.forget(self)
                raise
        self._held.forget(self)
        return answer

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
