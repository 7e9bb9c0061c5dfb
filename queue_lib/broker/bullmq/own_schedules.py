"""Keeps the schedules of features and of a team's own jobs as job schedulers of BullMQ, which Node's tools show."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import structlog

from queue_lib.broker.bullmq.cron import next_time
from queue_lib.broker.bullmq.parse import MALFORMED, MS
from queue_lib.broker.bullmq.pattern import PatternError
from queue_lib.broker.bullmq.schedulers import Scheduler
from queue_lib.broker.bullmq.set_aside import PAUSED, REPEAT, forget, set_aside
from queue_lib.broker.trouble import outages_translated
from queue_lib.queues import DAY
from queue_lib.schedule import PREFIX, owner_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from queue_lib.schedule import Schedule

LONGEST_INTERVAL = 366 * DAY

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def pattern_fault(cron: str, tz: str) -> str | None:
    """What is wrong with a pattern, or with its time zone."""
    try:
        next_time(cron, tz, time.time(), "")
    except PatternError as error:
        return str(error)
    return None


def schedule_fault(schedule: Schedule) -> str | None:
    """What is wrong with the times of a schedule."""
    if (schedule.cron is None) == (schedule.every is None):
        return "needs either cron or every"
    if not schedule.tz or (schedule.cron is not None and not schedule.cron.strip()):
        return "has an empty cron or tz"
    if schedule.cron is not None:
        fault = pattern_fault(schedule.cron, schedule.tz)
        return fault and f"has a cron that can't be read, {schedule.cron[:100]!r}: {fault}"
    if not 1 <= (schedule.every or 0) < LONGEST_INTERVAL:
        return f"is every {schedule.every} s: it needs 1 s at least, and less than a year"
    return None


async def keep_schedules(queue: Any, wanted: Mapping[str, Schedule], owners: Collection[str]) -> None:
    """Add and change schedulers of the package's Queue as `wanted` says, by id, and remove those that are gone.

    Only those of these `owners` are removed: a worker that was started without the team's modules must not stop the
    team's schedules. One that is as it should be goes on undisturbed, so that several workers may start at once. One
    that an operator has paused stays so, changed or not. Raises BrokerUnavailableError.
    """
    with outages_translated():
        paused = await set_aside(queue)
        scan = queue.backend.conn.zscan_iter(queue.backend.toKey(REPEAT), f"{PREFIX}*")
        known = {each async for each, _ in scan} | paused.keys()
        for gone in [each for each in known - wanted.keys() if owner_of(each) in owners]:
            await Scheduler(queue).removeJobScheduler(gone)
            await forget(queue, gone)
            _log.info("schedule_removed", queue=queue.name, schedule=gone[:200])
        for scheduler_id, schedule in wanted.items():
            await _keep(queue, scheduler_id, schedule, paused.get(scheduler_id))


async def _keep(queue: Any, scheduler_id: str, schedule: Schedule, aside: Mapping[str, str] | None) -> None:
    client, key = queue.backend.conn, queue.backend.toKey(f"{REPEAT}:{scheduler_id}")
    record = await client.hgetall(key) if aside is None else aside
    if _said(record) == _fields(schedule):
        return
    if aside is None:
        await add_schedule(queue, scheduler_id, schedule)
    else:
        data = json.dumps(dict(schedule.data))
        changed = {"name": schedule.job, "data": data, "ic": 1, **repeat_options(schedule)}
        await client.hset(queue.backend.toKey(PAUSED), scheduler_id, json.dumps(changed))


async def add_schedule(queue: Any, scheduler_id: str, schedule: Schedule) -> None:
    """Add or replace a scheduler of the package's Queue. Raises redis-py's errors, PatternError."""
    await Scheduler(queue).upsertJobScheduler(scheduler_id, repeat_options(schedule), schedule.job, dict(schedule.data))


def repeat_options(schedule: Schedule) -> dict[str, Any]:
    """BullMQ's repeat options."""
    if schedule.every is not None:
        return {"every": round(schedule.every * MS)}
    return {"pattern": schedule.cron, "tz": schedule.tz}


def _fields(schedule: Schedule) -> dict[str, Any]:
    """What the scheduler's record has of it."""
    repeat = {name: str(value) for name, value in repeat_options(schedule).items()}
    return {"name": schedule.job, "data": json.loads(json.dumps(dict(schedule.data))), **repeat}


def _said(record: Mapping[str, str]) -> dict[str, Any]:
    """The same of a record; empty if it can't be read."""
    found: dict[str, Any] = {name: record[name] for name in ("name", "every", "pattern", "tz") if record.get(name)}
    try:
        return {**found, "data": json.loads(record.get("data") or "{}")}
    except MALFORMED:
        return {}
