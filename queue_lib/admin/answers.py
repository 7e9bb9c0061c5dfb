"""What the admin answers, and the filter that says which failed jobs or letters an answer is about."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from queue_lib.errors import BrokerRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from queue_lib.admin.ports import JobView
    from queue_lib.broker.bullmq.schedulers import StoppedScheduler
    from queue_lib.broker.dead_letters import Letter
    from queue_lib.errors import Trouble
    from queue_lib.job import State, Wire

T = TypeVar("T")


class Reading:
    """What is read of a queue part by part: a part that the broker refuses keeps none of the others from being read."""

    trouble: Trouble | None = None

    async def __call__(self, part: Awaitable[T]) -> T | None:
        """The part, or None. Raises BrokerUnavailableError if it is not what the broker holds."""
        try:
            return await part
        except BrokerRefusedError as error:
            self.trouble = error.trouble
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """A queue at this moment. `counts` are by wire; `oldest` is the age of the job that is next, in seconds.

    `trouble` says why a part could not be read, because of what its keys hold: that part is missing.
    `stopped` are the app's job schedulers that have come to a stop before their end.
    """

    queue: str
    paused: bool
    counts: Mapping[Wire, Mapping[State, int]]
    oldest: float | None
    trouble: Trouble | None = None
    stopped: Sequence[StoppedScheduler] = ()

    def total(self, state: State) -> int:
        """How many jobs of both wires are in a state."""
        return sum(counts[state] for counts in self.counts.values())


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs of a state, of `total`."""

    jobs: list[JobView]
    total: int


@dataclass(frozen=True, slots=True)
class Search:
    """The jobs that were found. `resume` is where to go on looking; None where the end was reached."""

    jobs: list[JobView]
    resume: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which failed jobs or letters are meant: those to which all that is given applies.

    `text` is looked for in the reason, whatever its case. `newer` and `older` are ages in seconds.
    """

    queue: str | None = None
    wire: Wire | None = None
    name: str | None = None
    text: str | None = None
    newer: float | None = None
    older: float | None = None

    def admits(self, job: JobView | Letter, failed_at: float, now: float) -> bool:
        """Whether this one is meant; it failed at `failed_at`, and both times are in seconds since the epoch."""
        return (
            (self.queue is None or job.queue == self.queue)
            and (self.wire is None or job.wire is self.wire)
            and (self.name is None or job.name == self.name)
            and (self.text is None or self.text.casefold() in (job.reason or "").casefold())
            and (self.newer is None or now - failed_at <= self.newer)
            and (self.older is None or now - failed_at >= self.older)
        )


class Replay(enum.StrEnum):
    """What became of a letter that was to be replayed."""

    RETRIED = "retried"  # the job was in its failed set, and runs again
    ENQUEUED = "enqueued"  # the job was gone, and a new one has its payload
    NOT_FAILED = "not failed"  # the job is waiting, running or done by now: the letter stays, to be dropped
    NO_PAYLOAD = "no payload"  # the job is gone, and its payload is not in the letter: its `data` says why
