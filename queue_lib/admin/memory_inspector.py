"""The fake of the Inspector port: what an operator sees and does in a MemoryStore."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from queue_lib.admin.fingerprints import fingerprint
from queue_lib.admin.ports import LISTED, AttemptFailure, JobView, Mark, Placed
from queue_lib.job import State, Wire
from queue_lib.plain_json import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.addition import Addition
    from queue_lib.admin.flows import FlowNode
    from queue_lib.admin.ports import JobRef
    from queue_lib.broker.bullmq.schedulers import StoppedScheduler
    from queue_lib.broker.memory import MemoryStore, Record


class MemoryInspector:
    """The Inspector port over a MemoryStore."""

    def __init__(self, store: MemoryStore, wire: Wire = Wire.BULLMQ) -> None:
        """Look into `store`."""
        self.wire = wire
        self._store = store

    async def check(self, queue: str) -> None:
        """Always."""

    async def counts(self, queue: str) -> dict[State, int]:
        """Jobs by state."""
        states = [record.state for (name, _), record in self._store.jobs.items() if name == queue]
        return {state: states.count(state) for state in State}

    async def find(self, queue: str, job_id: str) -> JobView | None:
        """One job."""
        record = self._store.jobs.get((queue, job_id))
        return None if record is None else self._view(queue, record)

    def _view(self, queue: str, record: Record) -> JobView:
        ended = record.finished_at if record.state in {State.COMPLETED, State.FAILED} else None
        return JobView(
            id=record.id,
            name=record.name,
            queue=queue,
            wire=self.wire,
            state=record.state,
            data=readable(record.data),
            attempts_made=record.attempts_made,
            enqueued_at=record.enqueued_at,
            finished_at=ended,
            progress=readable(record.progress),
            result=readable(record.result),
            reason=record.failure.reason if record.failure else None,
            stack=record.failure.stack if record.failure else None,
            log=list(record.log),
            max_attempts=record.attempts,
            due_at=record.due if record.state is State.DELAYED else None,
            ready_at=max(record.enqueued_at, record.due) if record.state is State.WAITING else None,
            started_at=record.started_at,
            worker=record.worker,
            wait=record.waited,
            run=ended - record.started_at if ended is not None and record.started_at is not None else None,
            failures=tuple(
                AttemptFailure(attempt=each.attempt, at=each.at, reason=each.failure.reason, stack=each.failure.stack)
                for each in record.failures
            ),
        )

    async def page(self, queue: str, state: State, start: int, count: int, *, brief: bool = False) -> list[JobView]:  # noqa: ARG002 -- all are read at once
        """Jobs of a state."""
        found = [record for (name, _), record in self._store.jobs.items() if name == queue and record.state is state]
        if state in {State.COMPLETED, State.FAILED}:
            found.sort(key=lambda record: -(record.finished_at or 0.0))
        views = [self._view(queue, record) for record in found[start : start + count]]
        return [replace(view, data=readable(view.data, LISTED)) for view in views]

    async def listed(self, queue: str, state: State, job_ids: Sequence[str]) -> list[JobView]:
        """These jobs."""
        page = await self.page(queue, state, 0, len(self._store.jobs))
        return [view for view in page if view.id in job_ids]

    def lists(self, state: State) -> int:  # noqa: ARG002 -- the port's
        """One."""
        return 1

    async def behind(
        self,
        queue: str,
        state: State,
        number: int,  # noqa: ARG002 -- the port's
        mark: Mark | None,
        count: int,
        *,
        brief: bool = False,
    ) -> list[Placed]:
        """Behind the mark's job; without it the first ones."""
        views = await self.page(queue, state, 0, len(self._store.jobs), brief=brief)
        ids = [view.id for view in views]
        start = ids.index(mark.id) + 1 if mark and mark.id in ids else 0
        return [Placed(Mark(view.id), view) for view in views[start : start + count]]

    async def fingerprints(self, queue: str, job_ids: Sequence[str]) -> list[str | None]:
        """Of all that may change."""
        found = [self._store.jobs.get((queue, job_id)) for job_id in job_ids]
        return [
            fingerprint([each.state, each.started_at, each.progress, each.attempts_made] if each else [])
            for each in found
        ]

    async def retry(self, queue: str, job_id: str) -> bool:
        """Run a failed job again."""
        record = self._store.jobs.get((queue, job_id))
        if record is None or record.state is not State.FAILED:
            return False
        record.attempts_made, record.crashes, record.failure, record.finished_at = 0, 0, None, None
        record.failures.clear()
        self._store.put(queue, record)
        return True

    async def remove(self, queue: str, job_id: str) -> bool:
        """Delete a job that is not leased."""
        record = self._store.jobs.get((queue, job_id))
        if record is None or record.holder is not None:
            return False
        del self._store.jobs[queue, job_id]
        if record in self._store.lines.get(queue, ()):
            self._store.lines[queue].remove(record)
        return True

    async def clean(self, queue: str, state: State, older: float, most: int) -> int:
        """Delete old jobs."""
        before = self._store.clock() - older
        page = await self.page(queue, state, 0, len(self._store.jobs))
        old = [job for job in page if (job.finished_at or 0.0) <= before][:most]
        return sum([await self.remove(queue, job.id) for job in old])

    async def promote(self, queue: str, job_id: str) -> bool:
        """Let a delayed job run now."""
        record = self._store.jobs.get((queue, job_id))
        if record is None or record.state is not State.DELAYED:
            return False
        self._store.lines[queue].remove(record)
        self._store.put(queue, record)
        return True

    async def drain(self, queue: str, *, delayed: bool, most: int) -> int:
        """Delete what is in the line."""
        states = {State.WAITING, State.DELAYED} if delayed else {State.WAITING}
        found = [record for record in self._store.lines.get(queue, ()) if record.state in states]
        return sum([await self.remove(queue, record.id) for record in found[:most]])

    def check_addition(self, addition: Addition) -> None:
        """By the store's rules."""
        self._store.check(addition)

    async def add(self, queue: str, addition: Addition) -> str:
        """Add a job, unless there is one with its id."""
        return self._store.add(queue, addition)

    async def add_all(self, queue: str, additions: Sequence[Addition]) -> list[str]:
        """Add one after the other."""
        return [await self.add(queue, addition) for addition in additions]

    async def stopped(self, queue: str) -> list[StoppedScheduler]:  # noqa: ARG002 -- the port's
        """None: there are no schedulers."""
        return []

    async def stuck(self, queue: str) -> list[JobRef]:  # noqa: ARG002 -- the port's
        """None: there are no flows."""
        return []

    async def flow(self, queue: str, job_id: str) -> FlowNode | None:  # noqa: ARG002 -- the port's
        """None."""
        return None

    async def check_server(self) -> None:
        """Memory takes everything."""

    async def is_paused(self, queue: str) -> bool:
        """Whether paused."""
        return queue in self._store.paused

    async def pause(self, queue: str) -> None:
        """Pause."""
        self._store.paused.add(queue)

    async def resume(self, queue: str) -> None:
        """Resume."""
        self._store.paused.discard(queue)
        self._store.tell()
