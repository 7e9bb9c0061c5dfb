"""The app's job schedulers: when they are due next, and which of them have stopped.

A scheduler has one job at a time, and the worker that claims it adds the next one. If that fails, as for a pattern that
can't be read, the job runs and none follows: the scheduler has stopped. A chore tries again, and operators see it.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bullmq import JobScheduler
from bullmq.job import optsFromJSON
from bullmq.job_scheduler import _to_millis

from queue_lib.broker.bullmq.cron import next_time
from queue_lib.broker.bullmq.parse import MALFORMED, MS
from queue_lib.broker.bullmq.pattern import PatternError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

SCRIPT = (Path(__file__).parent / "stopped.lua").read_text()
GRACE = 30.0  # seconds after its job was due in which a scheduler may still be continued
PAGE = 1000  # schedulers in one call of the script
LAST_DATE = 8_640_000_000_000_000  # milliseconds: the last date of JavaScript
NEVER = f"its next job is due after the last date there is, {LAST_DATE} ms: it will never run; add it anew"
NUMBERS = ("every", "limit", "offset", "startDate", "endDate")
MIGRATE = "it is a repeatable job of an older bullmq, whose data is lost; add it again, with queue.upsertJobScheduler"
NO_RECORD = "its key in Redis (<queue>:repeat:<id>) holds no hash: delete that key, and add it anew"
LEFT = "its last job is gone or has run, and no worker has added the next one"


@dataclass(frozen=True, slots=True)
class StoppedScheduler:
    """A job scheduler of BullMQ that has come to a stop before its end.

    `schedule` is its pattern or interval as the app wrote it, `reason` why no job follows. The last one was due at
    `due_at`, in seconds since the epoch.
    """

    id: str
    schedule: str
    reason: str
    due_at: float


class EndedError(Exception):
    """The next job of a scheduler is due after its end date, so none follows."""


class Scheduler(JobScheduler):  # type: ignore[misc]  # the package has no types
    """The package's JobScheduler, with patterns and time zones as Node has them."""

    def __init__(self, queue: Any) -> None:
        """`queue` is the package's Queue or Worker."""
        super().__init__(queue, repeat_strategy=next_due)

    async def upsertJobScheduler(self, job_scheduler_id: str, repeat_opts: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """Draw what `H` stands for by the scheduler's id: Node draws anew each time, and may run it twice in a day."""
        if "H" in str(repeat_opts.get("pattern") or ""):
            repeat_opts = {"hashSeed": job_scheduler_id, **repeat_opts}
        return await super().upsertJobScheduler(job_scheduler_id, repeat_opts, *args, **kwargs)


def next_due(after: int, repeat: Mapping[str, Any]) -> int | None:
    """The package's repeat strategy: milliseconds in and out; None where the scheduler's endDate comes first.

    Raises PatternError.
    """
    if repeat.get("immediately"):
        return round(time.time() * MS)
    start = max(after, _to_millis(repeat.get("startDate")) or after)
    zone, seed = repeat.get("tz"), str(repeat.get("hashSeed") or "")
    due = round(next_time(str(repeat["pattern"]), None if zone is None else str(zone), start / MS, seed) * MS)
    end = _to_millis(repeat.get("endDate"))
    return None if end is not None and due > end else due


async def find_stopped(queue: Any) -> list[tuple[StoppedScheduler, dict[str, Any] | None]]:
    """The schedulers of the package's Queue or Worker that have stopped before their end.

    With each comes what `upsertJobScheduler` takes to go on with it; None where that is no use. Raises redis-py's
    errors.
    """
    stopped = []
    async for scheduler_id, due, record in _without_job(queue, "-inf", f"{_now() - GRACE * MS:.0f}"):
        with contextlib.suppress(EndedError):
            reason, again = _verdict(scheduler_id, due, record)
            stopped.append((_told(scheduler_id, due, record, reason), again))
    async for scheduler_id, due, record in _without_job(queue, f"({LAST_DATE}", "+inf"):
        stopped.append((_told(scheduler_id, due, record, NEVER), None))
    return stopped


def _verdict(scheduler_id: str, due: str, record: Mapping[str, str] | None) -> tuple[str, dict[str, Any] | None]:
    """Why it has stopped, and what adds the next job, if anything does. Raises EndedError."""
    if record is None:
        return NO_RECORD, None
    try:
        return LEFT, _again(scheduler_id, due, record)
    except PatternError as error:
        return str(error), None
    except MALFORMED as error:
        return f"its record can't be read: {type(error).__name__}", None


def _now() -> float:
    """Milliseconds since the epoch."""
    return time.time() * MS


async def _without_job(queue: Any, since: str, until: str) -> AsyncIterator[tuple[str, str, dict[str, str] | None]]:
    """Id, due time and record of the schedulers due in this time that no job follows and that have not ended.

    The record is None where its key holds something else.
    """
    repeat, prefix = queue.backend.toKey("repeat"), queue.backend.toKey("")
    script, seen, looked = queue.backend.conn.register_script(SCRIPT), 0, PAGE
    while looked == PAGE:
        arguments = [prefix, since, until, seen, PAGE, round(_now())]
        looked, found = await script(keys=[repeat], args=arguments)
        seen += looked
        for scheduler_id, due, *records in found:
            record = dict(zip(records[0][::2], records[0][1::2], strict=True)) if records else None
            yield scheduler_id, due, record


def _told(scheduler_id: str, due: str, record: Mapping[str, str] | None, reason: str) -> StoppedScheduler:
    said = record or {}
    schedule = said.get("pattern") or (f"every {said['every']} ms" if "every" in said else "at unknown times")
    return StoppedScheduler(scheduler_id, schedule, reason, float(due) / MS)


def repeat_of(record: Mapping[str, str]) -> dict[str, Any]:
    """BullMQ's repeat options, as a scheduler's record has them. Raises MALFORMED."""
    repeat: dict[str, Any] = {name: int(record[name]) for name in NUMBERS if record.get(name)}
    return repeat | {name: record[name] for name in ("pattern", "tz") if record.get(name)}


def template_of(record: Mapping[str, str]) -> dict[str, Any]:
    """What `upsertJobScheduler` takes of a scheduler with this record. Raises PatternError, MALFORMED."""
    if "ic" not in record:  # BullMQ 5 writes it, and the data beside it, with the second job
        raise PatternError(MIGRATE)
    return {
        "repeat_opts": repeat_of(record) | {"count": int(record["ic"])},
        "job_name": record["name"],
        "job_data": json.loads(record.get("data") or "{}"),
        "opts": optsFromJSON(json.loads(record.get("opts") or "{}")),
    }


def _again(scheduler_id: str, due: str, record: Mapping[str, str]) -> dict[str, Any]:
    """What adds the next job, as the claim of the last one would have. Raises EndedError, PatternError, MALFORMED."""
    made = template_of(record)
    repeat = made["repeat_opts"]
    if "pattern" in repeat and next_due(round(_now()), {"hashSeed": scheduler_id, **repeat}) is None:
        raise EndedError
    return {
        **made,
        "job_scheduler_id": scheduler_id,
        "opts": {**made["opts"], "prevMillis": round(float(due))},
        "override": False,
        "producer_id": f"repeat:{scheduler_id}:{due}",
    }
