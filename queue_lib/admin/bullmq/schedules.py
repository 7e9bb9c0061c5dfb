"""The schedules of BullMQ's queues, as operators see and steer them: the app's own, the team's and the API's."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from queue_lib.admin.bullmq.schedule_view import view
from queue_lib.broker.bullmq.own_schedules import add_schedule, schedule_fault
from queue_lib.broker.bullmq.parse import MALFORMED, MS
from queue_lib.broker.bullmq.pattern import PatternError
from queue_lib.broker.bullmq.schedulers import Scheduler, find_stopped, template_of
from queue_lib.broker.bullmq.set_aside import LAST, REPEAT, forget, runs_again, set_aside, set_one_aside
from queue_lib.broker.trouble import answers, hashes, outages_translated
from queue_lib.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from queue_lib.admin.schedules import ScheduleView
    from queue_lib.broker.bullmq.library import SharedQueue
    from queue_lib.schedule import Schedule

OLDER = "it is a repeatable job of an older bullmq: only its last job has its data; use queue.upsertJobScheduler"
ENDED = "it has ended: its endDate has passed, or its limit is reached; remove it, or add it anew"


class BullMQSchedules:
    """The port ScheduleStore, through the package's Queue."""

    def __init__(self, queue_of: Callable[[str], SharedQueue]) -> None:
        """`queue_of` gives the package's Queue of a name."""
        self._queue = queue_of

    async def page(self, queue: str, start: int, count: int) -> tuple[list[ScheduleView], int]:
        """Those that are due first, then those that are paused."""
        source = self._queue(queue)
        with outages_translated():
            aside = await set_aside(source)
            repeat = source.toKey(REPEAT)
            total = await source.backend.conn.zcard(repeat)
            last = start + count - 1
            in_order = await source.backend.conn.zrange(repeat, start, last, withscores=True) if count > 0 else ()
            due = dict(in_order)
            first = max(0, start - total)
            paused = sorted(aside)[first : first + count - len(due)]
            return await self._views(source, due, {each: aside[each] for each in paused}), total + len(aside)

    async def find(self, queue: str, schedule_id: str) -> ScheduleView | None:
        """One of them."""
        source = self._queue(queue)
        with outages_translated():
            due = await source.backend.conn.zscore(source.toKey(REPEAT), schedule_id)
            aside = {} if due is not None else await set_aside(source)
            found = {} if due is None else {schedule_id: due}
            views = await self._views(source, found, {each: aside[each] for each in aside if each == schedule_id})
            return next(iter(views), None)

    async def _views(
        self, source: SharedQueue, due: Mapping[str, float], aside: Mapping[str, Mapping[str, str]]
    ) -> list[ScheduleView]:
        if not due and not aside:
            return []
        ids = [*due, *aside]
        client = source.backend.conn
        records = await hashes(client, [source.toKey(f"{REPEAT}:{each}") for each in due]) if due else []
        stopped = {each.id: each.reason for each, _ in await find_stopped(source)} if due else {}
        lasts = await self._lasts(source, ids)
        live = [
            view(source.name, each, record, lasts[each], due=due[each] / MS, reason=stopped.get(each))
            for each, record in zip(due, records, strict=True)
        ]
        return [*live, *(view(source.name, each, record, lasts[each]) for each, record in aside.items())]

    async def _lasts(self, source: SharedQueue, ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
        """What is noted of the last job of each, and whether that job is still there."""
        client = source.backend.conn
        async with client.pipeline(transaction=False) as pipe:
            pipe.hmget(source.toKey(LAST), ids)
            [noted] = await answers(pipe)
        texts = [text or "" for text in noted or [""] * len(ids)]
        async with client.pipeline(transaction=False) as pipe:
            for text in texts:
                pipe.exists(source.toKey(text.split(" ", 2)[-1]))
            kept = await answers(pipe)
        return {each: (text, bool(there)) for each, text, there in zip(ids, texts, kept, strict=True)}

    async def put(self, queue: str, schedule_id: str, schedule: Schedule) -> None:
        """Add it, or replace the one that has its id; it runs, also if that one was paused."""
        if (fault := schedule_fault(schedule)) is not None:
            msg = f"the schedule {fault}"
            raise PermanentError(msg)
        source = self._queue(queue)
        with outages_translated(), _refusals():
            await add_schedule(source, schedule_id, schedule)
            await runs_again(source, schedule_id)

    async def remove(self, queue: str, schedule_id: str) -> bool:
        """Delete it, and the job that was to come; False if there is none."""
        source = self._queue(queue)
        with outages_translated():
            was_paused = schedule_id in await set_aside(source)
            missing = await Scheduler(source).removeJobScheduler(schedule_id)
            await forget(source, schedule_id)
        return was_paused or not missing

    async def run(self, queue: str, schedule_id: str) -> str | None:
        """Add one more job like those of the schedule; returns its id, None if there is no such schedule."""
        source = self._queue(queue)
        with outages_translated(), _refusals():
            record = await self._record(source, schedule_id)
            if record is None:
                return None
            made = _template(record)
            return str((await source.add(made["job_name"], made["job_data"], made["opts"])).id)

    async def _record(self, source: SharedQueue, schedule_id: str) -> Mapping[str, str] | None:
        [record] = await hashes(source.backend.conn, [source.toKey(f"{REPEAT}:{schedule_id}")])
        return record or (await set_aside(source)).get(schedule_id)

    async def pause(self, queue: str, schedule_id: str) -> bool:
        """Set its record aside, and take the scheduler out, in one step; False if there is none."""
        source = self._queue(queue)
        with outages_translated(), _refusals():
            if schedule_id in await set_aside(source):
                return True
            record = await self._record(source, schedule_id)
            if record is None:
                return False
            _template(record)  # one that could not be made again is not taken out
            return await set_one_aside(source, schedule_id)

    async def resume(self, queue: str, schedule_id: str) -> bool:
        """Let it go on, at its next time; False if it is not paused."""
        source = self._queue(queue)
        with outages_translated(), _refusals():
            record = (await set_aside(source)).get(schedule_id)
            if record is None:
                return False
            made = _template(record)
            added = max(0, int(made["repeat_opts"]["count"]) - 1)  # the last one has not run
            made["repeat_opts"]["count"] = added
            if await Scheduler(source).upsertJobScheduler(schedule_id, **made) is None:
                raise PermanentError(ENDED)
            await runs_again(source, schedule_id, added)
        return True


def _template(record: Mapping[str, str]) -> dict[str, Any]:
    """What makes the schedule again. Raises PermanentError, MALFORMED."""
    if record and "ic" not in record:
        raise PermanentError(OLDER)
    return template_of(record)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Turn what can't be made of a record into a PermanentError, which says why."""
    try:
        yield
    except PatternError as error:
        raise PermanentError(str(error)) from None
    except MALFORMED as error:
        msg = f"its record can't be read, or a job of this very time is there: {type(error).__name__}"
        raise PermanentError(msg) from None
