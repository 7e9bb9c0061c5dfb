"""A wire kit: a broker with all that a contract test needs, the same for memory, BullMQ and RQ."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from bullmq import Queue as BullQueue
from rq import Queue as RQQueue
from rq import Retry as RQRetry

from queue_lib.admin.backends import Backends
from queue_lib.admin.bullmq.inspector import BullMQInspector
from queue_lib.admin.memory_inspector import MemoryInspector
from queue_lib.admin.rq.inspector import RQInspector
from queue_lib.broker.base import Broker, Lease, NotNow, Setup
from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.bullmq.dead_letters import BullMQDeadLetters
from queue_lib.broker.connection import client, options, synchronous_client
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.broker.heartbeats import MemoryHeartbeats, RedisHeartbeats
from queue_lib.broker.memory import MemoryBroker, MemoryStore
from queue_lib.broker.memory_dead_letters import MemoryDeadLetters
from queue_lib.broker.rq.broker import RQBroker
from queue_lib.job import Backoff, State
from queue_lib.queues import Queue, Retention
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import redis
    import redis.asyncio

    from queue_lib.admin.ports import Inspector, JobView
    from queue_lib.broker.heartbeats import Heartbeats
    from queue_lib.observe.events import Event

PREFIX = "bull"
QUEUE = Queue(
    name="work",
    concurrency=5,
    rate_max=0,
    attempts=3,
    backoff=Backoff((0.2,), exponential=True),
    timeout=5.0,
    keep_completed=Retention(age=3600.0, count=100),
)


def queue(**changes: Any) -> Queue:
    """The queue of the tests, with changes."""
    return replace(QUEUE, **changes)


class Producer(Protocol):
    """Enqueues as a stock producer of the wire does."""

    async def __call__(self, name: str, data: Any, *, delay: float = 0.0, attempts: int | None = None) -> str:
        """Add a job to the queue `work`; returns its id."""


def backends(kit: WireKit, **changes: Any) -> Backends:
    """The backends of this kit's admin, with changes."""
    parts: dict[str, Any] = {
        "inspectors": [kit.inspector],
        "dead_letters": kit.dead_letters,
        "heartbeats": kit.heartbeats,
        "board": MemoryBoard(),
        "queues": [QUEUE.name],
    }
    return Backends(**parts | changes)


@dataclass
class WireKit:
    """One wire, ready for a test. `precision` is how late (in seconds) the wire may start a delayed job."""

    name: str
    make_broker: Any
    enqueue: Producer
    inspector: Inspector
    dead_letters: Any
    heartbeats: Heartbeats
    letters: Any
    precision: float
    events: list[Event] = field(default_factory=list)
    brokers: list[Broker] = field(default_factory=list)

    async def broker(self, queues: Sequence[Queue] = (QUEUE,), lease_duration: float = 30.0) -> Broker:
        """A started broker, as another process would have it."""
        broker: Broker = self.make_broker(queues, lease_duration)
        await broker.start()
        self.brokers.append(broker)
        return broker

    async def claim(self, broker: Broker, of: Queue = QUEUE, within: float = PATIENCE) -> Lease:
        """Claim, waiting as a consumer does. Fails the test after `within` seconds."""
        deadline = time.monotonic() + within
        while True:
            claimed = await broker.claim(of)
            if not isinstance(claimed, NotNow):
                return claimed
            left = deadline - time.monotonic()
            assert left > 0, f"nothing to claim within {within} s"
            await asyncio.wait_for(broker.wait(of, replace(claimed, seconds=min(claimed.seconds, left))), left + 1)

    async def chore(self, broker: Broker, name: str) -> None:
        """Run one chore now."""
        (chore,) = [chore for chore in broker.chores() if chore.name == name]
        await chore.run()

    async def view(self, job_id: str) -> JobView:
        """The job as an operator sees it."""
        view = await self.inspector.find(QUEUE.name, job_id)
        assert view is not None
        return view

    async def until(self, job_id: str, *states: State, within: float = PATIENCE) -> JobView:
        """The job, once it is in one of these states."""
        deadline = time.monotonic() + within
        while (view := await self.view(job_id)).state not in states:
            assert time.monotonic() < deadline, f"job {job_id} is {view.state}, not {states}: {view}"
            await asyncio.sleep(0.02)
        return view


