"""The options of a job as clients write them in JSON: those of BullMQ's `queue.add`, with its names and units.

The REST API and the scripts read them. An unknown option is refused, and so is one that the wire can't do.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, Tag, model_validator

from queue_lib.addition import LOWEST_PRIORITY, Addition, Deduplication, Kept
from queue_lib.job import Backoff
from queue_lib.processor import Model
from queue_lib.queues import Retention

LONGEST = 4 * 7 * 86_400_000  # milliseconds: four weeks
MOST_ATTEMPTS = 1000
LONGEST_KEPT = 10 * 365 * 86_400  # seconds: ten years
MOST_KEPT = 10_000_000  # jobs
MS = 1000


def _kind(value: Any) -> str | None:
    """Which of several types an option has, so that an error is about that type alone."""
    kinds: dict[type, str] = {bool: "boolean", int: "number", str: "text", dict: "object"}
    return "object" if isinstance(value, BaseModel) else kinds.get(type(value))


def _either(types: str) -> Discriminator:
    return Discriminator(_kind, custom_error_type="type", custom_error_message=f"Input should be {types}")


Milliseconds = Annotated[int, Field(ge=0, le=LONGEST, strict=True)]
Count = Annotated[int, Field(ge=0, le=MOST_KEPT, strict=True)]


class StrictModel(Model):
    """Base of what clients send: an unknown field is refused, since it would be ignored silently."""

    model_config = ConfigDict(extra="forbid", validate_by_name=False)


class BackoffOption(StrictModel):
    """How long to wait before the next attempt: `delay` milliseconds; `exponential` doubles it each time.

    `jitter`, from 0 to 1, is the share of the delay that is drawn at random.
    """

    type: Literal["fixed", "exponential"]
    delay: Milliseconds = 0
    jitter: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0


class KeepOption(StrictModel):
    """How long a job stays once it has ended: `age` seconds, and among the last `count` jobs that ended like it.

    One of the two is needed.
    """

    age: Annotated[int, Field(ge=0, le=LONGEST_KEPT, strict=True)] | None = None
    count: Count | None = None

    @model_validator(mode="after")
    def _has_a_bound(self) -> KeepOption:
        if self.age is None and self.count is None:
            msg = "age or count is needed"
            raise ValueError(msg)
        return self


class DeduplicationOption(StrictModel):
    """Do not add the job while an earlier one with the same deduplication `id` is there.

    `id` alone: until the earlier job has ended. `ttl`: for so many milliseconds (throttle). `ttl`, `extend` and
    `replace`, with a `delay`: the new job replaces the delayed one, and the time begins anew (debounce).
    `keepLastIfActive`: of the jobs added while the earlier one runs, the last is added when that one ends.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    ttl: Annotated[int, Field(ge=1, le=LONGEST, strict=True)] | None = None
    extend: StrictBool = False
    replace: StrictBool = False
    keep_last_if_active: StrictBool = False


PriorityOption = Annotated[
    Annotated[int, Field(ge=0, le=LOWEST_PRIORITY, strict=True), Tag("number")]
    | Annotated[Literal["high", "low"], Tag("text")],
    _either("a number, or on RQ high or low"),
]
EitherBackoff = Annotated[
    Annotated[Milliseconds, Tag("number")] | Annotated[BackoffOption, Tag("object")], _either("a number or an object")
]
EitherKeep = Annotated[
    Annotated[StrictBool, Tag("boolean")] | Annotated[Count, Tag("number")] | Annotated[KeepOption, Tag("object")],
    _either("true, false, a number or an object"),
]


class AddOptions(StrictModel):
    """BullMQ's options for `queue.add`. What is left out is up to the queue."""

    job_id: str | None = Field(None, description="If a job has this id already, none is added.")
    delay: Milliseconds = Field(0, description="Milliseconds before the job may run.")
    attempts: Annotated[int, Field(ge=1, le=MOST_ATTEMPTS, strict=True)] | None = None
    priority: PriorityOption | None = Field(
        None,
        description="BullMQ's number: 1 runs first, 2,097,151 last, and a job without one before all of them. "
        "On RQ `high` or `low`, a lane of the queue.",
    )
    backoff: EitherBackoff | None = Field(None, description="A number is a fixed delay in milliseconds.")
    lifo: StrictBool = Field(default=False, description="Add the job at the front of the queue.")
    remove_on_complete: EitherKeep | None = Field(
        None, description="`true` deletes the job at its end, `false` keeps it, a number keeps so many of its kind."
    )
    remove_on_fail: EitherKeep | None = Field(None, description="The same for a job that failed for good.")
    deduplication: DeduplicationOption | None = None

    def addition(self, name: str, data: Any, job_id: str | None = None) -> Addition:
        """The job with these options. `job_id` wins over the option of that name."""
        return Addition(
            name=name,
            data=data,
            job_id=job_id or self.job_id,
            delay=self.delay / MS,
            attempts=self.attempts,
            priority=self.priority,
            backoff=_backoff(self.backoff),
            lifo=self.lifo,
            remove_on_complete=_kept(self.remove_on_complete),
            remove_on_fail=_kept(self.remove_on_fail),
            deduplication=_deduplication(self.deduplication),
        )


def _backoff(option: int | BackoffOption | None) -> Backoff | None:
    if option is None:
        return None
    if isinstance(option, int):
        return Backoff((option / MS,))
    return Backoff((option.delay / MS,), exponential=option.type == "exponential", jitter=option.jitter)


def _kept(option: bool | int | KeepOption | None) -> Kept:  # noqa: FBT001 -- BullMQ's option
    if not isinstance(option, KeepOption):
        return option
    return option.count if option.age is None else Retention(option.age, option.count)


def _deduplication(option: DeduplicationOption | None) -> Deduplication | None:
    if option is None:
        return None
    return Deduplication(
        id=option.id,
        ttl=None if option.ttl is None else option.ttl / MS,
        extend=option.extend,
        replace=option.replace,
        keep_last_if_active=option.keep_last_if_active,
    )
