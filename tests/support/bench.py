"""An executor with one route, for tests that choose its processor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from queue_lib.broker.board import MemoryBoard
from queue_lib.observe.events import Event, JobStarted
from queue_lib.processor import JobSchema, Registry, Route
from queue_lib.runner.executor import Executor
from tests.support.fakes import Greeting, NotingLease, told

if TYPE_CHECKING:
    from queue_lib.broker.dead_letters import DeadLetter
    from queue_lib.processor import Context


class Bench:
    """An executor with one route, `greet`, whose processor a test chooses."""

    def __init__(self, lease: NotingLease, processor: Any) -> None:
        self.lease = lease
        self.events: list[Event] = []
        self.order: list[str] = []
        self.registry = Registry([Route(JobSchema("greet", "work", Greeting), processor)])
        self.executor = Executor(self.registry, self, self.observe, MemoryBoard())

    def observe(self, event: Event) -> None:
        """Keep an end's log event; its start has come before."""
        if isinstance(event, JobStarted):
            assert event.job is self.lease.job
            assert [] == self.events
        else:
            told(self.events)(event)

    async def add(self, letter: DeadLetter) -> None:
        """Accept a dead letter; note what was recorded before it."""
        self.order += ["letter after " + str(len(self.lease.calls)) + " calls", letter.failure.reason]

    async def close(self) -> None:
        """Nothing to close."""

    async def run(self) -> list[tuple[Any, ...]]:
        """Run the lease; returns how it was settled."""
        await self.executor.run(self.lease)
        return self.lease.calls


def returning(value: Any) -> Any:
    """A processor that returns a value."""

    async def process(_payload: Greeting, _context: Context, /) -> Any:
        return value

    return process


def raising(error: BaseException) -> Any:
    """A processor that raises."""

    async def process(_payload: Greeting, _context: Context, /) -> None:
        raise error

    return process


async def hanging(_payload: Greeting, _context: Context, /) -> None:
    """A processor that never ends."""
    await asyncio.Event().wait()
