"""What the benchmarks share: a no-op queue, our runner, and runs in turn with their medians."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from redis import Redis
from rq import Queue as RQQueue

from queue_lib.broker.base import Setup
from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.connection import options
from queue_lib.broker.memory import MemoryStore
from queue_lib.broker.memory_dead_letters import MemoryDeadLetters
from queue_lib.broker.rq.broker import RQBroker
from queue_lib.job import Backoff
from queue_lib.observe.events import JobEnded
from queue_lib.observe.log import LogObserver, configure
from queue_lib.processor import JobSchema, Model, Registry, Route
from queue_lib.queues import Queue, Retention
from queue_lib.runner.executor import Executor
from queue_lib.runner.launcher import Launcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from queue_lib.observe.events import Event
    from queue_lib.processor import Context

QUEUE = Queue(
    name="bench",
    concurrency=5,
    rate_max=0,
    attempts=3,
    backoff=Backoff((1.0,)),
    timeout=60.0,
    keep_completed=Retention(age=3600.0, count=1000),
)
PREFIX = "bull"


class Payload(Model):
    """A small payload."""

    user_id: str


class Counter:
    """A no-op processor that logs as the worker does and signals when the last job has run."""

    def __init__(self, expected: int) -> None:
        self._left = expected
        self._log = LogObserver()
        self.all_done = asyncio.Event()

    async def __call__(self, payload: Payload, context: Context, /) -> None:
        """Do nothing."""

    def observe(self, event: Event) -> None:
        """Count a settled job, after its log line."""
        self._log(event)
        self._left -= isinstance(event, JobEnded)
        if self._left <= 0:
            self.all_done.set()


def launcher(url: str, wire: str, counter: Any, payload: type[Model] = Payload) -> Launcher:
    """Our runner on one wire. It logs to standard output, as in a dyno."""
    configure("info", "json")
    kind = RQBroker if wire == "rq" else BullMQBroker
    setup = Setup(redis=options(url), prefix=PREFIX, lease_duration=30, worker_name="bench", observe=counter.observe)
    broker = kind([QUEUE], setup)
    registry = Registry([Route(JobSchema("noop", QUEUE.name, payload), counter)])
    executor = Executor(registry, MemoryDeadLetters(MemoryStore()), counter.observe, MemoryBoard())
    return Launcher([broker], [QUEUE], executor, counter.observe)


def rq_enqueue(url: str, jobs: int, name: str = "noop") -> None:
    """Add jobs with stock RQ."""
    connection = Redis.from_url(url)
    queue = RQQueue(QUEUE.name, connection=connection, serializer="json")
    for number in range(0, jobs, 500):
        prepared = [
            RQQueue.prepare_data(name, ({"userId": f"u{n}"},), result_ttl=3600)
            for n in range(number, min(jobs, number + 500))
        ]
        queue.enqueue_many(prepared)


def child(module: str, *arguments: str) -> Any:
    """Run a module in a process of its own. Returns the JSON in its last line on standard error."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=300
    )
    if done.returncode:
        sys.exit(f"{module} {arguments} failed:\n{done.stderr}")
    return json.loads(done.stderr.strip().splitlines()[-1])


def in_turn(contestants: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run all contestants in turn, `rounds` times. Returns their figures."""
    figures: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            figures[name].append(run())
    return figures


def median(values: list[float]) -> float:
    """The median."""
    return statistics.median(values)
