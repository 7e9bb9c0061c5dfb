"""One registration for all jobs of this process, on RQ's BaseWorker.

RQ's own loops run one job at a time, or fork. Its bookkeeping, though, fills pipelines, and does not mind whether
they are its own: what this class adds is only what several jobs at once need.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rq.serializers import JSONSerializer
from rq.worker import BaseWorker, WorkerStatus

from queue_lib.broker.direct import StaleConnectionError
from queue_lib.broker.rq.job import GuardedJob
from queue_lib.errors import LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis
    from redis.client import Pipeline
    from rq.executions import Execution
    from rq.job import Job as StockJob


class RegisteredWorker(BaseWorker):
    """Registers itself and its executions; `rq info` shows both."""

    job_class = GuardedJob
    log_job_description = False
    log_result_lifespan = False

    def __init__(self, lanes: Sequence[str], name: str, lease_seconds: float, connection: Redis) -> None:
        """Talk to the server at once (its name, its address): call this in a thread."""
        self._lease_seconds = math.ceil(lease_seconds)
        super().__init__(
            list(lanes),
            name=name,
            connection=connection,
            job_class=GuardedJob,
            serializer=JSONSerializer,
            job_monitoring_interval=self._lease_seconds,
        )

    def _set_connection(self, connection: Redis) -> Redis:
        """Leave the connection's timeouts alone: RQ would raise them to seven minutes."""
        return connection

    def get_heartbeat_ttl(self, job: StockJob, working_time: float = 0.0) -> int:  # noqa: ARG002
        """Seconds until a silent worker's job is taken by another."""
        return self._lease_seconds

    def begin(self, execution: Execution, pipeline: Pipeline) -> None:
        """Add an execution; the worker is busy with the first one."""
        if not self.executions:
            self.set_state(WorkerStatus.BUSY, pipeline)
        self.executions[execution.id] = execution

    def end(self, job: StockJob, execution: Execution, pipeline: Pipeline) -> None:
        """Remove an execution; the worker is idle after the last one."""
        super().cleanup_execution(job, pipeline, execution)
        if not self.executions:
            self.set_state(WorkerStatus.IDLE, pipeline)

    def cleanup_execution(self, job: StockJob, pipeline: Pipeline, execution: Execution | None = None) -> None:
        """Remove an execution, in `handle_job_success`. Raises LeaseLostError if it is not there any more.

        RQ takes a connection that broke in its transaction for a dependent that was added, and does all of it again:
        also where the server had done it, and the answer was lost.
        """
        if execution is None or self.connection.zscore(job.started_job_registry.key, execution.composite_key) is None:
            raise LeaseLostError(job.id)
        super().cleanup_execution(job, pipeline, execution)
        if job.result_ttl != 0:  # else it is deleted
            pipeline.hset(job.key, "settled_by", execution.composite_key)
            self.keep(job, execution, pipeline)

    def keep(self, job: StockJob, execution: Execution, pipeline: Pipeline) -> None:
        """Count a finished job among those that its queue keeps, unless its producer said how long it stays."""
        if isinstance(job, GuardedJob) and job.kept is not None and job.result_ttl is not None:
            pipeline.rpush(job.kept, execution.composite_key)
            pipeline.expire(job.kept, job.result_ttl)

    def register(self) -> None:
        """Appear in `rq info`."""
        self.register_birth()  # type: ignore[no-untyped-call]
        self.set_state(WorkerStatus.IDLE)

    def rest(self) -> None:
        """Be idle, if nothing runs."""
        if not self.executions:
            self.set_state(WorkerStatus.IDLE)

    def register_anew(self) -> None:
        """The same, after Redis has lost its data or was away for long."""
        self.connection.delete(self.key)
        self.register()

    def register_death(self) -> None:
        """Leave `rq info`. After a failover the connection may lead to the old primary: then over a new one."""
        try:
            super().register_death()  # type: ignore[no-untyped-call]
        except StaleConnectionError:
            super().register_death()  # type: ignore[no-untyped-call]

    def renew(self, pipeline: Pipeline) -> None:
        """Renew the registration."""
        self.heartbeat(pipeline=pipeline)

    def renew_lease(self, job: StockJob, execution: Execution, pipeline: Pipeline) -> None:
        """Renew a job's lease."""
        seconds = self.get_heartbeat_ttl(job)
        execution.heartbeat(job.started_job_registry, seconds, pipeline=pipeline)
        job.heartbeat(execution.last_heartbeat, seconds, pipeline=pipeline, xx=True)
