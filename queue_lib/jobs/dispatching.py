"""Adds jobs from any Python program, and from a job that runs; cancels them."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypedDict
from uuid import uuid4

from queue_lib.addition import Batch
from queue_lib.cancel_key import CANCELLED_FOR, checked
from queue_lib.errors import PermanentError
from queue_lib.jobs.current_run import CURRENT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from queue_lib.addition import Deduplication, Kept, NewJob, Priority
    from queue_lib.job import Backoff, Wire

LONGEST_BATCH = 1000  # jobs


@dataclass(frozen=True, slots=True)
class Recording:
    """What a test records: jobs that were added, and keys that were cancelled, in their order."""

    jobs: list[NewJob] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)


RECORDING: ContextVar[Recording | None] = ContextVar("what a test records", default=None)


class Options(TypedDict, total=False):
    """How a job is added, in the words of `queue_lib.addition.Addition`."""

    job_id: str | None
    delay: float
    attempts: int | None
    backoff: Backoff | None
    priority: Priority
    lifo: bool
    remove_on_complete: Kept
    remove_on_fail: Kept
    deduplication: Deduplication | None


async def add(job: NewJob, wire: Wire | Literal["bullmq", "rq"] | None = None) -> str:
    """Add a job, and return its id.

    A job that runs adds on the wire that it came by, over the worker's connection: a further run of it adds nothing.
    Any other program opens a connection to REDIS_URL; its wire is BullMQ's unless it says RQ's.

    Raises PermanentError for what the wire can't do, ConfigurationError without a REDIS_URL that can be used, and
    BrokerUnavailableError.
    """
    job.addition.check()
    if (recording := RECORDING.get()) is not None:
        return _recorded(job, recording)
    run = CURRENT.get()
    if run is not None and wire in {None, run.context.job.wire}:
        added = run.context.enqueue(job.addition, job.queue)
        # In the worker's loop, which need not be this one: a plain handle may call asyncio.run.
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(added, run.loop))
    from queue_lib.jobs import own_connection  # noqa: PLC0415 -- it imports bullmq and rq

    return await own_connection.add(job, wire or "bullmq")


async def dispatch_many(
    jobs: Iterable[NewJob], *, then: NewJob | None = None, on: Literal["complete", "success"] = "complete"
) -> Batch:
    """Add up to 1,000 jobs in one step, on BullMQ's wire; `SendInvoice.of({...})` makes one.

    `then` runs when all of them have ended, and finds their results in `context.children()`. With `on="success"` it
    runs if all are done, and fails without running if one of them has failed for good. It runs for an empty batch, too.

    Raises PermanentError for more jobs, and otherwise as `dispatch` does; then no job is added.
    """
    new = list(jobs)
    if len(new) > LONGEST_BATCH:
        msg = f"a batch has at most {LONGEST_BATCH:,} jobs, and this one {len(new):,}: add it in parts"
        raise PermanentError(msg)
    for job in [*new, *([then] if then else [])]:
        job.addition.check()
    if (recording := RECORDING.get()) is not None:
        ids = [_recorded(job, recording) for job in new]
        return Batch(tuple(ids), _recorded(then, recording) if then else None)
    from queue_lib.jobs import own_connection  # noqa: PLC0415 -- it imports bullmq and rq

    return await own_connection.add_batch(new, then, even_if_failed=on == "complete")


async def cancel(key: str | int, seconds: float = CANCELLED_FOR) -> None:
    """Take back all jobs with this cancel key that were added until now, for so many seconds (28 days at most).

    Say a longer time if such a job may wait for longer. A job that is added after this call is not taken back.

    Raises PermanentError for what is no key, and otherwise as `dispatch` does.
    """
    text = checked(key, seconds)
    if (recording := RECORDING.get()) is not None:
        recording.cancelled.append(text)
        return
    run = CURRENT.get()
    if run is not None:
        cancelling = run.context.board.cancel(text, seconds)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(cancelling, run.loop))
        return
    from queue_lib.jobs import own_connection  # noqa: PLC0415 -- it imports bullmq and rq

    await own_connection.cancel(text, seconds)


def _recorded(job: NewJob, recording: Recording) -> str:
    recording.jobs.append(job)
    return job.addition.job_id or uuid4().hex
