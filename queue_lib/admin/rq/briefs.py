"""RQ's jobs as a search or a filter looks at them, many at once: id, name, payload, reason, and one time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from queue_lib.admin.ports import LARGEST, LISTED, JobView
from queue_lib.broker import fields
from queue_lib.broker.refused import NAME, data_of
from queue_lib.broker.rq.job import GuardedJob, decompressed
from queue_lib.broker.rq.parse import MALFORMED, written
from queue_lib.job import State, Wire
from queue_lib.plain_json import note, readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis import Redis

FIELDS = ("data", "failed_reason")
TIMES = {State.ACTIVE: "started_at", State.COMPLETED: "ended_at", State.FAILED: "ended_at"}


class Briefs:
    """Reads them."""

    def __init__(self, connection: Redis) -> None:
        """`connection` is synchronous and does not decode."""
        self._script = connection.register_script(fields.SCRIPT)

    def read(self, queue: str, state: State, ids: Sequence[str], scores: Mapping[str, float]) -> dict[str, JobView]:
        """Those of the jobs that are there, by id. `scores` are those of a sorted set of delayed jobs, if known."""
        names = [*FIELDS, TIMES.get(state, "enqueued_at")]
        views: dict[str, JobView] = {}
        left = list(ids)
        while left:
            keys = [GuardedJob.key_for(each) for each in left[: fields.AT_ONCE]]
            found = cast("list[Any]", self._script(keys=keys, args=fields.arguments(names, LARGEST)))
            for job_id, values in zip(left, found, strict=False):
                if values:
                    views[job_id] = _brief(queue, job_id, values, state, scores.get(job_id))
            left = left[len(found) :]
        return views


def _brief(queue: str, job_id: str, values: Sequence[Any], state: State, due: float | None) -> JobView:
    call, reason, time = values
    name, data = _call(call)
    at = _moment(time)
    return JobView(
        id=job_id,
        name=name,
        queue=queue,
        wire=Wire.RQ,
        state=state,
        data=data,
        attempts_made=0,
        reason=(reason or b"").decode(errors="replace") or None,
        enqueued_at=at or 0.0,
        finished_at=at if state in {State.COMPLETED, State.FAILED} else None,
        started_at=at if state is State.ACTIVE else None,
        due_at=due,
    )


def _call(data: bytes | int | None) -> tuple[str, Any]:
    """The name and the payload; a note in place of one of so many bytes."""
    if isinstance(data, int):
        return NAME, note(f"too large for a list: {data} bytes")
    try:
        name, _, arguments, _ = json.loads(decompressed(data or b""))
        return str(readable(name)), readable(arguments[0] if arguments else None, LISTED)
    except MALFORMED:
        return NAME, data_of(written({b"data": data or b""}))


def _moment(text: bytes | None) -> float | None:
    """What RQ has written as an ISO date in UTC, in seconds since the epoch."""
    try:
        return datetime.fromisoformat((text or b"").decode()).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
