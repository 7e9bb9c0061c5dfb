"""Opens a team's own jobs: one object of each class, over the tools of the process."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from processors.features import with_own_jobs
from processors.outage import outages_put_off
from processors.own.toolkit import Toolkit
from queue_lib.admin.admission import Admission
from queue_lib.errors import ConfigurationError
from queue_lib.feature import Opened, jobs_of
from queue_lib.jobs.own_module import fault_of
from queue_lib.jobs.own_processor import OwnProcessor, Threads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors import tools as shared
    from queue_lib.feature import Served
    from queue_lib.jobs import Context, Job, Tools
    from queue_lib.jobs.own_module import OwnJobs
    from queue_lib.processor import Processor


@asynccontextmanager
async def opened(own: OwnJobs, served: Served, tools: shared.Tools) -> AsyncIterator[Opened]:
    """The jobs of the served queues, until the worker ends."""
    threads = {queue.name: Threads(queue.name, queue.concurrency) for queue in served.queues}
    toolkit = Toolkit(tools, Admission(jobs_of(with_own_jobs(own))))
    try:
        yield Opened(
            processors={
                job.name: _through_outages(OwnProcessor(_made(job, toolkit), threads[job.queue]))
                for job in own.jobs
                if job.queue in threads
            }
        )
    finally:
        for each in threads.values():
            each.close()


def _made(job: type[Job[Any]], tools: Tools) -> Job[Any]:
    try:
        return job(tools)
    except Exception as error:
        msg = f"JOBS: {job.__name__}: {fault_of(error)}"
        raise ConfigurationError(msg) from error


def _through_outages(processor: Processor[Any]) -> Processor[Any]:
    async def run(payload: Any, context: Context, /) -> Any:
        with outages_put_off():
            return await processor(payload, context)

    return run
