"""Takes jobs out of the lanes, marks them as started, and puts unacknowledged claims back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rq.executions import Execution
from rq.suspension import WORKERS_SUSPENDED

from queue_lib.broker.rq.lanes import (
    EXECUTION_PREFIX,
    JOB_PREFIX,
    executions_key,
    executions_of_job_key,
    intermediate_key,
    lanes,
    scheduled_key,
    started_key,
    waiting_key,
)
from queue_lib.broker.rq.scripts import source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.client import Pipeline

    from queue_lib.broker.base import Setup
    from queue_lib.broker.held import Held
    from queue_lib.broker.rq.job import GuardedJob
    from queue_lib.broker.rq.session import Session
    from queue_lib.queues import Queue


class Claims:
    """The claims of one worker. Every call may raise redis-py's errors."""

    def __init__(self, session: Session, queues: Sequence[Queue], setup: Setup) -> None:
        self._session = session
        self._worker_name = setup.worker_name
        self._keys = {queue.name: _keys(queue.name, setup.prefix) for queue in queues}
        self._claim = session.client.register_script(source("claim"))
        self._find = session.client.register_script(source("strays"))
        self._put_back = session.client.register_script(source("put_back"))
        self._starting: set[str] = set()  # ids of jobs that are claimed and being marked as started

    async def take(self, queue: Queue) -> tuple[bytes, Sequence[Any]]:
        """Take the next job of the first lane that has one: the claim script's answer, and what belongs to it."""
        window_ms = max(1, round(queue.rate_duration * 1000))
        args: list[str | int] = [queue.rate_max, window_ms, JOB_PREFIX, self._worker_name]
        answer, *rest = await self._claim(keys=self._keys[queue.name], args=args)
        return answer, rest

    async def start(self, rq_job: GuardedJob) -> Execution | None:
        """Mark a job that was taken as started, with an execution: one step.

        None if another worker has recovered it meanwhile.
        """
        self._starting.add(rq_job.id)
        try:
            return await self._start(rq_job)
        finally:
            self._starting.discard(rq_job.id)

    async def _start(self, rq_job: GuardedJob) -> Execution | None:
        worker, begun = self._session.worker, list[Execution]()

        def fill(pipe: Pipeline) -> None:
            rq_job.prepare_for_execution(worker.name, pipe)
            pipe.persist(rq_job.key)
            ttl = worker.get_heartbeat_ttl(rq_job)
            begun.append(Execution.create(rq_job, ttl, pipe, worker_name=worker.name))
            worker.begin(begun[0], pipe)

        verdict = "failed"
        try:
            verdict, _ = await self._session.batch.send(rq_job, fill)
        finally:
            for execution in begun if verdict != "ok" else []:
                worker.executions.pop(execution.id, None)
        return begun[0] if verdict == "ok" else None

    async def put_back(self, queue: str, held: Held[Any]) -> None:
        """Put the jobs back in line that this worker has taken and does not know of: `held` are its leases."""
        keys = [key for lane in lanes(queue) for key in (intermediate_key(lane), started_key(lane))]
        found = await self._find(keys=keys, args=[self._worker_name, JOB_PREFIX, EXECUTION_PREFIX])
        known = held.of(queue)  # only now: a job may have started meanwhile
        unknown = [
            (lanes(queue)[number - 1], job_id, member)
            for number, job_id, member in zip(found[::3], found[1::3], found[2::3], strict=True)
            if (text(member) not in known if member else text(job_id) not in self._starting)
        ]
        for lane, job_id, member in reversed(unknown):  # each to the front
            keys = [waiting_key(lane), intermediate_key(lane), started_key(lane), executions_key(self._worker_name)]
            keys.append(executions_of_job_key(text(job_id)))
            await self._put_back(keys=keys, args=[job_id, member, JOB_PREFIX, EXECUTION_PREFIX])


def _keys(queue: str, prefix: str) -> list[str]:
    shared = [f"{prefix}:{queue}:limiter", f"{prefix}:{queue}:meta", WORKERS_SUSPENDED, f"{prefix}:{queue}:active"]
    kinds = (waiting_key, intermediate_key, scheduled_key, started_key)
    of_lanes = [[key(lane) for key in kinds] for lane in lanes(queue)]
    return [*shared, *(key for keys in of_lanes for key in keys)]


def text(raw: bytes) -> str:
    """An id or a name as the scripts give it."""
    return raw.decode(errors="replace")
