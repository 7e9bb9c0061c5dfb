"""Runs a team's own jobs: in the loop, or in a thread if `handle` is a plain function."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

from queue_lib.jobs.current_run import CURRENT, Run

if TYPE_CHECKING:
    from queue_lib.jobs.own_job import Job, Result
    from queue_lib.processor import Context

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Threads:
    """The threads of one queue's jobs: as many as its jobs that may run at once."""

    def __init__(self, queue: str, count: int) -> None:
        """A thread starts with the first job that needs it."""
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=queue)

    async def run(self, job: Job[Any], payload: Any, context: Context) -> Any:
        """Run `handle` in a thread, and wait until it returns.

        A thread can't be cancelled. A run that is past its deadline goes on, and so does its lease: another run of the
        job would run beside it. Whatever else cuts the run short ends the wait: the process is stopping, or the job is
        no longer ours.
        """
        call = self._pool.submit(contextvars.copy_context().run, _handled, job, payload, context)
        try:
            return await asyncio.shield(asyncio.wrap_future(call))
        except asyncio.CancelledError:
            if context.remaining() > 0 or call.cancel():
                raise
        named = context.job
        _log.warning("job_overdue", queue=named.queue, id=named.id[:200], name=named.name, timeout=named.timeout)
        return await asyncio.wrap_future(call)

    def close(self) -> None:
        """Start no more. Threads under way end with the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _handled(job: Job[Any], payload: Any, context: Context) -> Any:
    """Call `handle`. A future can't hold StopIteration: the run would wait for it for ever."""
    try:
        return job.handle(payload, context)
    except StopIteration as error:
        msg = "handle raised StopIteration: next() found no item"
        raise RuntimeError(msg) from error


class OwnProcessor:
    """Runs the jobs of one class."""

    def __init__(self, job: Job[Any], threads: Threads) -> None:
        """`threads` are those of its queue."""
        self._job = job
        self._threads = threads

    async def __call__(self, payload: Any, context: Context, /) -> Result:
        """Call `handle`."""
        CURRENT.set(Run(context, asyncio.get_running_loop(), threading.get_ident()))
        if inspect.iscoroutinefunction(self._job.handle):
            found = self._job.handle(payload, context)
        else:
            found = await self._threads.run(self._job, payload, context)
        result: Result = await found if inspect.isawaitable(found) else found
        return result
