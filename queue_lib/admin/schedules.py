"""Schedules: list, find, put, run now, pause, resume, remove. BullMQ's wire has them, for the jobs of both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from queue_lib.addition import Addition
from queue_lib.admin.reading import Reading
from queue_lib.errors import BrokerRefusedError, PermanentError
from queue_lib.job import State, Wire
from queue_lib.schedule import PREFIX

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from queue_lib.admin.backends import Backends
    from queue_lib.schedule import Schedule

ID = re.compile(r"[^\s:]{1,200}")
ID_RULE = "the id of a schedule has 1 to 200 characters, without spaces and colons"
PAGE = 100  # schedules


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """The last job of a schedule that has ended: how, `at` seconds since the epoch, and whether it is still kept."""

    state: State
    at: float
    job_id: str
    is_kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """What is known of a schedule: it adds `job` with `data` by `cron` in the zone `tz`, or `every` so many seconds.

    `times` are the next ones, five at most, in seconds since the epoch: none while it is paused, or has stopped for
    this `reason`. `last` is of jobs that a worker of Pushmill has run. `owner` is whose it is: None for the app's own
    and those of the API, TEAM for those of the modules that JOBS names, or a feature's name.
    """

    id: str
    queue: str
    job: str
    data: Any
    cron: str | None
    tz: str | None
    every: float | None
    times: tuple[float, ...]
    paused: bool
    reason: str | None
    last: ScheduleRun | None
    owner: str | None


@dataclass(frozen=True, slots=True)
class SchedulePage:
    """Some schedules, of `total`. `unread` are queues whose keys can't be read."""

    schedules: list[ScheduleView]
    total: int
    unread: tuple[str, ...] = ()


class ScheduleStore(Protocol):
    """The port: the schedules of queues.

    Every call may raise BrokerUnavailableError; `put`, `run` and `resume` PermanentError for what can't be added.
    """

    async def page(self, queue: str, start: int, count: int) -> tuple[list[ScheduleView], int]:
        """Up to `count` of them from number `start` on, those that are due first in front; and how many there are."""

    async def find(self, queue: str, schedule_id: str) -> ScheduleView | None:
        """One of them."""

    async def put(self, queue: str, schedule_id: str, schedule: Schedule) -> None:
        """Add it, or replace the one that has its id."""

    async def remove(self, queue: str, schedule_id: str) -> bool:
        """Delete it, and the job that was to come; False if there is none."""

    async def run(self, queue: str, schedule_id: str) -> str | None:
        """Add one more job like those of the schedule; returns its id, None if there is no such schedule."""

    async def pause(self, queue: str, schedule_id: str) -> bool:
        """Add no more jobs; False if there is none."""

    async def resume(self, queue: str, schedule_id: str) -> bool:
        """Undo pause; False if it is not paused."""


class ScheduleAdmin:
    """Looks at schedules, and acts on one."""

    def __init__(self, backends: Backends, log: FilteringBoundLogger) -> None:
        """`log` names the operator."""
        self._backends = backends
        self._log = log

    @property
    def _store(self) -> ScheduleStore:
        """Raises PermanentError where BullMQ's wire is not served."""
        self._backends.on(Wire.BULLMQ)
        if self._backends.schedules is None:
            msg = "this process has no schedules"
            raise PermanentError(msg)
        return self._backends.schedules

    async def page(self, queue: str | None, start: int, count: int) -> SchedulePage:
        """Up to `count` schedules (100 at most) of a queue or of all, from number `start` on: queue by queue.

        In each queue those come first that are due first, and at the end those that are paused. Raises
        NoSuchQueueError.
        """
        names, store = self._backends.chosen(queue), self._backends.schedules
        found, total, unread, count = list[ScheduleView](), 0, list[str](), min(count, PAGE)
        if store is None:
            return SchedulePage(found, total)
        for name in names:
            read = Reading()
            views, there = await read(store.page(name, max(0, start - total), count - len(found))) or ([], 0)
            found, total = [*found, *views], total + there
            unread += [name] if read.trouble else []
        return SchedulePage(found, total, tuple(unread))

    async def find(self, schedule_id: str, queue: str | None = None) -> list[ScheduleView]:
        """The schedules with this id: several queues may have one.

        A queue that can't be read is left out. Raises NoSuchQueueError, and BrokerRefusedError if the schedule may be
        in a queue that can't be read, and is nowhere else.
        """
        names, store, read = self._backends.chosen(queue), self._backends.schedules, Reading()
        looked = [await read(store.find(name, schedule_id)) for name in names] if store is not None else []
        found = [each for each in looked if each is not None]
        if not found and read.trouble is not None:
            raise BrokerRefusedError(trouble=read.trouble)
        return found

    async def put(self, schedule: Schedule) -> str:
        """Add a schedule, or replace the one with its key as id; returns its queue, which the job's name says.

        Raises PermanentError, which says why, for one that could only add dead letters, and for an id of a worker's.
        """
        if schedule.key.startswith(PREFIX):
            msg = f"ids that begin with {PREFIX} are those of SCHEDULES: change it in its module"
            raise PermanentError(msg)
        if not ID.fullmatch(schedule.key) or not schedule.key.isprintable():
            raise PermanentError(ID_RULE)
        queue = self._backends.admission.queue_of(Addition(name=schedule.job, data=dict(schedule.data)))
        await self._store.put(queue, schedule.key, schedule)
        self._log.info("schedule_set", queue=queue, schedule=schedule.key, name=schedule.job)
        return queue

    async def run(self, schedule: ScheduleView) -> str | None:
        """Add one more job like those of the schedule, whose times stay; returns its id, None if it is gone.

        Raises PermanentError for one whose record can't be read.
        """
        job_id = await self._store.run(schedule.queue, schedule.id)
        if job_id is not None:
            self._log.info("schedule_run", **_fields(schedule), id=job_id[:200])
        return job_id

    async def pause(self, schedule: ScheduleView) -> bool:
        """Add no more jobs until it is resumed, over all starts of workers; False if it is gone."""
        return self._told("schedule_paused", schedule, done=await self._store.pause(schedule.queue, schedule.id))

    async def resume(self, schedule: ScheduleView) -> bool:
        """Go on at its next time; False if it is not paused. Raises PermanentError for one that can't go on."""
        return self._told("schedule_resumed", schedule, done=await self._store.resume(schedule.queue, schedule.id))

    async def remove(self, schedule: ScheduleView) -> bool:
        """Delete it and the job that was to come; False if it is gone. A worker adds one of its own at its start."""
        return self._told("schedule_deleted", schedule, done=await self._store.remove(schedule.queue, schedule.id))

    def _told(self, event: str, schedule: ScheduleView, *, done: bool) -> bool:
        if done:
            self._log.info(event, **_fields(schedule))
        return done


def _fields(schedule: ScheduleView) -> dict[str, str]:
    """What names it in the log."""
    return {"queue": schedule.queue, "schedule": schedule.id[:200], "name": schedule.job[:200]}
