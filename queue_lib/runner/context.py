"""The Context of one run: what its processor may know and do, through the lease and the observer."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from queue_lib.errors import BrokerUnavailableError, PermanentError
from queue_lib.observe.events import FollowUpAdded
from queue_lib.plain_json import to_json
from queue_lib.queues import DEAD_QUEUE
from queue_lib.runner.outage import through_outage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from queue_lib.addition import Addition
    from queue_lib.broker.base import Lease
    from queue_lib.observe.events import Observer
    from queue_lib.processor import Board, Children

PROGRESS_EVERY = 1.0  # seconds
PAUSES = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds of outage that a run waits in its middle


class RunContext:
    """Serves one run of a lease's job, which begins now."""

    def __init__(self, lease: Lease, observe: Observer, board: Board) -> None:
        self.job = lease.job
        self.board = board
        self.counts: dict[str, dict[str, dict[str, int]]] = {}
        self._lease = lease
        self._observe = observe
        self._started = time.monotonic()
        self._next_progress = 0.0
        self._added: Counter[str] = Counter()

    def spent(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.job.timeout - self.spent()

    async def progress(self, value: float | dict[str, Any]) -> None:
        """Publish progress, at most once a second; 100 is always published."""
        now = time.monotonic()
        if now >= self._next_progress or value == 100:  # noqa: PLR2004 -- percent
            self._next_progress = now + PROGRESS_EVERY
            with contextlib.suppress(BrokerUnavailableError):  # a report that can't be delivered must not cost the job
                await self._lease.progress(to_json(value))

    async def log(self, line: str) -> None:
        """Append to the job's log."""
        with contextlib.suppress(BrokerUnavailableError):
            await self._lease.log(line)

    async def notes(self) -> dict[str, str]:
        """Read the job's notes."""
        return await through_outage(self._lease.notes, PAUSES)

    async def note(self, entries: Mapping[str, str], forget: Collection[str] = ()) -> None:
        """Write the job's notes."""
        await through_outage(partial(self._lease.note, entries, forget), PAUSES)

    async def children(self) -> Children:
        """Read how the jobs have ended that this one has waited for."""
        return await through_outage(self._lease.children, PAUSES)

    async def is_cancelled(self, key: str | None, since: float | None = None) -> bool:
        """Ask the board, if there is a key."""
        if key is None:
            return False
        moments = await through_outage(partial(self.board.cancelled, [key]), PAUSES)
        return key in moments and moments[key] >= (self.job.created_at if since is None else since)

    async def enqueue(self, addition: Addition, queue: str | None = None) -> str:
        """Add a job to this job's queue or to another one."""
        addition.check()
        queue = queue or self.job.queue
        if ":" in queue or not queue.isprintable() or queue == DEAD_QUEUE:
            msg = f"no queue to add jobs to: {queue[:100]!r}"
            raise PermanentError(msg)
        if addition.job_id is None:
            addition = replace(addition, job_id=self._id_of(addition, queue))
        job_id = await through_outage(partial(self._lease.enqueue, queue, addition), PAUSES)
        self._observe(FollowUpAdded(queue, addition.name))
        return job_id

    def _id_of(self, addition: Addition, queue: str) -> str:
        """The same in every run of this job for the n-th job with this name and data, and for no other."""
        job = self.job
        facts = [job.wire, job.queue, job.id, job.created_at, queue, addition.name, addition.data]
        text = json.dumps(facts, sort_keys=True)
        self._added[text] += 1
        return f"by-{hashlib.sha256(f'{self._added[text]} {text}'.encode()).hexdigest()[:32]}"

    def count(self, metric: str, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Add to this run's counts, which are reported when it ends."""
        mine = self.counts.setdefault(metric, {})
        for key, kinds in counts.items():
            total = mine.setdefault(key, {})
            for kind, count in kinds.items():
                total[kind] = total.get(kind, 0) + count
