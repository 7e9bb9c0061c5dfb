"""Frozen facts that the runner reports. Observers turn them into log lines and metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queue_lib.job import Job, Wire
    from queue_lib.outcome import Ending, Failure

# What a run has counted: {metric: {key: {kind: number}}}; for pushes {"push_deliveries": {push service: {result: n}}}.
Counts = Mapping[str, Mapping[str, Mapping[str, int]]]


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A claimed job is about to run."""

    job: Job


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A run has ended, and its ending is recorded. `seconds` is the run's duration, without the recording."""

    job: Job
    ending: Ending
    seconds: float
    counts: Counts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BrokerLost:
    """The broker's server can't be reached, or refuses; `reason` has no secret in it. Reported once an outage."""

    wire: Wire
    queue: str
    reason: str


@dataclass(frozen=True, slots=True)
class BrokerBack:
    """The broker's server works again, after `seconds`."""

    wire: Wire
    queue: str
    seconds: float


@dataclass(frozen=True, slots=True)
class QueueHeld:
    """A process that lacks what the queue's jobs need claims none, for `reason`; None: it does again."""

    wire: Wire
    queue: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class JobsRecovered:
    """Jobs whose worker had gone silent are back in their queue."""

    wire: Wire
    queue: str
    job_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RateLimited:
    """A claim has to wait `seconds` until the queue's window is over."""

    wire: Wire
    queue: str
    seconds: float


@dataclass(frozen=True, slots=True)
class FollowUpAdded:
    """A run has added a job called `name` to `queue`."""

    queue: str
    name: str


@dataclass(frozen=True, slots=True)
class InternalFault:
    """Something of our own broke, and no job is to blame; `word` is the event word of its line in the log.

    It is one of `WORKER_FAULTS` or `API_FAULTS`, for a metric must have its series before the first fault.
    """

    word: str
    failure: Failure


LOST_DATA = "redis_lost_data"
WORKER_FAULTS = ("loop_ended", "job_fault", LOST_DATA)
API_FAULTS = ("api_fault",)

Unlogged = RateLimited | FollowUpAdded | InternalFault  # the log has no line for them, or has one already
Logged = JobStarted | JobEnded | BrokerLost | BrokerBack | QueueHeld | JobsRecovered
Event = Logged | Unlogged
Observer = Callable[[Event], None]


def to_all(*observers: Observer) -> Observer:
    """One observer that passes each event to several."""

    def pass_on(event: Event) -> None:
        for observe in observers:
            observe(event)

    return pass_on
