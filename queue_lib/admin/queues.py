"""Queues: statistics, history, pausing, and deleting jobs by state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_lib.admin.reading import Reading
from queue_lib.job import State
from queue_lib.observe.worker_stats import MINUTE, NAMES_SPAN, SPAN, minute_of, names_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from structlog.typing import FilteringBoundLogger

    from queue_lib.admin.backends import Backends
    from queue_lib.admin.ports import Inspector, JobRef
    from queue_lib.broker.bullmq.schedulers import StoppedScheduler
    from queue_lib.errors import Trouble
    from queue_lib.job import Wire
    from queue_lib.observe.worker_stats import Minute, NameStats
    from queue_lib.queues import Profile

PAGE = 200  # jobs
DELETED_AT_ONCE = 1000  # jobs
LONGEST_HISTORY = 24 * 60  # minutes
SPANS = 24 * 3600 // SPAN  # of a day


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """A queue at this moment. `counts` are by wire; `oldest` is how long the next job has been ready, in seconds.

    `trouble` says why a part could not be read, because of what its keys hold: that part is missing.
    `stopped` are the app's job schedulers that stopped before their end, `stuck` the jobs that wait for a dead child.
    """

    queue: str
    paused: bool
    counts: Mapping[Wire, Mapping[State, int]]
    oldest: float | None
    trouble: Trouble | None = None
    stopped: Sequence[StoppedScheduler] = ()
    stuck: Sequence[JobRef] = ()
    profile: Profile = "medium"

    def total(self, state: State) -> int:
        """How many jobs of both wires are in a state."""
        return sum(counts[state] for counts in self.counts.values())

    @property
    def load(self) -> float:
        """What an autoscaler goes by, in seconds: how long the next job has waited, unless the queue is paused.

        At least 1 while a job waits or runs, or that can't be read: a worker must be there, however young the job is.
        """
        oldest = None if self.paused else self.oldest
        is_needed = oldest is not None or self.trouble is not None or self.total(State.ACTIVE) > 0
        return max(oldest or 0.0, float(is_needed))

    @property
    def empty(self) -> bool:
        """Whether it is known that no job waits or runs."""
        return not self.trouble and not any(map(self.total, set(State) - {State.COMPLETED, State.FAILED}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """A queue's jobs by name, from `since` on (seconds since the epoch)."""

    since: float
    names: Sequence[NameStats]