def clock(kit: WireKit) -> Callable[[], float]:
    """The clock of this wire's times."""
    return time.monotonic if kit.name == "memory" else time.time


@contextlib.asynccontextmanager
async def memory_kit(_: str) -> AsyncIterator[WireKit]:
    """The fake."""
    store = MemoryStore()

    async def enqueue(name: str, data: Any, *, delay: float = 0.0, attempts: int | None = None) -> str:
        return store.enqueue(QUEUE.name, name, data, delay=delay, attempts=attempts)

    async def letters() -> list[dict[str, Any]]:
        return [{"name": f"{letter.job.name}_failed", "data": letter.to_wire()} for letter in store.letters]

    yield WireKit(
        name="memory",
        make_broker=lambda _queues, lease: MemoryBroker(store, lease),
        enqueue=enqueue,
        inspector=MemoryInspector(store),
        dead_letters=MemoryDeadLetters(store),
        heartbeats=MemoryHeartbeats(time.monotonic),
        letters=letters,
        precision=0.05,
    )


@contextlib.asynccontextmanager
async def redis_kit(url: str, wire: str) -> AsyncIterator[WireKit]:
    """The parts that both wires on Redis share."""
    parts = options(url)
    shared = client(parts, decode=True, name="test")
    sync = synchronous_client(parts, name="test")
    source = BullQueue(QUEUE.name, {"connection": shared, "prefix": PREFIX})
    steering = BullMQInspector(shared, PREFIX)
    events: list[Event] = []

    async def by_bullmq(name: str, data: Any, *, delay: float = 0.0, attempts: int | None = None) -> str:
        opts: dict[str, Any] = {"delay": round(delay * 1000)} | ({} if attempts is None else {"attempts": attempts})
        return str((await source.add(name, data, opts)).id)

    async def by_rq(name: str, data: Any, *, delay: float = 0.0, attempts: int | None = None) -> str:
        retry = RQRetry(max=attempts - 1, interval=0) if attempts and attempts > 1 else None
        return await asyncio.to_thread(rq_enqueue, sync, name, data, delay=delay, retry=retry)

    def make_broker(queues: Sequence[Queue], lease: float) -> Broker:
        kind = RQBroker if wire == "rq" else BullMQBroker
        name = f"worker-{len(kit.brokers)}"
        setup = Setup(redis=parts, prefix=PREFIX, lease_duration=lease, worker_name=name, observe=events.append)
        return kind(queues, setup)

    kit = WireKit(
        name=wire,
        make_broker=make_broker,
        enqueue=by_rq if wire == "rq" else by_bullmq,
        inspector=RQInspector(sync, steering) if wire == "rq" else steering,
        dead_letters=BullMQDeadLetters(shared, PREFIX),
        heartbeats=RedisHeartbeats(shared, PREFIX),
        letters=partial(dead_letters, shared),
        precision=1.3 if wire == "rq" else 0.1,
        events=events,
    )
    try:
        yield kit
    finally:
        for broker in kit.brokers:
            await broker.close()
        await shared.aclose()
        sync.close()


async def dead_letters(shared: redis.asyncio.Redis) -> list[dict[str, Any]]:
    """The entries of the dead queue, as the app's own BullMQ reads them."""
    jobs = await BullQueue("dead", {"connection": shared, "prefix": PREFIX}).getJobs(["waiting"])
    return [{"name": job.name, "data": job.data} for job in jobs]


def rq_enqueue(connection: redis.Redis, name: str, data: Any, *, delay: float = 0.0, **kwargs: Any) -> str:
    """Enqueue as stock RQ does."""
    target = RQQueue(kwargs.pop("lane", QUEUE.name), connection=connection, serializer="json")
    if delay:
        from datetime import timedelta  # noqa: PLC0415

        return target.enqueue_in(timedelta(seconds=delay), name, data, **kwargs).id
    return target.enqueue(name, data, **kwargs).id


__all__ = ["DeadLetter", "WireKit", "clock", "memory_kit", "queue", "redis_kit", "rq_enqueue"]
