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
from queue_lib.broker.trouble import outages_translated
from queue_lib.schedule import PREFIX, owner_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from queue_lib.schedule import Schedule

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def pattern_fault(cron: str, tz: str) -> str | None:
    """What is wrong with a pattern, or with its time zone."""
    try:
        next_time(cron, tz, time.time(), "")
    except PatternError as error:
        return str(error)
    return None


async def keep_schedules(queue: Any, wanted: Mapping[str, Schedule], owners: Collection[str]) -> None:
    """Add and change schedulers of the package's Queue as `wanted` says, by id, and remove those that are gone.

    Only those of these `owners` are removed: a worker that was started without the team's modules must not stop the
    team's schedules. One that is as it should be goes on undisturbed, so that several workers may start at once. Raises
    BrokerUnavailableError.
    """
    scheduler = Scheduler(queue)
    with outages_translated():
        client, repeat = queue.backend.conn, queue.backend.toKey("repeat")
        ours = [found async for found, _ in client.zscan_iter(repeat, f"{PREFIX}*") if owner_of(found) in owners]
        for gone in set(ours) - wanted.keys():
            await scheduler.removeJobScheduler(gone)
            _log.info("schedule_removed", queue=queue.name, schedule=gone[:200])
        for scheduler_id, schedule in wanted.items():
            record = await client.hgetall(queue.backend.toKey(f"repeat:{scheduler_id}"))
            if _said(record) != _fields(schedule):
                await scheduler.upsertJobScheduler(scheduler_id, _repeat(schedule), schedule.job, dict(schedule.data))


def _repeat(schedule: Schedule) -> dict[str, Any]:
    if schedule.every is not None:
        return {"every": round(schedule.every * MS)}
    return {"pattern": schedule.cron, "tz": schedule.tz}


def _fields(schedule: Schedule) -> dict[str, Any]:
    """What the scheduler's record has of it."""
    repeat = {name: str(value) for name, value in _repeat(schedule).items()}
    return {"name": schedule.job, "data": json.loads(json.dumps(dict(schedule.data))), **repeat}


def _said(record: dict[str, str]) -> dict[str, Any]:
    """The same of a record; empty if it can't be read."""
    found: dict[str, Any] = {name: record[name] for name in ("name", "every", "pattern", "tz") if record.get(name)}
    try:
        return {**found, "data": json.loads(record.get("data") or "{}")}
    except MALFORMED:
        return {}