class QueueAdmin:
    """Looks at queues, and acts on them as a whole."""

    def __init__(self, backends: Backends, log: FilteringBoundLogger) -> None:
        """`log` names the operator."""
        self._backends = backends
        self._inspectors = backends.inspectors
        self._log = log
        self.names = tuple(backends.queues)

    def chosen(self, queue: str | None) -> tuple[str, ...]:
        """The queue of this name; all queues for None. Raises NoSuchQueueError."""
        return self._backends.chosen(queue)

    async def stats(self) -> list[QueueStats]:
        """Each queue at this moment."""
        return [await self.stats_of(queue) for queue in self.names]

    async def stats_of(self, queue: str) -> QueueStats:
        """One queue at this moment."""
        read = Reading()
        for each in self._inspectors:
            await read(each.check(queue))
        counts = {each.wire: found for each in self._inspectors if (found := await read(each.counts(queue)))}
        return QueueStats(
            queue=queue,
            paused=bool(await read(self._inspectors[0].is_paused(queue))),
            counts=counts,
            oldest=await self._oldest(queue, read, counts),
            trouble=read.trouble,
            stopped=[one for each in self._inspectors for one in await read(each.stopped(queue)) or ()],
            stuck=[one for each in self._inspectors for one in await read(each.stuck(queue)) or ()],
            profile=self._backends.profiles.get(queue, "medium"),
        )

    async def _oldest(self, queue: str, read: Reading, counts: Mapping[Wire, Mapping[State, int]]) -> float | None:
        """How long the next job has been ready, on either wire. One that is due is ready, also without a worker."""
        ready: list[float] = []
        now = self._backends.clock()
        for inspector in self._inspectors:
            found = counts.get(inspector.wire, {})
            if found.get(State.WAITING):
                page = await read(inspector.page(queue, State.WAITING, 0, 1)) or ()
                ready += [job.ready_at or job.enqueued_at for job in page]
            elif found.get(State.DELAYED):
                page = await read(inspector.page(queue, State.DELAYED, 0, 1)) or ()
                ready += [job.due_at for job in page if job.due_at is not None and job.due_at <= now]
        return max((max(0.0, now - moment) for moment in ready if moment), default=None)

    async def history(self, queue: str, minutes: int = 60) -> list[Minute]:
        """What all workers did with a queue's jobs, minute by minute: the oldest first, this minute last.

        Workers report every ten seconds; reports are kept for a day. Raises NoSuchQueueError, and ValueError for other
        than 1 to 1,440 minutes.
        """
        [queue] = self.chosen(queue)
        _check(minutes)
        last = int(self._backends.clock() // MINUTE)
        numbers = range(last - minutes + 1, last + 1)
        found = await self._backends.heartbeats.minutes(queue, numbers)
        return [minute_of(number, counts) for number, counts in zip(numbers, found, strict=True)]

    async def day(self, queue: str) -> list[Minute]:
        """The same of the last 24 hours, in spans of ten minutes. Raises NoSuchQueueError."""
        [queue] = self.chosen(queue)
        last = int(self._backends.clock() // SPAN)
        numbers = range(last - SPANS + 1, last + 1)
        found = await self._backends.heartbeats.spans(queue, numbers)
        return [minute_of(number, counts, SPAN) for number, counts in zip(numbers, found, strict=True)]

    async def by_name(self, queue: str, minutes: int = 60) -> Names:
        """What all workers did with a queue's jobs of each name, those that failed most first.

        Counts are kept by the half-hour: the first one is whole. Raises as `history` does.
        """
        [queue] = self.chosen(queue)
        _check(minutes)
        now = self._backends.clock()
        numbers = range(int((now - minutes * MINUTE) // NAMES_SPAN), int(now // NAMES_SPAN) + 1)
        names = names_of(await self._backends.heartbeats.names(queue, numbers))
        return Names(since=float(numbers[0] * NAMES_SPAN), names=names)

    async def pause(self, queue: str) -> None:
        """Hand out no more jobs of a queue, on both wires."""
        await self._inspectors[0].pause(queue)
        self._log.info("queue_paused", queue=queue)

    async def resume(self, queue: str) -> None:
        """Undo pause."""
        await self._inspectors[0].resume(queue)
        self._log.info("queue_resumed", queue=queue)

    async def drain(self, queue: str, *, delayed: bool = False, most: int | None = None) -> int:
        """Delete the waiting jobs of a queue on both wires, `delayed` ones too if asked; returns how many.

        At most `most` are deleted. Jobs that run go on, and ended ones stay. Raises NoSuchQueueError.
        """
        [queue] = self.chosen(queue)
        deleted = await self._in_steps(lambda each, count: each.drain(queue, delayed=delayed, most=count), most)
        self._log.info("queue_drained", queue=queue, delayed=delayed, jobs=deleted)
        return deleted

    async def clean(self, queue: str, state: State, older: float, most: int | None = None) -> int:
        """Delete jobs of a queue that completed or failed more than `older` seconds ago; returns how many.

        At most `most` are deleted. Their dead letters stay. Raises ValueError for another state.
        """
        if state not in {State.COMPLETED, State.FAILED}:
            msg = f"what is {state.value} is not cleaned"
            raise ValueError(msg)
        deleted = await self._in_steps(lambda each, count: each.clean(queue, state, older, count), most)
        self._log.info("queue_cleaned", queue=queue, state=state.value, older=older, jobs=deleted)
        return deleted

    async def _in_steps(self, delete: Callable[[Inspector, int], Awaitable[int]], most: int | None) -> int:
        """Delete on one wire after the other, a thousand at once: the server answers no other client meanwhile."""
        deleted, bound = 0, math.inf if most is None else most
        for inspector in self._inspectors:
            while (
                deleted < bound and (count := await delete(inspector, int(min(DELETED_AT_ONCE, bound - deleted)))) > 0
            ):
                deleted += count
        return deleted

    async def cleanable(self, queue: str, state: State, older: float) -> int:
        """How many jobs `clean` would delete. One page of them is in memory at a time."""
        before, found = self._backends.clock() - older, 0
        for inspector in self._inspectors:
            for start in range(0, (await inspector.counts(queue))[state], PAGE):
                page = await inspector.page(queue, state, start, PAGE, brief=True)
                found += sum((job.finished_at or 0.0) <= before for job in page)
        return found


def _check(minutes: int) -> None:
    if not 1 <= minutes <= LONGEST_HISTORY:
        msg = f"a history has 1 to {LONGEST_HISTORY} minutes, not {minutes}"
        raise ValueError(msg)
