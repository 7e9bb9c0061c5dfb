"""The contract between the runner and a processor, and the registry that binds job names to processors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from queue_lib.errors import ConfigurationError, PermanentError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pydantic_core import ErrorDetails

    from queue_lib.addition import Addition
    from queue_lib.job import Backoff, Job
    from queue_lib.outcome import Failure


class Model(BaseModel):
    """Base of all payloads and results: camelCase on the wire, snake_case in Python.

    Unknown fields are ignored, so that an app may send more than this version reads.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, frozen=True)


PayloadT_contra = TypeVar("PayloadT_contra", bound=BaseModel, contravariant=True)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a process told the others: a `text` that is kept for `left` more seconds."""

    text: str
    left: float


@dataclass(frozen=True, slots=True)
class Children:
    """How the jobs ended for which a job has waited: the children of a BullMQ flow, or an RQ job's dependencies.

    `results` are JSON. `failures` are the reasons of children whose failure did not prevent this job. The keys are
    `<prefix>:<queue>:<id>` on BullMQ, as in Node's `job.getChildrenValues()`, and the job's id on RQ. A child in
    neither failed without a trace or was deleted.
    """

    results: Mapping[str, Any]
    failures: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What has become of a gathered event.

    `events` are those that this member takes, the oldest first, and `left_out` counts older ones that were not kept.
    Without events `wait` are the seconds until this member is to ask again; without that another member takes it.
    """

    events: Sequence[str] = ()
    left_out: int = 0
    wait: float | None = None


