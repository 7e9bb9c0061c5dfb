"""The Inspector port on RQ. The pause switch is BullMQ's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from rq.job import JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry
from rq.serializers import JSONSerializer

from queue_lib.broker.base import Inspector, JobView, State
from queue_lib.broker.connection import outages_translated
from queue_lib.broker.refused import NAME
from queue_lib.broker.rq.job import GuardedJob
from queue_lib.broker.rq.lanes import intermediate_key, lanes, scheduled_key, started_key, waiting_key
from queue_lib.broker.rq.parse import MALFORMED, bare, restore

if TYPE_CHECKING:
    from redis import Redis

    from queue_lib.broker.rq.parse import Raw

STATES = {
    JobStatus.QUEUED: State.WAITING,
    JobStatus.SCHEDULED: State.DELAYED,
    JobStatus.STARTED: State.ACTIVE,
    JobStatus.FINISHED: State.COMPLETED,
    JobStatus.DEFERRED: State.WAITING_CHILDREN,
    JobStatus.READY_TO_ENQUEUE: State.WAITING_CHILDREN,
}


class RQInspector:
    """Reads RQ's keys; a queue is all its lanes together."""

    def __init__(self, connection: Redis, switch: Inspector) -> None:
        """`connection` is synchronous and does not decode; `switch` is BullMQ's inspector."""
        self._connection = connection
        self._switch = switch

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
                pipe.zcard(FinishedJobRegistry(lane, self._connection).key)
                pipe.zcard(FailedJobRegistry(lane, self._connection).key)
                waiting, claimed, delayed, active, completed, failed = pipe.execute()
            counts[State.WAITING] += waiting
            counts[State.DELAYED] += delayed
            counts[State.ACTIVE] += active + claimed
            counts[State.COMPLETED] += completed
            counts[State.FAILED] += failed
        return counts

    async def find(self, queue: str, job_id: str) -> JobView | None:
        """One job, if it is in a lane of the queue."""
        with outages_translated():
            return await asyncio.to_thread(self._find, queue, job_id)

    def _find(self, queue: str, job_id: str) -> JobView | None:
        raw = cast("Raw", self._connection.hgetall(GuardedJob.key_for(job_id)))
        if not raw:
            return None
        job, name, data = self._read(job_id, raw)
        if job.origin not in lanes(queue):
            return None
        latest = job.latest_result()
        state = STATES.get(job.get_status(refresh=False), State.FAILED)
        return JobView(
            id=job_id,
            name=name,
            state=state,
            data=data,
            attempts_made=int(raw.get(b"attempts_made") or 0) + (state is State.COMPLETED),
            progress=job.meta.get("progress"),
            result=latest.return_value if latest and state is State.COMPLETED else None,
            reason=raw.get(b"failed_reason", b"").decode(errors="replace") or None,
            stack=latest.exc_string if latest else None,
            log=list(job.meta.get("log", [])),
        )

    def _read(self, job_id: str, raw: Raw) -> tuple[GuardedJob, str, Any]:
        try:
            job = restore(job_id, raw, self._connection, JSONSerializer)
            return job, str(job.func_name), job.args[0] if job.args else None
        except MALFORMED:
            lane, status = (raw.get(field, b"").decode(errors="replace") for field in (b"origin", b"status"))
            job = bare(job_id, lane, self._connection, JSONSerializer)
            job._status = JobStatus(status) if status in set(JobStatus) else JobStatus.CREATED  # noqa: SLF001
            return job, NAME, None

    async def is_paused(self, queue: str) -> bool:
        """Whether paused."""
        return await self._switch.is_paused(queue)

    async def pause(self, queue: str) -> None:
        """Pause, BullMQ's jobs too."""
        await self._switch.pause(queue)

    async def resume(self, queue: str) -> None:
        """Resume."""
        await self._switch.resume(queue)
