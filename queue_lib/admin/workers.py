"""Worker processes, and the faults that they reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queue_lib.observe.events import WORKER_FAULTS
from queue_lib.observe.worker_stats import FAULTS, MINUTE

if TYPE_CHECKING:
    from queue_lib.admin.backends import Backends
    from queue_lib.observe.worker_stats import WorkerView


class WorkerAdmin:
    """Looks at the workers."""

    def __init__(self, backends: Backends) -> None:
        """`backends` have the workers' statistics."""
        self._heartbeats = backends.heartbeats
        self._clock = backends.clock

    async def alive(self) -> list[WorkerView]:
        """The worker processes that were heard of within 60 seconds, by name, with the jobs that they run."""
        return await self._heartbeats.workers()

    async def faults(self, minutes: int) -> dict[str, int]:
        """How often each of a worker's own faults happened in the last minutes, by its event word in the log."""
        last = int(self._clock() // MINUTE)
        found = await self._heartbeats.minutes(FAULTS, range(last - minutes + 1, last + 1))
        return {word: sum(counts.get(word, 0) for counts in found) for word in WORKER_FAULTS}
