"""A schedule as an operator sees it, made of a scheduler's record. What can't be read of it is left out."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

from queue_lib.admin.ports import LISTED
from queue_lib.admin.schedules import ScheduleRun, ScheduleView
from queue_lib.broker.bullmq.parse import MALFORMED, MS
from queue_lib.broker.bullmq.schedulers import LAST_DATE, next_due, repeat_of
from queue_lib.broker.refused import NAME
from queue_lib.job import State
from queue_lib.plain_json import readable
from queue_lib.schedule import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMES = 5  # that are told


def view(
    queue: str,
    schedule_id: str,
    record: Mapping[str, str],
    last: tuple[str, bool],
    *,
    due: float | None = None,
    reason: str | None = None,
) -> ScheduleView:
    """The schedule with this record. `due` is None if it is paused, and `reason` says why it has stopped."""
    repeat = _repeat(record)
    every = repeat.get("every")
    return ScheduleView(
        id=schedule_id,
        queue=queue,
        job=record.get("name") or NAME,
        data=readable(_json(record.get("data")), LISTED),
        cron=repeat.get("pattern"),
        tz=repeat.get("tz"),
        every=None if every is None else every / MS,
        times=() if reason or due is None else tuple(_times(schedule_id, due, repeat, record.get("ic"))),
        paused=due is None,
        reason=reason,
        last=_run(*last),
        owner=owner_of(schedule_id),
    )


def _repeat(record: Mapping[str, str]) -> dict[str, Any]:
    try:
        found = repeat_of(record)
    except MALFORMED:
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str) or abs(value) <= LAST_DATE}


def _times(schedule_id: str, due: float, repeat: Mapping[str, Any], count: str | None) -> Iterator[float]:
    """The next times, in seconds since the epoch, as far as they are known."""
    left, done = repeat.get("limit"), int(count) if count and count.isdigit() else 1
    most = TIMES if left is None else max(1, min(TIMES, 1 + left - done))
    at: float | None = due * MS
    for _ in range(most):
        if at is None or not math.isfinite(at) or at > LAST_DATE:
            return
        yield at / MS
        at = _following(schedule_id, at, repeat)


def _following(schedule_id: str, at: float, repeat: Mapping[str, Any]) -> float | None:
    if "pattern" in repeat:
        try:
            # After a stop the job is late, and those that were missed are not made up for.
            return next_due(round(max(at, time.time() * MS)), {"hashSeed": schedule_id, **repeat})
        except MALFORMED:  # a PatternError, or a time beyond all dates
            return None
    every, end = repeat.get("every"), repeat.get("endDate")
    if not every:
        return None
    following = at + every
    if following < time.time() * MS:
        following += every * math.ceil((time.time() * MS - following) / every)
    return None if end is not None and following > end else following


def _run(text: str, is_kept: bool) -> ScheduleRun | None:  # noqa: FBT001 -- a pair of two answers
    """The last job, as finish.lua has noted it."""
    state, _, rest = text.partition(" ")
    at, _, job_id = rest.partition(" ")
    if state not in {State.COMPLETED, State.FAILED} or not at.isdigit() or len(at) > len(str(LAST_DATE)):
        return None
    return ScheduleRun(state=State(state), at=int(at) / MS, job_id=job_id, is_kept=is_kept)


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "{}")
    except MALFORMED:
        return text
