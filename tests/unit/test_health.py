"""Whether a process reports that it is ready: its loops, and its servers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.memory import MemoryBroker, MemoryStore
from queue_lib.errors import BrokerUnavailableError, Trouble
from queue_lib.job import Backoff, Wire
from queue_lib.observe.events import Event, RateLimited
from queue_lib.processor import Registry
from queue_lib.queues import Queue, Retention
from queue_lib.runner import health as health_module
from queue_lib.runner.consumer import PATIENCE, Consumer, LoopState
from queue_lib.runner.executor import Executor
from queue_lib.runner.health import FRESH, Health, HealthCheck
from queue_lib.runner.slots import Slots
from queue_lib.web.api.health import Readiness
from tests.support.exposition import Exposition
from tests.support.queues import QUEUES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_lib.admin.admin import Admin
    from queue_lib.broker.base import Lease, NotNow

QUEUE = Queue(
    name="work",
    concurrency=1,
    rate_max=1,
    rate_duration=30.0,
    attempts=3,
    backoff=Backoff((0.0,)),
    timeout=60.0,
    keep_completed=Retention(age=60.0),
)
NEVER = 1e9  # seconds; later than any patience


class Scripted(MemoryBroker):
    """A broker that is away, or does not answer, as a test says."""

    fault: BrokerUnavailableError | None = None
    hangs = False

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Answer as the script says."""
        if self.hangs:
            await asyncio.Event().wait()
        if self.fault is not None:
            raise self.fault
        return await super().claim(queue)


class Loop:
    """A consumer over a scripted broker."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.broker = Scripted(self.store)
        self.slots = Slots(QUEUE.concurrency)
        self.events: list[Event] = []
        executor = Executor(Registry([]), self, self.events.append, MemoryBoard())
        self.consumer = Consumer(QUEUE, self.broker, self.slots, executor, self.events.append)

    async def add(self, _: Any) -> None:
        """Accept a dead letter."""

    async def close(self) -> None:
        """There is nothing to close."""

    async def run(self) -> None:
        """Let it run for a moment, and stop it there."""
        self.task = asyncio.create_task(self.consumer.run())
        for _ in range(10):
            await asyncio.sleep(0)

    def trouble(self, later: float = 0.0) -> str | None:
        """What is wrong with it, this many seconds later."""
        return self.consumer.state(asyncio.get_running_loop().time() + later).trouble


@pytest.fixture
def loop() -> Loop:
    """A loop that has not begun."""
    return Loop()


async def test_a_loop_that_asks_is_well(loop: Loop) -> None:
    """From its first answer on, also if that was an empty queue."""
    before = loop.trouble()
    await loop.run()

    assert "no claim has been answered yet" == before
    assert loop.trouble() is None
    assert loop.trouble(PATIENCE - 5) is None


async def test_a_loop_that_hangs_is_not_well(loop: Loop) -> None:
    """A missing answer is noticed after 30 seconds, also the first one."""
    loop.broker.hangs = True
    await loop.run()
    assert "no claim has been answered yet" == loop.trouble()

    silent = Loop()
    await silent.run()
    assert "no claim has been answered for 31 s" == silent.trouble(PATIENCE + 1)


async def test_a_loop_whose_slots_are_taken_is_well(loop: Loop) -> None:
    """It claims no job because it runs as many as it may."""
    await loop.slots.acquire(Wire.RQ)
    loop.consumer._answered = asyncio.get_running_loop().time()
    await loop.run()

    assert loop.trouble(NEVER) is None


async def test_a_loop_whose_server_is_away_says_so(loop: Loop) -> None:
    """At once, and until the next answer."""
    loop.broker.fault = BrokerUnavailableError("refused")
    await loop.run()

    assert "Redis can't be reached, for 0 s" == loop.trouble()


async def test_a_loop_whose_server_refuses_says_why(loop: Loop) -> None:
    """A server that answers is not away; the reason is its answer, without the details."""
    loop.broker.fault = BrokerUnavailableError("10.0.0.1: OOM command not allowed", Trouble.FULL)
    await loop.run()

    assert "Redis is full (maxmemory), for 0 s" == loop.trouble()


async def test_a_loop_that_stops_is_not_ready(loop: Loop) -> None:
    """No new work should be sent to it."""
    await loop.run()
    loop.consumer.quiet()

    assert "it claims no more: the process is stopping" == loop.trouble()


async def test_waiting_for_the_limiter_is_an_event(loop: Loop) -> None:
    """It has the seconds that the claim has to wait."""
    loop.store.count(QUEUE)
    loop.store.enqueue("work", "greet", {})
    await loop.run()

    [event] = loop.events
    assert isinstance(event, RateLimited)
    assert (Wire.BULLMQ, "work", 30) == (event.wire, event.queue, round(event.seconds))


def answering(calls: list[str], *answers: Exception | None) -> Callable[[], Awaitable[None]]:
    """A check that gives these answers in turn, and then repeats the last one."""

    async def check() -> None:
        answer = answers[min(len(calls), len(answers) - 1)]
        calls.append("asked")
        if answer is not None:
            raise answer

    return check


async def test_a_server_is_asked_once_in_ten_seconds() -> None:
    """However often readiness is requested."""
    calls: list[str] = []
    now = [100.0]
    server = HealthCheck(answering(calls, None, OSError("refused")), lambda: now[0])
    many = await asyncio.gather(*(server.trouble() for _ in range(50)))
    now[0] += FRESH - 1
    again = await server.trouble()
    now[0] += 1
    later = await server.trouble()

    assert ({None}, None, "refused") == (set(many), again, later)
    assert 2 == len(calls)


async def test_who_asks_again_at_once_disturbs_no_other() -> None:
    """Two loops share a check. The first one to hear its answer may ask again before the other one wakes up."""
    now = [100.0]
    server = HealthCheck(answering([], None, OSError("refused")), lambda: now[0])

    async def twice() -> list[str | None]:
        first = await server.trouble()
        now[0] += FRESH
        return [first, await server.trouble()]

    both, other = await asyncio.gather(twice(), server.trouble())
    assert ([None, "refused"], None) == (both, other)


async def test_readiness_that_is_asked_for_again_at_once_disturbs_no_other() -> None:
    """As above, in the web process."""
    calls: list[str] = []
    admin, readiness = cast("Admin", SimpleNamespace(check=answering(calls, None))), Readiness()

    async def twice() -> None:
        await readiness.check(admin)
        await readiness.check(admin)

    await asyncio.gather(twice(), readiness.check(admin))
    assert 2 == len(calls)


async def test_a_server_that_hangs_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each open question could hold a thread, so it is not asked again."""
    monkeypatch.setattr(health_module, "IN_TIME", 0.0)
    calls: list[str] = []
    now = [100.0]

    async def check() -> None:
        calls.append("asked")
        await asyncio.Event().wait()

    server = HealthCheck(check, lambda: now[0])
    first = await server.trouble()
    now[0] += 60
    second = await server.trouble()

    assert ("no answer for 0 s", "no answer for 60 s") == (first, second)
    assert 1 == len(calls)


