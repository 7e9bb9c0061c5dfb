"""RQ's jobs in lists: page by page, or behind a place; whole or brief."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from queue_lib.admin.ports import LISTED, READ_AT_ONCE, JobView, Placed
from queue_lib.admin.rq.briefs import Briefs
from queue_lib.admin.rq.listing import job_of, read_behind, read_ids
from queue_lib.admin.rq.view import view
from queue_lib.broker.rq.job import GuardedJob
from queue_lib.broker.rq.lanes import lanes, scheduled_key
from queue_lib.broker.trouble import synchronous_answers
from queue_lib.job import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

    from queue_lib.admin.ports import Mark
    from queue_lib.broker.rq.parse import Raw


class Lists:
    """Reads them, as the Inspector port says; its calls block."""

    def __init__(self, connection: Redis) -> None:
        """`connection` is synchronous and does not decode."""
        self._connection = connection
        self._briefs = Briefs(connection)

    def page(self, queue: str, state: State, start: int, count: int, *, brief: bool) -> list[JobView]:
        """Jobs of a state, lane by lane."""
        ids = read_ids(self._connection, lanes(queue), state, start, count)
        if brief:
            return list(self._briefs.read(queue, state, ids, {}).values())
        return self.listed(queue, state, ids)

    def listed(self, queue: str, state: State, ids: Sequence[str]) -> list[JobView]:
        """These jobs, in steps."""
        views: list[JobView] = []
        for first in range(0, len(ids), READ_AT_ONCE):
            some = ids[first : first + READ_AT_ONCE]
            found = zip(some, hashes(self._connection, some), strict=True)
            views += [view(self._connection, queue, job_id, raw, state, LISTED) for job_id, raw in found if raw]
        return self._with_due(views) if state is State.DELAYED else views

    def behind(
        self, queue: str, state: State, number: int, mark: Mark | None, count: int, *, brief: bool
    ) -> list[Placed]:
        """Jobs of one lane."""
        marks = read_behind(self._connection, lanes(queue), state, number, mark, count)
        ids = [job_of(each.id) if state is State.ACTIVE else each.id for each in marks]
        if brief:
            scores = {each.id: each.score for each in marks} if state is State.DELAYED else {}
            by_id = self._briefs.read(queue, state, ids, scores)
        else:
            by_id = {each.id: each for each in self.listed(queue, state, ids)}
        return [Placed(each, by_id.get(job_id)) for each, job_id in zip(marks, ids, strict=True)]

    def _with_due(self, views: list[JobView]) -> list[JobView]:
        with self._connection.pipeline(transaction=False) as pipe:
            for each in views:
                pipe.zscore(scheduled_key(str(each.priority)), each.id)
            return [replace(each, due_at=due) for each, due in zip(views, pipe.execute(), strict=True)]


def hashes(connection: Redis, ids: Sequence[str]) -> list[Raw]:
    """The jobs' hashes; an empty one for a key that is none."""
    with connection.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hgetall(GuardedJob.key_for(job_id))
        return [raw if isinstance(raw, dict) else {} for raw in synchronous_answers(pipe)]
