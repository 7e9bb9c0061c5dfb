"""The contract between the runner and a processor, and the registry that binds job names to processors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from queue_lib.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pydantic import ValidationError
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
    """What a process has told the others: a `text`, forgotten in `left` seconds."""

    text: str
    left: float


@dataclass(frozen=True, slots=True)
class Children:
    """How the jobs have ended that a job has waited for: the children of a BullMQ flow, an RQ job's dependencies.

    `results` are JSON; `failures` are the reasons of those that failed without keeping this job from running. Both are
    by key: BullMQ's is `<prefix>:<queue>:<id>`, as `job.getChildrenValues()` has it in Node, and RQ's is the job's id.
    A job that is in neither has failed without a trace, or was deleted.
    """

    results: Mapping[str, Any]
    failures: Mapping[str, str]


class Board(Protocol):
    """What the processes that share a Redis tell each other: facts of a topic, each under a name and for some seconds.

    Every call may raise BrokerUnavailableError. Names and texts are short: whoever reads, reads all of a topic.
    """

    async def read(self, topic: str) -> dict[str, Fact]:
        """All facts of a topic, by name."""

    async def write(self, topic: str, name: str, text: str, seconds: float) -> None:
        """Tell a fact for so many seconds, in place of another one of this name."""

    async def erase(self, topic: str, name: str) -> None:
        """Take a fact back."""

    async def claim(self, topic: str, name: str, seconds: float) -> bool:
        """Whether it is this process that may do what is called so; no other may for so many seconds."""


class Context(Protocol):
    """What a processor may know and do while it runs."""

    @property
    def job(self) -> Job:
        """The job being run."""

    @property
    def board(self) -> Board:
        """What this process and the others tell each other."""

    def remaining(self) -> float:
        """Seconds until the deadline; the run is cancelled there."""

    async def progress(self, value: float | dict[str, Any]) -> None:
        """Report a percentage (0 to 100) or an object to the producer; at most one report a second is written."""

    async def log(self, line: str) -> None:
        """Add a line to the job's own log, which the producer and the dashboards show."""

    async def notes(self) -> dict[str, str]:
        """What runs of this job have noted; nothing on the first. Raises BrokerUnavailableError."""

    async def note(self, entries: Mapping[str, str], forget: Collection[str] = ()) -> None:
        """Write entries for later runs of this job, and forget others, in one step; kept for 24 hours.

        Raises BrokerUnavailableError if the broker's server stays away.
        """

    async def children(self) -> Children:
        """How the jobs have ended that this one has waited for. Raises BrokerUnavailableError as `note` does."""

    async def enqueue(self, addition: Addition, queue: str | None = None) -> str:
        """Add a job to this job's queue, or to another `queue`, on the wire that this job came by; returns its id.

        There is never a second job with an id. Without a `job_id` it gets one that is made of this job, of its name
        and of its data: a run of this job that does the same again adds nothing. Operators are led from job to job if
        `data` names the job that adds it, `addedBy`, and the first of a row, `followUpOf`, and if the result of the
        job that adds it names its `followUps`.

        Raises BrokerUnavailableError as `note` does, and PermanentError, which names the option, for what the wire
        can't do.
        """

    def tally(self, metric: str, counts: Mapping[str, Mapping[str, int]]) -> None:
        """Tell the log and the metrics, as the run ends, what happened how often: `metric`, {origin: {kind: n}}."""


class Processor(Protocol[PayloadT_contra]):
    """Does the work of one kind of job.

    It must be idempotent: a job runs at least once. It returns a Model or JSON; it raises TransientError,
    PermanentError or SnoozeError to say what is to follow (any other exception counts as transient).
    """

    async def __call__(self, payload: PayloadT_contra, context: Context, /) -> Model | dict[str, Any] | None:
        """Run one job."""


@dataclass(frozen=True, slots=True)
class JobSchema:
    """What a job of this `name` looks like: the `queue` it belongs in, and the model of its payload.

    `result` is the model of what it returns. `attempts` and `backoff` win over the queue's, and lose to what the
    producer chose. An `internal` job is added by running jobs alone.
    """

    name: str
    queue: str
    payload: type[BaseModel]
    result: type[BaseModel] | None = None
    attempts: int | None = None
    backoff: Backoff | None = None
    internal: bool = False


class OnDead(Protocol):
    """Is told of a job that failed for good, however that came: a worker may have died of it, its data be no payload.

    It must be idempotent. It raises SnoozeError where it can't be told now: the job runs again later. Any other error
    is a fault, and keeps no job from its end.
    """

    async def __call__(self, job: Job, failure: Failure, /) -> None:
        """Take note of it, before the job is buried."""


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the registry: jobs of this schema are run by `processor`.

    `on_dead` is told of those that failed for good.
    """

    schema: JobSchema
    processor: Processor[Any]
    on_dead: OnDead | None = None


def faults(error: ValidationError) -> str:
    """Name each field at fault as it is on the wire. Values are left out: they are the users' data."""
    return "; ".join(
        f"{'.'.join(str(part) for part in fault['loc']) or 'payload'}: {_fault(fault)}"
        for fault in error.errors(include_input=False, include_url=False)[:10]
    )


def _fault(fault: ErrorDetails) -> str:
    """What is wrong, in pydantic's words but for the one of its messages that repeats the value."""
    if fault["type"] == "union_tag_invalid":
        return f"{fault['ctx']['discriminator']} must be one of {fault['ctx']['expected_tags']}"
    return fault["msg"]


class Registry:
    """Job name -> route. Explicit: nothing is ever looked up by import."""

    def __init__(self, routes: Iterable[Route]) -> None:
        """Take the routes; a name given twice is a ConfigurationError."""
        self._routes: dict[str, Route] = {}
        for route in routes:
            if route.schema.name in self._routes:
                msg = f"the job name {route.schema.name!r} is registered twice"
                raise ConfigurationError(msg)
            self._routes[route.schema.name] = route

    def find(self, name: str, queue: str) -> Route | None:
        """The route for a job of that name in that queue, if there is one."""
        route = self._routes.get(name)
        return route if route is not None and route.schema.queue == queue else None

    def names(self, queue: str) -> list[str]:
        """The job names that `queue` takes, for error messages."""
        return sorted(name for name, route in self._routes.items() if route.schema.queue == queue)