@pytest.mark.parametrize(
    ("loop_trouble", "server_fault", "ready"),
    [(None, None, True), ("it hangs", None, False), (None, OSError(), False), (None, ValueError("x" * 999), False)],
)
async def test_the_report(loop_trouble: str | None, server_fault: Exception | None, *, ready: bool) -> None:
    """One bad loop or server makes the process unready; the metrics say the same."""
    states = [LoopState("work", Wire.RQ, 2, loop_trouble), LoopState("work", Wire.BULLMQ, 1, None)]
    health = Health(lambda: states, {"database": answering([], server_fault)}, {"work": ["database"]})
    report = await health.report()
    registry = CollectorRegistry()
    registry.register(health)
    read = Exposition(generate_latest(registry).decode())

    assert ready == report["ready"]
    assert (server_fault is None) == report["queues"]["work"] == bool(read("pushmill_ready", queue="work"))
    assert {"queue": "work", "wire": "rq", "running": 2, "trouble": loop_trouble} == report["loops"][0]
    assert (server_fault is None) == (report["servers"]["database"] is None) == bool(read("pushmill_server_up"))
    assert len(report["servers"]["database"] or "") <= 200
    assert (2, 1) == tuple(read("pushmill_leases_held", wire=wire) for wire in ("rq", "bullmq"))
    assert (loop_trouble is None) == bool(read("pushmill_loop_ready", wire="rq"))


@pytest.mark.parametrize(
    ("away", "troubles", "expected"),
    [
        ({"storage"}, {}, {"pushes": True, "files": False}),
        ({"database"}, {}, {"pushes": False, "files": False}),
        (set(), {("pushes", Wire.RQ)}, {"pushes": True, "files": True}),
        (set(), {("pushes", Wire.RQ), ("pushes", Wire.BULLMQ)}, {"pushes": False, "files": True}),
    ],
)
async def test_a_queue_is_ready_if_its_jobs_can_be_done(
    away: set[str], troubles: set[tuple[str, Wire]], expected: dict[str, bool]
) -> None:
    """A server that is away stops the queues that need it; a wire that is not well leaves them the other one."""
    states = [
        LoopState(queue, wire, 0, "it hangs" if (queue, wire) in troubles else None)
        for queue in expected
        for wire in Wire
    ]
    checks = {name: answering([], OSError("refused") if name in away else None) for name in ("database", "storage")}
    health = Health(lambda: states, checks, {"pushes": ["database"], "files": ["database", "storage"]})

    report = await health.report()

    assert (False, expected) == (report["ready"], report["queues"])


def test_each_server_that_queues_need_is_checked() -> None:
    """The check has the server's name."""
    needed = {server for queue in QUEUES for server in queue.needs}
    assert {"database", "database_writes", "export_database", "storage", "disk"} == needed
