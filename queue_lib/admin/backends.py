"""What the operators look into: the wires, the dead letters and the workers' statistics."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from queue_lib.admin.admission import Admission
from queue_lib.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from queue_lib.admin.ports import Inspector, JobView
    from queue_lib.admin.schedules import ScheduleStore
    from queue_lib.broker.dead_letters import DeadLetterStore, DeadLetterView
    from queue_lib.broker.heartbeats import Heartbeats
    from queue_lib.job import Wire
    from queue_lib.processor import Board
    from queue_lib.queues import Profile


class NoSuchQueueError(PermanentError):
    """A queue that this installation does not have; the message lists those that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """One inspector for each wire, the dead letters, the workers' statistics, the board, and the jobs to be added.

    `schedules` are None where BullMQ's wire is not served. `queues` are their names, `profiles` what their jobs cost,
    where that is not medium. `clock` gives seconds since the epoch.
    """

    inspectors: Sequence[Inspector]
    dead_letters: DeadLetterStore
    heartbeats: Heartbeats
    board: Board
    queues: Sequence[str]
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    admission: Admission = field(default_factory=lambda: Admission(()))
    schedules: ScheduleStore | None = None
    clock: Callable[[], float] = time.time

    def on(self, wire: Wire) -> Inspector:
        """The wire's inspector. Raises PermanentError if this process does not serve the wire."""
        for inspector in self.inspectors:
            if inspector.wire is wire:
                return inspector
        msg = f"this process does not serve the wire {wire.value} (WIRES)"
        raise PermanentError(msg)

    def chosen(self, queue: str | None) -> tuple[str, ...]:
        """The queue of this name; all queues for None. Raises NoSuchQueueError."""
        if queue is None:
            return tuple(self.queues)
        if queue not in self.queues:
            msg = f"no such queue: {queue[:100]!r}; there are {', '.join(self.queues)}"
            raise NoSuchQueueError(msg)
        return (queue,)


def log_fields(job: JobView | DeadLetterView) -> dict[str, str]:
    """What names a job in the log."""
    return {"queue": job.queue, "wire": job.wire.value, "id": job.id[:200], "name": job.name[:200]}
