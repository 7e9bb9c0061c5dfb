"""The Inspector port on BullMQ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bullmq import Job as BullJob
from bullmq import Queue as BullQueue

from queue_lib.broker.base import Addition, JobView, State
from queue_lib.broker.bullmq.parse import MALFORMED, MS
from queue_lib.broker.connection import outages_translated
from queue_lib.broker.refused import NAME
from queue_lib.job import Wire

if TYPE_CHECKING:
    import redis.asyncio

WAITING = frozenset({"wait", "waiting", "prioritized", "paused"})
# Whose jobs make up a state, in the order in which they are served. The newest of what has finished comes first.
LISTS = {State.WAITING: ("wait", "prioritized")}
NEWEST_FIRST = frozenset({State.COMPLETED, State.FAILED})
AFRESH = {"resetAttemptsMade": True}  # not those that were started: they tell that the job may have notes
CRASHES = ("stc", "defa")  # how often it stalled, and the verdict on it: nothing of BullMQ's takes them back


class BullMQInspector:
    """Reads and steers the queues through the package's Queue."""

    wire = Wire.BULLMQ

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it stays the caller's to close."""
        self._client = client
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
            state = await source.getJobState(job_id)  # first: a job that is completed by then has its result
            fields = await source.backend.getJobData(job_id)
            if not fields:
                return None
            log = await source.getJobLogs(job_id)
        return _view(source, job_id, fields, State.WAITING if state in WAITING else _state(state), log["logs"])

    async def page(self, queue: str, state: State, start: int, count: int) -> list[JobView]:
        """Jobs of a state; prioritized ones come after those without a priority, as they are served."""
        views: list[JobView] = []
        source = self._queue(queue)
        with outages_translated():
            for name in LISTS.get(state, (state.value,)):
                left = count - len(views)
                if left <= 0:
                    break
                [found] = await source.backend.scripts.getJobs(
                    [name], start, start + left - 1, asc=state not in NEWEST_FIRST
                )
                views += [
                    _view(source, job_id, dict(zip(raw[::2], raw[1::2], strict=True)), state) for job_id, raw in found
                ]
                start = max(0, start - (await source.getJobCounts(name))[name])
        return views

    async def retry(self, queue: str, job_id: str) -> bool:
        """Send a failed job back to its line. What it has noted of crashes is taken back first: nobody runs it yet."""
        with outages_translated():
            source = self._queue(queue)
            if await source.getJobState(job_id) != State.FAILED:
                return False
            fields = await source.backend.getJobData(job_id)
            await self._client.hdel(source.toKey(job_id), *CRASHES)
            try:
                await _bull_job(source, job_id, fields).retry(State.FAILED.value, AFRESH)
            except TypeError:  # so the package says that it is not among the failed ones any more
                return False
        return True

    async def remove(self, queue: str, job_id: str) -> bool:
        """Delete it; its children stay."""
        with outages_translated():
            source = self._queue(queue)
            if not await self._client.exists(source.toKey(job_id)):  # BullMQ is content with a job that is not there
                return False
            return bool(await source.backend.remove(job_id, remove_children=False))

    async def clean(self, queue: str, state: State, older: float, most: int) -> int:
        """Delete old jobs, as BullMQ's `clean` does."""
        with outages_translated():
            return len(await self._queue(queue).backend.cleanJobsInSet(state.value, round(older * MS), most))

    async def add(self, queue: str, addition: Addition) -> str:
        """Add it; BullMQ leaves one with this id as it is."""
        options = {"jobId": addition.job_id, "attempts": addition.attempts, "delay": round(addition.delay * MS)}
        given = {name: value for name, value in options.items() if value}
        with outages_translated():
            return str((await self._queue(queue).add(addition.name, addition.data, given)).id)

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


def _state(name: str) -> State:
    """BullMQ says `unknown` of a job that is in no list: one that somebody is just moving."""
    return State(name) if name in set(State) else State.WAITING


def _bull_job(source: BullQueue, job_id: str, fields: dict[str, str]) -> Any:
    try:
        return BullJob.fromJSON(source, fields, job_id)
    except MALFORMED:
        return BullJob(source, NAME, None, {}, job_id)


def _view(
    source: BullQueue, job_id: str, fields: dict[str, str], state: State, log: list[str] | None = None
) -> JobView:
    """The job, however odd its fields: what can't be read is left out."""
    job = _bull_job(source, str(job_id), fields)
    traces = job.stacktrace if isinstance(job.stacktrace, list) else []
    return JobView(
        id=str(job_id),
        name=str(job.name or NAME),
        queue=source.name,
        wire=Wire.BULLMQ,
        state=state,
        data=job.data,
        attempts_made=_number(fields.get("atm")),
        enqueued_at=_number(fields.get("timestamp")) / MS,
        finished_at=_number(fields.get("finishedOn")) / MS or None,
        progress=job.progress,
        result=job.returnvalue,
        reason=fields.get("failedReason"),
        stack=str(traces[-1]) if traces else None,
        log=log or [],
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0
