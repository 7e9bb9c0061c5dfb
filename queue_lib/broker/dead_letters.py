"""The ports to the queue `dead`, which has an entry for each job that failed for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import ConfigDict, Field, field_serializer

from queue_lib.job import Wire  # noqa: TC001 -- pydantic reads it
from queue_lib.plain_json import MAX_NUMBER, kept, readable
from queue_lib.processor import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.job import Job
    from queue_lib.outcome import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A job that failed for good. `failed_at` is in seconds since the epoch."""

    job: Job
    failure: Failure
    failed_at: float

    def to_wire(self) -> dict[str, Any]:
        """The entry's data as the app reads it; `data` is the payload, ready to be enqueued again."""
        return {
            "id": readable(self.job.id),
            "name": readable(self.job.name),
            "queue": self.job.queue,
            "wire": self.job.wire.value,
            "data": kept(self.job.data),
            "attemptsMade": self.job.attempt,
            "reason": readable(self.failure.reason),
            "stack": readable(self.failure.stack),
            "failedAt": int(self.failed_at * 1000),
        }


class DeadLetterData(Model):
    """An entry of the queue `dead`: a job that failed for good."""

    model_config = ConfigDict(title="DeadLetter")

    id: str
    name: str
    queue: str
    wire: Wire
    data: Any = Field(None, description="the payload, ready to be enqueued again")
    attempts_made: int = Field(0, ge=0, lt=MAX_NUMBER)
    reason: str = ""
    stack: str = ""
    failed_at: int = Field(0, ge=0, lt=MAX_NUMBER, description="milliseconds since the epoch")


class DeadLetterView(DeadLetterData):
    """An entry of the queue `dead`, and its own `letterId`. In JSON `data` is shortened to what can be shown."""

    model_config = ConfigDict(title="DeadLetterView")

    letter_id: str

    @classmethod
    def read(cls, letter_id: str, data: Any) -> DeadLetterView:
        """The dead letter with this wire data. Raises ValueError or TypeError if it is none."""
        facts = readable({name: value for name, value in data.items() if name != "data"})
        return cls.model_validate(facts | {"data": kept(data.get("data")), "letterId": readable(letter_id)})

    @classmethod
    def read_brief(cls, letter_id: str, data: Any) -> DeadLetterView:
        """The same without payload and stack trace, which may be large. Raises ValueError or TypeError."""
        facts = {name: value for name, value in data.items() if name != "data"}
        if isinstance(facts.get("stack"), str):  # anything else is no dead letter's
            facts["stack"] = ""
        return cls.model_validate(readable(facts | {"letterId": letter_id}))

    @field_serializer("data")
    def _shown(self, data: Any) -> Any:
        return readable(data)


def dead_letter_id(wire: Wire, queue: str, job_id: str) -> str:
    """The id of a job's dead letter. A job has at most one."""
    return f"{wire}-{queue}-{job_id}".replace(":", "-")  # BullMQ takes no colon in an id


class DeadLetters(Protocol):
    """The `dead` queue: one entry, named `<job name>_failed`, for each job that failed for good."""

    async def add(self, letter: DeadLetter) -> None:
        """Add the entry; a second one for the same job replaces the first. Raises BrokerUnavailableError."""

    async def close(self) -> None:
        """Close the connection."""


class DeadLetterStore(Protocol):
    """The `dead` queue as an operator sees it. Every call may raise BrokerUnavailableError."""

    async def count(self) -> int:
        """How many dead letters there are."""

    async def page(self, start: int, count: int) -> list[DeadLetterView]:
        """Up to `count` dead letters from number `start` on, the oldest first. Other entries are left out."""

    async def briefs(self, start: int, count: int) -> list[DeadLetterView]:
        """The same without payloads and stack traces, in few commands and little memory."""

    async def find(self, letter_id: str) -> DeadLetterView | None:
        """One dead letter, or None."""

    async def gather(self, start: int, count: int, letter_ids: Sequence[str]) -> int:
        """Make some dead letters of the page of `start` and `count` the newest ones; returns how many were there.

        Dropping one of the newest is quick, however many there are.
        """

    async def drop(self, letter_id: str, failed_at: int | None = None) -> bool:
        """Delete a dead letter; False if there is none, or its time is not `failed_at` (milliseconds)."""
