"""Both wires of one Redis as their stock producers and tools see them, and a chaos worker's environment for it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pytest
import redis
from bullmq import Queue as BullQueue
from rq import Queue as RQQueue
from rq.registry import FailedJobRegistry, FinishedJobRegistry

from tests.support.chaos_worker import PUSHES, read
from tests.support.worker_process import CHAOS_WORKER, WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

UNLIMITED = {"PUSH_NOTIFICATIONS_RATE_MAX": "0", "FILE_PROCESSING_RATE_MAX": "0"}


@dataclass
class Mess:
    """A Redis with a folder for its workers: it enqueues, starts workers, and reads their record."""

    url: str
    folder: Path
    redis: redis.Redis

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, url: str, folder: Path) -> AsyncIterator[Self]:
        """Connect."""
        with redis.Redis.from_url(url, socket_timeout=20) as connection:
            yield cls(url, folder, connection)

    @property
    def record(self) -> list[dict[str, Any]]:
        """All that the chaos jobs have recorded so far."""
        return read(self.folder / "record")

    def runs(self, job_id: str, event: str = "start") -> list[dict[str, Any]]:
        """The recorded starts (or ends) of one job."""
        return [line for line in self.record if (line["id"], line["event"]) == (job_id, event)]

    def done(self) -> set[str]:
        """Ids of the jobs whose end is recorded."""
        return {line["id"] for line in self.record if line["event"] == "end"}

    def worker(self, **env: str) -> WorkerProcess:
        """A chaos worker for this Redis, without rate limits unless `env` sets one."""
        own = {"REDIS_URL": self.url, "CHAOS_RECORD": str(self.folder / "record")}
        return WorkerProcess({**own, **UNLIMITED, **env}, self.folder, CHAOS_WORKER)

    async def bullmq(self, name: str, *tasks: dict[str, Any], queue: str = PUSHES, **opts: Any) -> list[str]:
        """Add a job for each task, with BullMQ's own options; returns the ids."""
        async with self._bull(queue) as source:
            jobs = await source.addBulk([{"name": name, "data": task, "opts": dict(opts)} for task in tasks])
        return [job.id for job in jobs]

    def rq(self, name: str, *tasks: dict[str, Any], queue: str = PUSHES, **kwargs: Any) -> list[str]:
        """Enqueue a job for each task, with RQ's own arguments; returns the ids."""
        lane = self.lane(queue)
        return [lane.enqueue(name, task, **kwargs).id for task in tasks]

    def lane(self, name: str = PUSHES) -> RQQueue:
        """RQ's queue of that name."""
        return RQQueue(name, connection=self.redis, serializer="json")

    async def counts(self, queue: str = PUSHES) -> dict[str, int]:
        """The numbers of jobs that each wire has completed and failed, and of dead letters, as stock tools count."""
        async with self._bull(queue) as source, self._bull("dead") as dead:
            bull = await source.getJobCounts("completed", "failed")
            letters = await dead.getJobCounts("waiting")
        return {
            "bullmq completed": bull["completed"],
            "bullmq failed": bull["failed"],
            "rq completed": FinishedJobRegistry(queue, self.redis).get_job_count(cleanup=False),
            "rq failed": FailedJobRegistry(queue, self.redis).get_job_count(cleanup=False),
            "letters": letters["waiting"],
        }

    async def dead_letters(self) -> dict[str, dict[str, Any]]:
        """The dead letters' data, by the job's id."""
        async with self._bull("dead") as dead:
            return {job.data["id"]: job.data for job in await dead.getJobs(["waiting"])}

    @contextlib.asynccontextmanager
    async def _bull(self, name: str) -> AsyncIterator[BullQueue]:
        queue = BullQueue(name, {"connection": self.url})
        try:
            yield queue
        finally:
            await queue.close()


@pytest.fixture
async def mess(redis_url: str, tmp_path: Path) -> AsyncIterator[Mess]:
    """The shared Redis, empty."""
    async with Mess.at(redis_url, tmp_path) as mess:
        yield mess
