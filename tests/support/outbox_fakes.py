"""Fakes for unit tests of the outbox: rows and a post in memory."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import field_validator

from processors.outbox.bridging import Bridging
from processors.outbox.metrics import OutboxMetrics
from processors.outbox.pace import Pace
from processors.outbox.publisher import Publisher
from queue_lib.admin.admission import Admission
from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.bullmq.packing import packed
from queue_lib.chore import PackedJob
from queue_lib.errors import BrokerUnavailableError
from queue_lib.processor import JobSchema, Model
from storage.ports import Backlog, OutboxRow, Round

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from queue_lib.addition import Addition, NewJob
    from queue_lib.bridge import Bridge


class IndexDoc(Model):
    """A payload."""

    id: str


class Strange(Model):
    """A payload whose validator is wrong."""

    id: str

    @field_validator("id")
    @classmethod
    def _fit(cls, _: str) -> str:
        raise KeyError("x")  # noqa: EM101 -- as `{}["x"]` does


ADMISSION = Admission(
    [
        JobSchema("index_doc", "search", IndexDoc),
        JobSchema("count", "reports", IndexDoc),
        JobSchema("own", "search", IndexDoc, internal=True),
        JobSchema("strange", "search", Strange),
    ]
)


def row(number: int, topic: str = "message.created", payload: str | None = '{"n": 1}', **fields: Any) -> OutboxRow:
    """A row of the outbox."""
    whole = {"aggregate_type": "message", "aggregate_id": "42", "created_at": 1_800_000_000.0, **fields}
    return OutboxRow(number, topic, payload=payload, **whole)


@dataclass
class FakeOutbox:
    """The port: rows, and what has become of them."""

    rows: list[OutboxRow] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    fault: Exception | None = None
    is_mine: bool = True

    @asynccontextmanager
    async def round(self) -> AsyncIterator[Round | None]:
        """See the port."""
        if self.fault is not None:
            raise self.fault
        if not self.is_mine:
            yield None
            return
        known = {*self.published, *self.bad}
        found = Round([each for each in self.rows if each.id not in known], is_last=True)
        yield found
        self.bad |= found.bad
        self.published += [each.id for each in found.rows if each.id not in found.bad]

    async def backlog(self) -> Backlog:
        """See the port."""
        if self.fault is not None:
            raise self.fault
        return Backlog(len(self.rows), len(self.bad), None, self.rows, ())

    async def clear(self, age: float) -> int:
        """See the port."""
        return 0

    async def replay(self, ids: Sequence[int]) -> int:
        """See the port."""
        raise NotImplementedError

    skip = replay

    def heard(self, channel: str) -> Any:
        """See the port."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Ready(PackedJob):
    """A job that was checked, and can be read."""

    addition: Addition


def ready(job: NewJob) -> Ready:
    """What `FakePost.pack` does."""
    return Ready(job.queue, packed(job, "bull").arguments, job.addition)


def additions(jobs: Iterable[PackedJob]) -> list[Addition]:
    """What `ready` was made of."""
    return [job.addition for job in jobs if isinstance(job, Ready)]


@dataclass
class FakePost:
    """The port: what was sent, and messages to hear."""

    board: MemoryBoard = field(default_factory=MemoryBoard)
    jobs: list[PackedJob] = field(default_factory=list)
    fault: Exception | None = None
    cut_after: int | None = None  # jobs
    refused: dict[str, str] = field(default_factory=dict)
    deaf: Exception | None = None
    messages: Iterable[tuple[str, str]] = ()
    pack = staticmethod(ready)

    async def add(self, jobs: Sequence[PackedJob]) -> dict[str, str]:
        """See the port."""
        if self.fault is not None:
            raise self.fault
        if jobs and self.cut_after == len(self.jobs):
            raise BrokerUnavailableError
        self.jobs += [job for job in jobs if job.queue not in self.refused]
        return {job.queue: self.refused[job.queue] for job in jobs if job.queue in self.refused}

    @asynccontextmanager
    async def listen(self, pattern: str) -> AsyncIterator[AsyncIterator[tuple[str, str]] | None]:
        """See the port."""
        if self.deaf is not None:
            raise self.deaf

        async def heard() -> AsyncIterator[tuple[str, str]]:
            for message in self.messages:
                yield message

        yield heard()


def bridging(*bridges: Bridge) -> Bridging:
    """Bridges to the jobs above."""
    return Bridging(bridges, ADMISSION, "epop", ready)


class World:
    """A publisher over fakes. A turn of it does not wait."""

    def __init__(self, *bridges: Bridge, rows: Sequence[OutboxRow] = ()) -> None:
        """With these bridges."""
        self.outbox, self.post, self.metrics, self.pace = FakeOutbox(list(rows)), FakePost(), OutboxMetrics(), Pace()
        self.waited: list[float] = []
        self.rested = 0
        self.pace.wait, self.pace.rest = self._wait, self._rest  # type: ignore[method-assign]
        jobs = bridging(*bridges)
        self.publisher = Publisher(self.outbox, self.post, jobs, "epop", self.pace, self.metrics)

    async def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    async def _rest(self) -> None:
        self.rested += 1

    @property
    def ids(self) -> list[str | None]:
        """Of the jobs that were added."""
        return [addition.job_id for addition in additions(self.post.jobs)]
