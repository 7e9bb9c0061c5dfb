"""BullMQ's jobs as a search or a filter looks at them, many at once: id, name, payload, reason, and one time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from queue_lib.admin.bullmq.view import count_of
from queue_lib.admin.ports import LARGEST, LISTED, JobView
from queue_lib.broker import fields
from queue_lib.broker.bullmq.parse import MALFORMED, MS
from queue_lib.broker.refused import NAME, data_of
from queue_lib.job import State, Wire
from queue_lib.plain_json import note, readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import redis.asyncio
    from bullmq import Queue as BullQueue

FIELDS = ("data", "name", "failedReason")
TIMES = {State.ACTIVE: "processedOn", State.COMPLETED: "finishedOn", State.FAILED: "finishedOn"}
DUE = 0x1000  # BullMQ scores delayed jobs with milliseconds, and a counter in the last twelve bits


class Briefs:
    """Reads them."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        """`client` decodes replies."""
        self._script = client.register_script(fields.SCRIPT)

    async def read(
        self, source: BullQueue, state: State, ids: Sequence[str], scores: Mapping[str, float]
    ) -> dict[str, JobView]:
        """Those of the jobs that are there, by id. `scores` are those of a sorted set of delayed jobs, if known."""
        names = [*FIELDS, TIMES.get(state, "timestamp")]
        views: dict[str, JobView] = {}
        async for found in fields.batches(self._script, ids, source.toKey, names, LARGEST):
            for job_id, values in found:
                if values:
                    views[job_id] = _brief(source.name, job_id, values, state, scores.get(job_id))
        return views


def _brief(queue: str, job_id: str, values: Sequence[Any], state: State, score: float | None) -> JobView:
    data, name, reason, time = values
    at = count_of(time) / MS
    return JobView(
        id=job_id,
        name=name or NAME,
        queue=queue,
        wire=Wire.BULLMQ,
        state=state,
        data=_data(data),
        attempts_made=0,
        reason=reason,
        enqueued_at=at,
        finished_at=at or None if state in {State.COMPLETED, State.FAILED} else None,
        started_at=at or None if state is State.ACTIVE else None,
        due_at=score / DUE / MS if score else None,
    )


def _data(text: str | int | None) -> Any:
    """The payload; a note in place of one of so many bytes."""
    if isinstance(text, int):
        return note(f"too large for a list: {text} bytes")
    try:
        return readable(json.loads("{}" if text is None else text), LISTED)
    except MALFORMED:
        return data_of(text or "")