class Board(Protocol):
    """What the processes that share a Redis tell each other: facts by topic and name, each kept for some seconds.

    And what they say to any client that listens.

    Every call may raise BrokerUnavailableError. Names and texts are short, because a reader reads a whole topic.
    """

    async def read(self, topic: str) -> dict[str, Fact]:
        """All facts of a topic, by name."""

    async def write(self, topic: str, name: str, text: str, seconds: float) -> None:
        """Store a fact for so many seconds. It replaces a fact of the same name."""

    async def erase(self, topic: str, name: str) -> None:
        """Delete a fact."""

    async def publish(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """Send texts on channels of Redis: (channel, text). How many clients hear each; nothing is kept for others."""

    async def claim(self, topic: str, name: str, seconds: float) -> bool:
        """Claim the right to do what `name` says. False if another process has claimed it within its `seconds`."""

    async def cancel(self, key: str, seconds: float) -> None:
        """Take back all jobs with this cancel key that were added until now, for so many seconds.

        The clock of this process decides, as it does when this process adds a job: a job that it adds after this call
        is not taken back.
        """

    async def cancelled(self, keys: Collection[str]) -> dict[str, float]:
        """When these cancel keys were cancelled last, in seconds since the epoch; others are left out."""

    async def gather(self, gathering: str, member: str, event: str, seconds: float) -> Gathered:
        """Add an event to a gathering, which its first event opens for so many seconds.

        Then the first member that asks takes all events, and the next event opens another gathering. A member that asks
        again adds nothing: one that has taken events gets them again, until it calls `forget`, a week at most.
        """

    async def forget(self, gathering: str, member: str) -> None:
        """The events that this member has taken are dealt with."""


class Context(Protocol):
    """What a processor may know and do while it runs."""

    @property
    def job(self) -> Job:
        """The job being run."""

    @property
    def board(self) -> Board:
        """The board of the processes that share a Redis."""

    def remaining(self) -> float:
        """Seconds until the deadline, at which the run is cancelled."""

    async def progress(self, value: float | dict[str, Any]) -> None:
        """Report a percentage (0 to 100) or an object to the producer. At most one report a second is written."""

    async def log(self, line: str) -> None:
        """Add a line to the job's own log, which producers and dashboards can show."""

    async def notes(self) -> dict[str, str]:
        """The notes of this job's earlier runs; empty in the first run. Raises BrokerUnavailableError."""

    async def note(self, entries: Mapping[str, str], forget: Collection[str] = ()) -> None:
        """Write notes for later runs of this job, and delete others, in one step. Notes are kept for 24 hours.

        Raises BrokerUnavailableError if the broker's server stays away.
        """

    async def children(self) -> Children:
        """How the jobs ended for which this one has waited. Raises BrokerUnavailableError as `note` does."""

    async def is_cancelled(self, key: str | None, since: float | None = None) -> bool:
        """Whether `key` was cancelled after this job was added, or after `since` (seconds since the epoch).

        False without a key, and then nothing is asked. Raises BrokerUnavailableError as `note` does.
        """

    async def enqueue(self, addition: Addition, queue: str | None = None) -> str:
        """Add a job to this job's queue, or to another `queue`, on this job's wire. Returns its id.

        A second job with the same id is not added. Without a `job_id` the id is made from this job and the new job's
        name and data, so a later run of this job that does the same adds nothing. Operators can follow the jobs if
        `data` has `addedBy` (the job that adds it) and `followUpOf` (the first job), and if this job's result has
        `followUps`.

        Raises BrokerUnavailableError as `note` does, and PermanentError for an option that the wire can't do.
        """

    def count(self, metric: str, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Add to the counters of this run, which its log line and the metrics have: `metric`, {key: {kind: number}}."""


class Processor(Protocol[PayloadT_contra]):
    """Does the work of one kind of job.

    It must be idempotent, because a job may run more than once. It returns a Model or JSON. It raises TransientError
    to be retried, PermanentError to fail for good, or SnoozeError to run later. Other exceptions count as transient.
    """

    async def __call__(self, payload: PayloadT_contra, context: Context, /) -> Model | dict[str, Any] | None:
        """Run one job."""


@dataclass(frozen=True, slots=True)
class JobSchema:
    """What jobs of this `name` look like: their `queue`, and the models of their payload and result.

    `attempts` and `backoff` override the queue's; the producer's override both. Only running jobs and features'
    schedules add an `internal` job.
    """

    name: str
    queue: str
    payload: type[BaseModel]
    result: type[BaseModel] | None = None
    attempts: int | None = None
    backoff: Backoff | None = None
    internal: bool = False

    def parse(self, data: object) -> BaseModel:
        """The payload that the data is. Raises PermanentError, which names each field at fault, if it is none."""
        try:
            return self.payload.model_validate(data)
        except ValidationError as error:
            msg = f"bad payload for {self.name}: {faults(error)}"
            raise PermanentError(msg) from None


class OnDead(Protocol):
    """Called when a job fails for good, for any reason: also if it killed its worker, or its data is no valid payload.

    It must be idempotent. It raises SnoozeError if it can't run now; then the job runs again later. Any other error is
    reported as a fault, and the job still ends.
    """

    async def __call__(self, job: Job, failure: Failure, /) -> None:
        """Handle the failure, before the job is buried."""


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the registry: `processor` runs the jobs of this schema.

    `on_dead` is called for jobs that fail for good.
    """

    schema: JobSchema
    processor: Processor[Any]
    on_dead: OnDead | None = None


def faults(error: ValidationError) -> str:
    """List the invalid fields by their names on the wire, without values: these are the users' data."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'payload'}: {_fault(fault)}"
        for fault in error.errors(include_input=False, include_url=False)[:10]
    )


def _fault(fault: ErrorDetails) -> str:
    """The message of pydantic, except for the one that repeats the value."""
    if fault["type"] == "union_tag_invalid":
        return f"{fault['ctx']['discriminator']} must be one of {fault['ctx']['expected_tags']}"
    return fault["msg"]


class Registry:
    """Job name -> route. Explicit: nothing is ever looked up by import."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Raises ConfigurationError for a name that is there twice."""
        self._routes: dict[str, Route] = {}
        for route in routes:
            if route.schema.name in self._routes:
                msg = f"the job name {route.schema.name!r} is registered twice"
                raise ConfigurationError(msg)
            self._routes[route.schema.name] = route

    def find(self, name: str, queue: str) -> Route | None:
        """The route of a job with this name in this queue, if there is one."""
        route = self._routes.get(name)
        return route if route is not None and route.schema.queue == queue else None

    def names(self, queue: str) -> list[str]:
        """The job names of `queue`, for error messages."""
        return sorted(name for name, route in self._routes.items() if route.schema.queue == queue)
