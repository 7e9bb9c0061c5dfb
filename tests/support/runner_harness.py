"""The runner over the broker in memory, for tests of its loops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.memory import MemoryBroker, MemoryStore
from queue_lib.broker.memory_dead_letters import MemoryDeadLetters
from queue_lib.chore import Chore
from queue_lib.job import Backoff, State
from queue_lib.observe.events import Event, JobStarted
from queue_lib.processor import JobSchema, Registry, Route
from queue_lib.queues import Queue, Retention
from queue_lib.runner.executor import Executor
from queue_lib.runner.launcher import Launcher
from tests.support.fakes import Greeting
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.processor import Context

QUEUE = Queue(
    name="work",
    needs=("disk",),
    concurrency=2,
    rate_max=0,
    attempts=3,
    backoff=Backoff((0.0,)),
    timeout=60.0,
    keep_completed=Retention(age=60.0),
)


class Harness:
    """A launcher over one memory broker or two, whose processor waits until a test lets it end."""

    def __init__(self, *brokers: MemoryBroker, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.go = asyncio.Event()
        self.running = 0
        self.most = 0
        self.events: list[Event] = []
        registry = Registry([Route(JobSchema("greet", "work", Greeting), self.process)])
        executor = Executor(registry, MemoryDeadLetters(self.store), self.observe, MemoryBoard())
        self.brokers = brokers or (MemoryBroker(self.store),)
        self.launcher = Launcher(self.brokers, [QUEUE], executor, self.observe)

    def observe(self, event: Event) -> None:
        """Keep the event, unless it is a start."""
        if not isinstance(event, JobStarted):
            self.events.append(event)

    async def process(self, _payload: Greeting, _context: Context, /) -> None:
        """Count the concurrent runs."""
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.go.wait()
        finally:
            self.running -= 1

    def enqueue(self, *numbers: int) -> list[str]:
        """Add jobs."""
        return [self.store.enqueue("work", "greet", {"userId": f"u{number}"}) for number in numbers]

    def states(self) -> list[State]:
        """The states of all jobs."""
        return [record.state for record in self.store.jobs.values()]

    async def until(self, condition: Any) -> None:
        """Let the loop run until a condition holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0)


class Breaking(MemoryBroker):
    """A broker with a bug."""

    def chores(self) -> Sequence[Chore]:
        """A chore that raises."""
        return [Chore("tidy up", 60, self._bug)]

    async def _bug(self) -> None:
        raise ZeroDivisionError
