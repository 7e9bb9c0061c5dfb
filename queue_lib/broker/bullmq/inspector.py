"""The Inspector port on BullMQ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bullmq import Job as BullJob
from bullmq import Queue as BullQueue

from queue_lib.broker.base import JobView, State
from queue_lib.broker.connection import outages_translated

if TYPE_CHECKING:
    import redis.asyncio

WAITING = frozenset({"wait", "waiting", "prioritized", "paused"})


class BullMQInspector:
    """Reads and steers the queues through the package's Queue."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it stays the caller's to close."""
        self._options: dict[str, Any] = {"connection": client, "prefix": prefix}

    def _queue(self, name: str) -> BullQueue:
        return BullQueue(name, self._options)

    async def counts(self, queue: str) -> dict[State, int]:
        """Jobs by state; prioritized ones count as waiting."""
        with outages_translated():
            counts = await self._queue(queue).getJobCounts(*(state.value for state in State), "prioritized")
        counts[State.WAITING.value] += counts.pop("prioritized")
        return {state: counts[state.value] for state in State}

    async def find(self, queue: str, job_id: str) -> JobView | None:
        """One job."""
        with outages_translated():
            source = self._queue(queue)
            job = await BullJob.fromId(source, job_id)
            if job is None:
                return None
            state = await job.getState()
            log = await source.getJobLogs(job_id)
        return JobView(
            id=job.id,
            name=job.name,
            state=State.WAITING if state in WAITING else State(state),
            data=job.data,
            attempts_made=job.attemptsMade,
            progress=job.progress,
            result=job.returnvalue,
            reason=job.failedReason,
            stack=job.stacktrace[-1] if job.stacktrace else None,
            log=log["logs"],
        )

    async def is_paused(self, queue: str) -> bool:
        """Whether paused."""
        with outages_translated():
            return bool(await self._queue(queue).isPaused())

    async def pause(self, queue: str) -> None:
        """Pause; RQ's jobs of the queue stop with it."""
        with outages_translated():
            await self._queue(queue).pause()

    async def resume(self, queue: str) -> None:
        """Resume."""
        with outages_translated():
            await self._queue(queue).resume()
