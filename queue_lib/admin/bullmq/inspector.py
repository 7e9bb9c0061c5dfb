"""The Inspector port on BullMQ."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from queue_lib.admin.bullmq.briefs import DUE, Briefs
from queue_lib.admin.bullmq.flow import dead_children, flow_of, stuck_parents
from queue_lib.admin.bullmq.listing import behind
from queue_lib.admin.bullmq.view import bull_job, ref, view
from queue_lib.admin.fingerprints import fingerprint
from queue_lib.admin.ports import LISTED, READ_AT_ONCE, JobView, Placed
from queue_lib.broker.bullmq.library import SharedQueue
from queue_lib.broker.bullmq.parse import MS
from queue_lib.broker.bullmq.producer import options
from queue_lib.broker.bullmq.schedulers import find_stopped
from queue_lib.broker.server import check_server
from queue_lib.broker.trouble import answers, hashes, outages_translated
from queue_lib.job import State, Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis.asyncio

    from queue_lib.addition import Addition
    from queue_lib.admin.flows import FlowNode
    from queue_lib.admin.ports import JobRef, Mark
    from queue_lib.broker.bullmq.schedulers import StoppedScheduler

# Where waiting jobs are, in the order in which they are served. `paused` has those that bullmq 5 has set aside.
IN_LINE = ("wait", "paused", "prioritized")
LISTS = {State.WAITING: IN_LINE}
UNKNOWN = "unknown"  # BullMQ's state of a job that is in no list
NEWEST_FIRST = frozenset({State.COMPLETED, State.FAILED})  # other lists are in running order
AFRESH = {"resetAttemptsMade": True}  # attemptsStarted stays: it says that the job may have notes
LONGEST_LOG = 1000  # lines that are shown
CHILDREN = 100  # of a job that are shown
FINGERPRINTED = ("timestamp", "processedOn", "finishedOn", "progress", "atm", "delay")
ADDED_AT_ONCE = 100  # jobs: the server serves no other client meanwhile
OF_ANY_AGE = -(10**12)  # milliseconds: includes jobs that a producer's clock dated ahead
CRASHES = ("stc", "defa")  # how often it stalled, and the deferred failure: BullMQ itself never resets them


class BullMQInspector:
    """Reads and steers the queues through the package's Queue."""

    wire = Wire.BULLMQ

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it stays the caller's to close."""
        self._client = client
        self._prefix = prefix
        self._briefs = Briefs(client)
        self._queues: dict[str, SharedQueue] = {}

    def queue(self, name: str) -> SharedQueue:
        """The package's Queue, made once: each reads all scripts from files and holds 270 KiB."""
        if name not in self._queues:
            self._queues[name] = SharedQueue(name, self._client, self._prefix)
        return self._queues[name]

    async def check(self, queue: str) -> None:
        """Refused if the app's bullmq is too old."""
        with outages_translated():
            await self.queue(queue).check()

    async def counts(self, queue: str) -> dict[State, int]:
        """Jobs by state; prioritized ones, and those that are set aside, count as waiting."""
        elsewhere = [state.value for state in State if state is not State.WAITING]
        with outages_translated():
            counts = await self.queue(queue).getJobCounts(*elsewhere, *IN_LINE)
        counts[State.WAITING.value] = sum(counts.pop(place) for place in IN_LINE)
        return {state: counts[state.value] for state in State}

    async def find(self, queue: str, job_id: str) -> JobView | None:
        """One job."""
        with outages_translated():
            source = self.queue(queue)
            job = await self._job(source, job_id)
            if job is None:
                return None
            state, values = job
            found = view(source, job_id, values, _state(state))
            [found] = await self._with_due(source, [found])
            [found] = await self._with_dead(source, [await self._whole(source, found)])
            return found

    async def _job(self, source: SharedQueue, job_id: str) -> tuple[str, dict[str, str]] | None:
        """A job's state and hash; None if there is none, or the key of this name holds something else.

        Beside the jobs' own keys are those of the queue and of parts of jobs, some of them hashes: `meta`,
        `repeat:<scheduler>`, `<id>:processed`. A job is in one of the queue's lists, or has the time it was added.
        """
        state = await source.getJobState(job_id)  # first: a job that is completed by then has its result
        [values] = await hashes(self._client, [source.toKey(job_id)])
        return (state, values) if values and (state != UNKNOWN or "timestamp" in values) else None

    async def _whole(self, source: SharedQueue, found: JobView) -> JobView:
        """The job with what other keys hold: its log, its open children and its ended ones."""
        key = source.toKey(found.id)
        async with self._client.pipeline(transaction=False) as pipe:
            pipe.lrange(f"{key}:logs", -LONGEST_LOG, -1)
            pipe.srandmember(f"{key}:dependencies", CHILDREN)
            pipe.hrandfield(f"{key}:processed", CHILDREN)
            pipe.hrandfield(f"{key}:failed", CHILDREN)
            pipe.zrange(f"{key}:unsuccessful", 0, CHILDREN - 1)
            log, *children = await answers(pipe)
        keys = sorted({key for keys in children for key in keys or ()})
        return replace(found, log=log or [], children=tuple(ref(key, source) for key in keys[:CHILDREN]))

    async def _with_due(self, source: SharedQueue, views: list[JobView]) -> list[JobView]:
        """When those that are delayed are due."""
        delayed = [each.id for each in views if each.state is State.DELAYED]
        if not delayed:
            return views
        scores = dict(zip(delayed, await self._client.zmscore(source.toKey("delayed"), delayed), strict=True))
        return [replace(each, due_at=score / DUE / MS) if (score := scores.get(each.id)) else each for each in views]

    async def _with_dead(self, source: SharedQueue, views: list[JobView]) -> list[JobView]:
        """The children for which those wait that would wait for ever."""
        dead = await dead_children(source, [each.id for each in views if each.state is State.WAITING_CHILDREN])
        return [replace(each, dead_children=dead[each.id]) if each.id in dead else each for each in views]

    async def page(self, queue: str, state: State, start: int, count: int, *, brief: bool = False) -> list[JobView]:
        """Jobs of a state, list after list."""
        source, ids = self.queue(queue), dict[str, None]()  # a queue that moves on meanwhile may show one twice
        with outages_translated():
            for name in LISTS.get(state, (state.value,)):
                last = start + count - len(ids) - 1
                if last < start:
                    break
                found = await source.backend.scripts.getRanges([name], start, last, asc=state not in NEWEST_FIRST)
                ids |= dict.fromkeys(found)
                start = max(0, start - (await source.getJobCounts(name))[name])
            if brief:
                return list((await self._briefs.read(source, state, list(ids), {})).values())
        return await self.listed(queue, state, list(ids))

    async def listed(self, queue: str, state: State, job_ids: Sequence[str]) -> list[JobView]:
        """These jobs."""
        source = self.queue(queue)
        with outages_translated():
            views = await self._views(source, job_ids, state)
            return await self._with_dead(source, await self._with_due(source, views))

    def lists(self, state: State) -> int:
        """One, but for waiting jobs."""
        return len(LISTS.get(state, (state,)))

    async def behind(
        self, queue: str, state: State, number: int, mark: Mark | None, count: int, *, brief: bool = False
    ) -> list[Placed]:
        """Jobs of one of BullMQ's lists or sorted sets."""
        source, name = self.queue(queue), LISTS.get(state, (state.value,))[number]
        with outages_translated():
            marks = await behind(self._client, source.toKey(name), mark, count, desc=state in NEWEST_FIRST)
            ids = [each.id for each in marks]
            if brief:
                scores = {each.id: each.score for each in marks} if state is State.DELAYED else {}
                by_id = await self._briefs.read(source, state, ids, scores)
            else:
                by_id = {each.id: each for each in await self.listed(queue, state, ids)}
        return [Placed(each, by_id.get(each.id)) for each in marks]

    async def _views(self, source: SharedQueue, ids: Sequence[str], state: State) -> list[JobView]:
        """The jobs with these ids, in steps; without those that are gone."""
        views: list[JobView] = []
        for first in range(0, len(ids), READ_AT_ONCE):
            some = ids[first : first + READ_AT_ONCE]
            found = zip(some, await hashes(self._client, map(source.toKey, some)), strict=True)
            views += [view(source, job_id, values, state, most=LISTED) for job_id, values in found if values]
        return views

    async def fingerprints(self, queue: str, job_ids: Sequence[str]) -> list[str | None]:
        """Made of the fields that BullMQ's scripts write at each step."""
        source = self.queue(queue)
        with outages_translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.hmget(source.toKey(job_id), FINGERPRINTED)
                found = await answers(pipe)
        return [fingerprint(values) for values in found]

    async def retry(self, queue: str, job_id: str) -> bool:
        """Send a failed job back to its queue. Its crashes are reset first, while no worker runs it."""
        with outages_translated():
            source = self.queue(queue)
            job = await self._job(source, job_id)
            if job is None or job[0] != State.FAILED:
                return False
            await self._client.hdel(source.toKey(job_id), *CRASHES)
            try:
                await bull_job(source, job_id, job[1]).retry(State.FAILED.value, AFRESH)
            except TypeError:  # the package's way to say that it is no longer failed
                return False
        return True

    async def remove(self, queue: str, job_id: str) -> bool:
        """Delete it; its children stay."""
        with outages_translated():
            source = self.queue(queue)
            if await self._job(source, job_id) is None:  # BullMQ would remove any key of this name
                return False
            return bool(await source.backend.remove(job_id, remove_children=False))

    async def clean(self, queue: str, state: State, older: float, most: int) -> int:
        """Delete old jobs, as BullMQ's `clean` does, but no parent that waits for one of them."""
        with outages_translated():
            return len(await self.queue(queue).backend.cleanJobsInSet(state.value, round(older * MS), most))

    async def promote(self, queue: str, job_id: str) -> bool:
        """As BullMQ's own `promote`."""
        with outages_translated():
            source = self.queue(queue)
            try:
                await source.backend.promote(job_id)
            except TypeError:  # the package's way to say that it is not delayed
                return False
        return True

    async def drain(self, queue: str, *, delayed: bool, most: int) -> int:
        """By BullMQ's `clean`, in steps: its `drain` is one script, during which the server answers no other client."""
        source, deleted = self.queue(queue), 0
        for place in (*IN_LINE, "delayed") if delayed else IN_LINE:
            if deleted < most:
                with outages_translated():
                    deleted += len(await source.backend.cleanJobsInSet(place, OF_ANY_AGE, most - deleted))
        return deleted

    def check_addition(self, addition: Addition) -> None:
        """Make the options."""
        options(addition)

    async def add(self, queue: str, addition: Addition) -> str:
        """Add it; BullMQ leaves one with this id as it is."""
        with outages_translated():
            return str((await self.queue(queue).add(addition.name, addition.data, options(addition))).id)

    async def add_all(self, queue: str, additions: Sequence[Addition]) -> list[str]:
        """Add so many in one transaction."""
        source, ids = self.queue(queue), list[str]()
        with outages_translated():
            for start in range(0, len(additions), ADDED_AT_ONCE):
                some = [
                    {"name": each.name, "data": each.data, "opts": options(each)}
                    for each in additions[start : start + ADDED_AT_ONCE]
                ]
                ids += [str(job.id) for job in await source.addBulk(some)]
        return ids

    async def stopped(self, queue: str) -> list[StoppedScheduler]:
        """Schedulers whose last job has run or is gone, and no job follows."""
        with outages_translated():
            return [scheduler for scheduler, _ in await find_stopped(self.queue(queue))]

    async def stuck(self, queue: str) -> list[JobRef]:
        """Parents with a dead child."""
        with outages_translated():
            return await stuck_parents(self.queue(queue))

    async def flow(self, queue: str, job_id: str) -> FlowNode | None:
        """Its parents' and its children's flow."""
        with outages_translated():
            return await flow_of(self.queue(queue), job_id)

    async def check_server(self) -> None:
        """Ask the server."""
        await check_server(self._client, self._prefix)

    async def is_paused(self, queue: str) -> bool:
        """Whether paused."""
        with outages_translated():
            return bool(await self.queue(queue).isPaused())

    async def pause(self, queue: str) -> None:
        """Pause; RQ's jobs of the queue stop with it."""
        with outages_translated():
            await self.queue(queue).pause()

    async def resume(self, queue: str) -> None:
        """Resume."""
        with outages_translated():
            await self.queue(queue).resume()


def _state(name: str) -> State:
    """The state of this name. A job in no list counts as waiting: it is probably being moved right now."""
    return State(name) if name in set(State) else State.WAITING
