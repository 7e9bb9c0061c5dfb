"""Adds jobs to BullMQ's queues, as the app's own bullmq would."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bullmq import Job as BullJob

from queue_lib.broker.bullmq.library import SharedQueue, adding_many
from queue_lib.broker.bullmq.parse import MS
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerRefusedError, PermanentError, Trouble
from queue_lib.outcome import reason_of
from queue_lib.queues import Retention

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import redis.asyncio

    from queue_lib.addition import Addition, Deduplication, Kept, NewJob
    from queue_lib.chore import PackedJob
    from queue_lib.job import Backoff

# Of addStandardJob, addDelayedJob and addPrioritizedJob.
KEYS_OF_ADDING = [
    *("wait", "paused", "meta", "id", "completed", "delayed", "active", "events", "marker"),
    *("marker", "meta", "id", "delayed", "completed", "events"),
    *("marker", "meta", "id", "prioritized", "delayed", "completed", "active", "events", "pc"),
]
OF_A_QUEUE = {Trouble.WRONG_TYPE, Trouble.OUTDATED}  # about the keys of one queue, whatever is asked of others


class Producer:
    """Adds to any queue, over one connection."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str, queues: Mapping[str, Any]) -> None:
        """`client` decodes replies. `queues` are the package's Queues (or Workers) that the process has already."""
        self._client = client
        self._prefix = prefix
        self._queues = dict(queues)
        self._add_many = client.register_script(adding_many())

    async def add(self, queue: str, addition: Addition) -> str:
        """Add a job, unless there is one with its id; returns the id of the job that is there now.

        Raises PermanentError for what BullMQ can't do, and BrokerUnavailableError.
        """
        target = self._queue(queue)
        with outages_translated():
            return str(await target.backend.addJob(BullJob(target, addition.name, addition.data, options(addition))))

    async def add_all(self, jobs: Sequence[NewJob]) -> list[str]:
        """Add jobs in one step; returns their ids as `add` does. Raises as it does, and then adds none."""
        return await self._add_flow([self._job(job, {}) for job in jobs]) if jobs else []

    async def add_many(self, jobs: Sequence[PackedJob]) -> dict[str, str]:
        """Add jobs: those of a queue in one step, in their order. Returns the queues that take none, each with why.

        Raises BrokerUnavailableError: some queues have theirs.
        """
        by_queue: dict[str, list[Any]] = {}
        for job in jobs:
            by_queue.setdefault(job.queue, []).extend(job.arguments)
        refused = {}
        for name, arguments in by_queue.items():
            keys = self._queue(name).backend.scripts.getKeys(KEYS_OF_ADDING)
            try:
                with outages_translated():
                    await self._add_many(keys=keys, args=arguments)
            except BrokerRefusedError as error:
                if error.trouble not in OF_A_QUEUE:
                    raise
                refused[name] = reason_of(error)
        return refused

    async def add_batch(self, jobs: Sequence[NewJob], then: NewJob, *, even_if_failed: bool) -> list[str]:
        """Add jobs in one step, as children of `then`, which runs when all have ended; returns the ids, its own last.

        If a job fails for good `then` fails without running, unless it is to run `even_if_failed`. Raises as `add`.
        """
        parent = self._job(then, {}, uuid4().hex)
        option = "ignoreDependencyOnFailure" if even_if_failed else "failParentOnFailure"
        own = {"parent": {"id": parent.id, "queue": parent.queue.qualifiedName}, option: True}
        ids = await self._add_flow([parent, *(self._job(job, own) for job in jobs)])
        return [*ids[1:], ids[0]]

    def _job(self, job: NewJob, own: dict[str, Any], job_id: str | None = None) -> Any:
        added = job.addition
        return BullJob(self._queue(job.queue), added.name, added.data, options(added) | own, job_id)

    async def _add_flow(self, jobs: Sequence[Any]) -> list[str]:
        """Add them in one transaction. A parent comes before its children."""
        parents = {job.parent["id"] for job in jobs if job.parent}
        with outages_translated():
            ids = await jobs[0].backend.addFlow([{"job": job, "is_parent": job.id in parents} for job in jobs])
        return list(map(str, ids))

    def _queue(self, name: str) -> Any:
        """Made once: each reads all scripts from their files, and holds 270 KiB."""
        if name not in self._queues:
            self._queues[name] = SharedQueue(name, self._client, self._prefix)
        return self._queues[name]


def options(addition: Addition) -> dict[str, Any]:
    """The options of `queue.add`, without those that say nothing. Raises PermanentError for what BullMQ can't do."""
    if isinstance(addition.priority, str):
        msg = f"priority: BullMQ takes a number; {addition.priority} is a lane of RQ"
        raise PermanentError(msg)
    if addition.lifo and (addition.delay or addition.priority):
        msg = "lifo: BullMQ ignores it for a job with a delay or a priority"
        raise PermanentError(msg)
    found: dict[str, Any] = {"jobId": addition.job_id} if addition.job_id else {}
    if addition.deduplication:
        found["deduplication"] = _deduplication(addition.deduplication)
    return found if addition.is_plain else found | _options(addition)


def _options(addition: Addition) -> dict[str, Any]:
    found = {
        "delay": addition.delay and _milliseconds(addition.delay),
        "attempts": addition.attempts,
        "backoff": addition.backoff and _backoff(addition.backoff),
        "priority": addition.priority,
        "lifo": addition.lifo,
    }
    kept = {"removeOnComplete": addition.remove_on_complete, "removeOnFail": addition.remove_on_fail}
    return {name: value for name, value in found.items() if value} | {
        name: _kept(value) for name, value in kept.items() if value is not None
    }


def _milliseconds(seconds: float) -> int:
    """Rounded up, but for what the conversion itself adds: 2.007 s are 2007 ms, not 2008."""
    return math.ceil(round(seconds * MS, 6))


def _backoff(backoff: Backoff) -> dict[str, Any]:
    if len(backoff.delays) > 1:
        msg = "backoff: BullMQ takes one delay, fixed or exponential, and no list of them"
        raise PermanentError(msg)
    kind = "exponential" if backoff.exponential else "fixed"
    jitter = {"jitter": backoff.jitter} if backoff.jitter else {}
    return {"type": kind, "delay": _milliseconds(backoff.delays[0]), **jitter}


def _deduplication(wanted: Deduplication) -> dict[str, Any]:
    """BullMQ's option. Raises PermanentError for parts of it that BullMQ would ignore."""
    if wanted.extend and wanted.ttl is None:
        msg = "deduplication.extend: BullMQ ignores it without a ttl"
        raise PermanentError(msg)
    if wanted.keep_last_if_active and wanted.ttl is not None:
        msg = "deduplication.ttl: BullMQ ignores it with keepLastIfActive"
        raise PermanentError(msg)
    found = {
        "ttl": wanted.ttl and _milliseconds(wanted.ttl),
        "extend": wanted.extend,
        "replace": wanted.replace,
        "keepLastIfActive": wanted.keep_last_if_active,
    }
    return {"id": wanted.id} | {name: value for name, value in found.items() if value}


def _kept(kept: Kept) -> Any:
    """As BullMQ has it: true or false, how many, or `{age, count}` with an age in whole seconds."""
    if not isinstance(kept, Retention):
        return kept
    return {"age": math.ceil(kept.age)} | ({} if kept.count is None else {"count": kept.count})
