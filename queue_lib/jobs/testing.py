"""For a team's tests: run a job without a server, and record what is dispatched."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from queue_lib.addition import Addition, NewJob
from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.cache import MemoryCache
from queue_lib.broker.memory import MemoryBroker, MemoryStore
from queue_lib.broker.memory_dead_letters import MemoryDeadLetters
from queue_lib.jobs.dispatching import RECORDING, Recording, add
from queue_lib.jobs.own_job import schema_of
from queue_lib.jobs.own_processor import OwnProcessor, Threads
from queue_lib.observe.events import JobEnded
from queue_lib.outcome import Dead, Done, Outcome, Retry, Snooze
from queue_lib.processor import Registry, Route
from queue_lib.queues import Queue
from queue_lib.runner.executor import Executor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from queue_lib.broker.base import Lease
    from queue_lib.jobs.own_job import Job
    from queue_lib.jobs.toolbox import Cache, Tools
    from queue_lib.observe.events import Event

__all__ = ["Dead", "Done", "FakeTools", "Recorded", "Retry", "Snooze", "recorded", "run"]


class _NotGiven:
    """Stands for a tool that a test has not given."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, _: str) -> Any:
        msg = f"the job uses self.tools.{self._name}; run it with FakeTools({self._name}=...)"
        raise AssertionError(msg)


@dataclass
class FakeTools:
    """`self.tools` of a job in a test: your fakes, and a cache in memory. The use of another tool is an error."""

    database: Any = field(default_factory=partial(_NotGiven, "database"))
    objects: Any = field(default_factory=partial(_NotGiven, "objects"))
    http: Any = field(default_factory=partial(_NotGiven, "http"))
    cache: Cache = field(default_factory=MemoryCache)

    async def enqueue(self, name: str, data: Mapping[str, Any], **options: Any) -> str:
        """Add a job by its name. `recorded` has it under the queue "", since only a worker knows all queues."""
        return await add(NewJob("", Addition(name=name, data=dict(data), **options)))


async def run(job: type[Job[Any]], payload: BaseModel | Mapping[str, Any], tools: Tools | None = None) -> Outcome:
    """Run a job once, as a worker would on its first attempt, and return how it ends.

    Done has the `result` as JSON. Retry and Dead have the `failure`, whose `reason` is a text. Snooze has `delay` and
    `reason`. Nothing is raised: an error of the job is one of these.
    """
    data = payload.model_dump(mode="json", by_alias=True) if isinstance(payload, BaseModel) else payload
    queue, store = Queue(name=job.queue), MemoryStore()
    events: list[Event] = []
    store.enqueue(queue.name, job.name, data, attempts=job.attempts, backoff=job.backoff)
    threads = Threads(queue.name, 1)
    route = Route(schema_of(job), OwnProcessor(job(tools or FakeTools()), threads))
    executor = Executor(Registry([route]), MemoryDeadLetters(store), events.append, MemoryBoard())
    await executor.run(cast("Lease", await MemoryBroker(store).claim(queue)))
    threads.close()
    [ending] = [event.ending for event in events if isinstance(event, JobEnded)]
    return cast("Outcome", ending)


@dataclass(frozen=True, slots=True)
class Recorded(Recording):
    """The jobs that were dispatched, and the keys that were cancelled, in their order."""

    def all(self, job: type[Job[Any]] | str) -> list[Addition]:
        """Those of one class, or of one name. Their `data` is the payload as JSON."""
        name = job if isinstance(job, str) else job.name
        return [each.addition for each in self.jobs if each.addition.name == name]

    def one(self, job: type[Job[Any]] | str) -> Addition:
        """The only one. Raises AssertionError if there are more or none."""
        found = self.all(job)
        if len(found) != 1:
            names = [each.addition.name for each in self.jobs]
            msg = f"expected one {job if isinstance(job, str) else job.name}, and {len(found)} were dispatched: {names}"
            raise AssertionError(msg)
        return found[0]


@contextmanager
def recorded() -> Iterator[Recorded]:
    """Record what this test dispatches, in place of adding it. Payloads are validated as ever."""
    found = Recorded()
    token = RECORDING.set(found)
    try:
        yield found
    finally:
        RECORDING.reset(token)
