"""The Inspector port on RQ. The pause switch is BullMQ's."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from rq.exceptions import InvalidJobOperation
from rq.group import Group
from rq.job import JobStatus
from rq.queue import Queue as Lane
from rq.rate_limit import RateLimitRegistry
from rq.registry import DeferredJobRegistry, FailedJobRegistry, FinishedJobRegistry
from rq.serializers import JSONSerializer

from queue_lib.admin.fingerprints import fingerprint
from queue_lib.admin.rq.listing import count_lists
from queue_lib.admin.rq.lists import Lists, hashes
from queue_lib.admin.rq.view import read, view, whole
from queue_lib.broker.rq import producer
from queue_lib.broker.rq.job import GuardedJob
from queue_lib.broker.rq.lanes import (
    EXECUTION_PREFIX,
    intermediate_key,
    lanes,
    scheduled_key,
    started_key,
    waiting_key,
)
from queue_lib.broker.rq.parse import number
from queue_lib.broker.rq.retention import keys_of
from queue_lib.broker.rq.scripts import source
from queue_lib.broker.trouble import outages_translated, synchronous_answers
from queue_lib.job import State, Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis
    from redis.client import Pipeline

    from queue_lib.addition import Addition
    from queue_lib.admin.flows import FlowNode
    from queue_lib.admin.ports import Inspector, JobRef, JobView, Mark, Placed
    from queue_lib.broker.bullmq.schedulers import StoppedScheduler
    from queue_lib.broker.rq.parse import Raw

AT_ONCE = 500  # jobs in one step, which takes the server a millisecond or two
REGISTRIES = {State.COMPLETED: FinishedJobRegistry, State.FAILED: FailedJobRegistry}  # states that can be cleaned
FINGERPRINTED = ("created_at", "status", "started_at", "ended_at", "meta", "attempts_made")


class RQInspector:
    """Reads RQ's keys; a queue is all its lanes together."""

    wire = Wire.RQ

    def __init__(self, connection: Redis, switch: Inspector) -> None:
        """`connection` is synchronous and does not decode; `switch` is BullMQ's inspector."""
        self._connection = connection
        self._switch = switch
        self._lists = Lists(connection)
        self._clean_script = connection.register_script(source("clean"))

    async def check(self, queue: str) -> None:
        """Always."""

    async def counts(self, queue: str) -> dict[State, int]:
        """Jobs by state."""
        with outages_translated():
            return await asyncio.to_thread(self._counts, queue)

    def _counts(self, queue: str) -> dict[State, int]:
        counts = dict.fromkeys(State, 0)
        for lane in lanes(queue):
            with self._connection.pipeline(transaction=False) as pipe:
                pipe.llen(waiting_key(lane))
                pipe.llen(intermediate_key(lane))
                pipe.zcard(scheduled_key(lane))
                pipe.zcard(started_key(lane))
                pipe.zcard(DeferredJobRegistry(lane, self._connection).key)
                pipe.zcard(FinishedJobRegistry(lane, self._connection).key)
                pipe.zcard(FailedJobRegistry(lane, self._connection).key)
                waiting, claimed, delayed, active, deferred, completed, failed = pipe.execute()
            counts[State.WAITING] += waiting
            counts[State.DELAYED] += delayed
            counts[State.ACTIVE] += active + claimed
            counts[State.WAITING_CHILDREN] += deferred
            counts[State.COMPLETED] += completed
            counts[State.FAILED] += failed
        return counts

    async def find(self, queue: str, job_id: str) -> JobView | None:
        """One job, if it is in a lane of the queue."""
        with outages_translated():
            return await asyncio.to_thread(self._find, queue, job_id)

    def _find(self, queue: str, job_id: str) -> JobView | None:
        raw = self._raw(job_id)
        if not raw:
            return None
        found = view(self._connection, queue, job_id, raw)
        lane = raw.get(b"origin", b"").decode(errors="replace")
        return whole(self._connection, found, lane) if lane in lanes(queue) else None

    def _raw(self, job_id: str) -> Raw:
        """The job's hash; an empty one where there is none."""
        return hashes(self._connection, [job_id])[0]

    async def page(self, queue: str, state: State, start: int, count: int, *, brief: bool = False) -> list[JobView]:
        """Jobs of a state, lane by lane."""
        with outages_translated():
            return await asyncio.to_thread(self._lists.page, queue, state, start, count, brief=brief)

    async def listed(self, queue: str, state: State, job_ids: Sequence[str]) -> list[JobView]:
        """These jobs."""
        with outages_translated():
            return await asyncio.to_thread(self._lists.listed, queue, state, job_ids)

    def lists(self, state: State) -> int:
        """One or two for each lane."""
        return count_lists(self._connection, lanes(""), state)

    async def behind(
        self, queue: str, state: State, number: int, mark: Mark | None, count: int, *, brief: bool = False
    ) -> list[Placed]:
        """Jobs of one lane."""
        with outages_translated():
            return await asyncio.to_thread(self._lists.behind, queue, state, number, mark, count, brief=brief)

    async def fingerprints(self, queue: str, job_ids: Sequence[str]) -> list[str | None]:  # noqa: ARG002 -- ids are unique
        """Of the fields that RQ writes at each step; progress is in `meta`."""
        with outages_translated():
            return await asyncio.to_thread(self._fingerprints, job_ids)

    def _fingerprints(self, job_ids: Sequence[str]) -> list[str | None]:
        with self._connection.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.hmget(GuardedJob.key_for(job_id), FINGERPRINTED)
            return [fingerprint(fields) for fields in synchronous_answers(pipe)]

    async def retry(self, queue: str, job_id: str) -> bool:
        """Send a failed job back to its lane, with the attempts that its producer gave it."""
        with outages_translated():
            return await asyncio.to_thread(self._retry, queue, job_id)

    def _retry(self, queue: str, job_id: str) -> bool:
        raw = self._raw(job_id)
        job = read(self._connection, job_id, raw)[0] if raw else None
        if job is None or job.origin not in lanes(queue):
            return False
        if job.has_rate_limit:  # RQ keeps such jobs in a queue of their own
            with contextlib.suppress(InvalidJobOperation):
                return bool(job.failed_job_registry.requeue(job))
            return False
        return self._requeue(job, raw)

    def _requeue(self, job: GuardedJob, raw: Raw) -> bool:
        """RQ's `requeue` in one step, with the attempts that the job had at first."""
        if job.retries_left is not None:  # as before the last run, which was an attempt, too
            job.retries_left += max(0, number(raw.get(b"attempts_made")) - 1)
        job.started_at = job.ended_at = None
        return self._move(job, job.failed_job_registry.key, "attempts_made", "crashes", "failed_reason")

    async def promote(self, queue: str, job_id: str) -> bool:
        """Put the job at the end of its lane."""
        with outages_translated():
            return await asyncio.to_thread(self._promote, queue, job_id)

    def _promote(self, queue: str, job_id: str) -> bool:
        raw = self._raw(job_id)
        job = read(self._connection, job_id, raw)[0] if raw else None
        if job is None or job.origin not in lanes(queue):
            return False
        return self._move(job, scheduled_key(job.origin))

    def _move(self, job: GuardedJob, source: str, *forget: str) -> bool:
        """Move a job from a registry to its lane in one step; False if it is not in the registry."""
        lane = Lane(job.origin, connection=self._connection, job_class=GuardedJob, serializer=JSONSerializer)

        def move(pipe: Pipeline) -> Any:
            if pipe.zscore(source, job.id) is None:
                return False
            pipe.multi()
            pipe.zrem(source, job.id)
            if forget:
                pipe.hdel(job.key, *forget)
            lane._enqueue_job(job, pipeline=pipe)  # noqa: SLF001 -- as RQ's own requeue does
            return True

        return bool(self._connection.transaction(move, source, value_from_callable=True))

    async def drain(self, queue: str, *, delayed: bool, most: int) -> int:
        """Empty the lanes, and what is scheduled for them."""
        with outages_translated():
            return await asyncio.to_thread(self._drain, queue, delayed=delayed, most=most)

    def _drain(self, queue: str, *, delayed: bool, most: int) -> int:
        taken = 0
        for lane in lanes(queue):
            ids = cast("list[bytes] | None", self._connection.lpop(waiting_key(lane), most - taken)) or []
            self._delete(ids)
            taken += len(ids)
            if delayed:
                due = cast("list[tuple[bytes, float]]", self._connection.zpopmin(scheduled_key(lane), most - taken))
                self._delete([entry[0] for entry in due])
                taken += len(due)
        return taken

    def _delete(self, ids: Sequence[bytes]) -> None:
        """Delete jobs that no list has any more."""
        if not ids:
            return
        hashes, *others = zip(*(keys_of(raw.decode(errors="replace")) for raw in ids), strict=True)
        with self._connection.pipeline(transaction=False) as pipe:
            pipe.delete(*hashes)
            pipe.delete(*(key for keys in others for key in keys))
            pipe.execute()

    async def remove(self, queue: str, job_id: str) -> bool:
        """Delete it, unless it runs."""
        with outages_translated():
            return await asyncio.to_thread(self._remove, queue, job_id)

    def _remove(self, queue: str, job_id: str) -> bool:
        raw = self._raw(job_id)
        job = read(self._connection, job_id, raw)[0] if raw else None
        if job is None or job.origin not in lanes(queue):
            return False
        if raw.get(b"status", b"").decode(errors="replace") not in set(JobStatus):
            self._connection.hset(job.key, "status", JobStatus.FAILED)  # RQ's delete fails on an unknown status
        deleted = self._connection.transaction(partial(self._delete_job, job), job.key, value_from_callable=True)
        if deleted and job.has_rate_limit:
            RateLimitRegistry.from_job(job).cancel(job.id)  # another job may run in its place
        return bool(deleted)

    def _delete_job(self, job: GuardedJob, pipe: Pipeline) -> Any:
        """RQ's `delete` in one transaction; False if the job is leased, or gone by now."""
        raw = cast("Raw", pipe.hgetall(job.key))
        if not raw or self._is_leased(job, raw):
            return False
        # RQ's delete fails on expired executions, and on a group that is gone.
        self._connection.delete(job.execution_registry.key)
        if job.group_id and not self._connection.exists(Group.get_key(job.group_id)):
            job.group_id = None
        pipe.multi()
        job.delete(pipeline=pipe)
        return True

    def _is_leased(self, job: GuardedJob, raw: Raw) -> bool:
        """Whether it is started, claimed, or was canceled while it ran."""
        if raw.get(b"status") == JobStatus.STARTED.encode() or b"claimed_at" in raw:
            return True
        ids = cast("list[bytes]", self._connection.zrange(job.execution_registry.key, 0, -1))
        executions = [f"{EXECUTION_PREFIX}{job.id}:{each.decode(errors='replace')}" for each in ids]
        return bool(executions and self._connection.exists(*executions))

    async def clean(self, queue: str, state: State, older: float, most: int) -> int:
        """Delete old jobs, the oldest first."""
        with outages_translated():
            return await asyncio.to_thread(self._clean, queue, state, older, most)

    def _clean(self, queue: str, state: State, older: float, most: int) -> int:
        """In steps, because the server answers no other client during one."""
        deleted = 0
        for lane in lanes(queue):
            registry = REGISTRIES[state](lane, self._connection).key
            start, looked = 0, 1
            while looked and deleted < most:
                step = min(AT_ONCE, most - deleted)
                answer = self._clean_script(keys=[registry], args=[start, step, older])
                gone, left, looked = cast("list[int]", answer)
                deleted, start = deleted + gone, start + left
        return deleted

    def check_addition(self, addition: Addition) -> None:
        """By the producer's rules."""
        producer.check(addition)

    async def add(self, queue: str, addition: Addition) -> str:
        """Enqueue it in the lane that its priority names."""
        with outages_translated():
            return await asyncio.to_thread(producer.add, self._connection, queue, addition)

    async def add_all(self, queue: str, additions: Sequence[Addition]) -> list[str]:
        """Enqueue one after the other: RQ's scripts for unique ids take one job at a time."""
        with outages_translated():
            return await asyncio.to_thread(
                lambda: [producer.add(self._connection, queue, addition) for addition in additions]
            )

    async def stopped(self, queue: str) -> list[StoppedScheduler]:  # noqa: ARG002 -- the port's
        """None: RQ's own scheduler is no part of its queues."""
        return []

    async def stuck(self, queue: str) -> list[JobRef]:  # noqa: ARG002 -- the port's
        """None: RQ says nothing of a failed dependency."""
        return []

    async def flow(self, queue: str, job_id: str) -> FlowNode | None:  # noqa: ARG002 -- the port's
        """None."""
        return None

    async def check_server(self) -> None:
        """Both wires have one server."""
        await self._switch.check_server()

    async def is_paused(self, queue: str) -> bool:
        """Whether paused."""
        return await self._switch.is_paused(queue)

    async def pause(self, queue: str) -> None:
        """Pause, BullMQ's jobs too."""
        await self._switch.pause(queue)

    async def resume(self, queue: str) -> None:
        """Resume."""
        await self._switch.resume(queue)
