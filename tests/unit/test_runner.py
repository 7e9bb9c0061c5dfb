"""The loops of the runner, over the broker in memory: slots, quiet, stop, outages, and loops that end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from queue_lib.broker.base import Chore, Lease, NotNow
from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.memory import MemoryBroker, MemoryStore
from queue_lib.broker.memory_dead_letters import MemoryDeadLetters
from queue_lib.errors import BrokerUnavailableError
from queue_lib.job import Backoff, State, Wire
from queue_lib.observe.events import (
    Breakdown,
    BrokerBack,
    BrokerLost,
    Event,
    JobEnded,
    JobStarted,
    QueueHeld,
)
from queue_lib.outcome import Done, Lost, Released
from queue_lib.processor import Registry, Route
from queue_lib.queues import Queue, Retention
from queue_lib.runner import consumer as consumer_module
from queue_lib.runner.executor import Executor
from queue_lib.runner.health import Server
from queue_lib.runner.housekeeping import keep
from queue_lib.runner.launcher import RECENT, Launcher, LoopEndedError
from queue_lib.runner.process import serve
from tests.support.fakes import Greeting, endings
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.processor import Context
    from queue_lib.runner.process import Stop

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


class Mill:
    """A launcher over one memory broker or two, whose processor waits until a test lets it go."""

    def __init__(self, *brokers: MemoryBroker, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.go = asyncio.Event()
        self.running = 0
        self.most = 0
        self.events: list[Event] = []
        registry = Registry([Route("greet", "work", Greeting, self.process)])
        executor = Executor(registry, MemoryDeadLetters(self.store), self.observe, MemoryBoard())
        self.brokers = brokers or (MemoryBroker(self.store),)
        self.launcher = Launcher(self.brokers, [QUEUE], executor, self.observe)

    def observe(self, event: Event) -> None:
        """Keep it, unless it is a start."""
        if not isinstance(event, JobStarted):
            self.events.append(event)

    async def process(self, _payload: Greeting, _context: Context, /) -> None:
        """Count how many run at once."""
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
        """Let the loop turn until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0)


async def test_jobs_run_in_the_slots_of_their_queue() -> None:
    """No more jobs run at once than the queue's concurrency, and all get done."""
    mill = Mill()
    mill.enqueue(*range(7))
    await mill.launcher.start()
    await mill.until(lambda: mill.running == 2)
    mill.go.set()
    await mill.until(lambda: mill.states() == [State.COMPLETED] * 7)
    await mill.launcher.stop(1)
    assert 2 == mill.most


async def test_both_wires_share_the_slots() -> None:
    """A queue's concurrency is one number, whichever wire its jobs come by."""
    store = MemoryStore()
    mill = Mill(MemoryBroker(store), MemoryBroker(store, wire=Wire.RQ), store=store)
    mill.enqueue(*range(6))
    await mill.launcher.start()
    await mill.until(lambda: mill.running == 2)
    mill.go.set()
    await mill.until(lambda: mill.states() == [State.COMPLETED] * 6)
    await mill.launcher.stop(1)
    assert 2 == mill.most
    wires = {event.job.wire for event in mill.events if isinstance(event, JobEnded)}
    assert {Wire.BULLMQ, Wire.RQ} == wires


async def test_quiet_lets_jobs_finish_and_takes_no_more() -> None:
    """A quiet runner finishes what it has begun and leaves the rest in the queue."""
    mill = Mill()
    mill.enqueue(1, 2, 3)
    await mill.launcher.start()
    await mill.until(lambda: mill.running == 2)
    mill.launcher.quiet()
    mill.go.set()
    await mill.launcher.stop(1)
    assert [State.COMPLETED, State.COMPLETED, State.WAITING] == mill.states()


async def test_stop_gives_back_what_does_not_finish() -> None:
    """At the deadline running jobs go back to the queue, with no attempt counted."""
    mill = Mill()
    mill.enqueue(1, 2)
    await mill.launcher.start()
    await mill.until(lambda: mill.running == 2)
    await mill.launcher.stop(0.5)
    assert [State.WAITING, State.WAITING] == mill.states()
    assert [0, 0] == [record.attempts_made for record in mill.store.jobs.values()]
    assert [Released, Released] == endings(mill.events)


async def test_an_idle_runner_stops_at_once() -> None:
    """Waiting for work is no reason to use the grace time."""
    mill = Mill()
    await mill.launcher.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await mill.launcher.stop(10 * PATIENCE)


class Claiming(MemoryBroker):
    """A broker in which a claim takes its time."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.claiming = asyncio.Event()
        self.answer = asyncio.Event()

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Claim, and answer when the test says so."""
        claimed = await super().claim(queue)
        self.claiming.set()
        await self.answer.wait()
        return claimed


async def test_a_claim_under_way_at_shutdown_is_given_back() -> None:
    """A job that was claimed while the runner was told to stop is not stranded."""
    store = MemoryStore()
    broker = Claiming(store)
    mill = Mill(broker, store=store)
    mill.enqueue(1)
    await mill.launcher.start()
    await broker.claiming.wait()
    stopping = asyncio.create_task(mill.launcher.stop(5))
    await asyncio.sleep(0)
    broker.answer.set()
    await stopping
    assert [State.WAITING] == mill.states()
    assert 0 == mill.most


class Away(MemoryBroker):
    """A broker that can be out of reach."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.away = True

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Claim, if the broker can be reached."""
        if self.away:
            raise BrokerUnavailableError("connection refused")  # noqa: EM101, TRY003
        return await super().claim(queue)

    async def wait(self, queue: Queue, pause: NotNow) -> None:
        """Let the loop turn once."""
        await asyncio.sleep(0)
        await super().wait(queue, replace(pause, seconds=0.0))


async def test_an_outage_is_reported_once_and_survived() -> None:
    """While the broker is away the runner tries again and says so once; then it says that it is back, and works."""
    store = MemoryStore()
    broker = Away(store)
    mill = Mill(broker, store=store)
    mill.enqueue(1)
    mill.go.set()
    await mill.launcher.start()
    for _ in range(20):
        await asyncio.sleep(0)
    broker.away = False
    await mill.until(lambda: mill.states() == [State.COMPLETED])
    await mill.launcher.stop(1)
    assert [BrokerLost, BrokerBack, JobEnded] == [type(event) for event in mill.events]


class Passing(MemoryBroker):
    """A broker that notes whether news were passed on, and hears of work while all slots are taken."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.passed: list[str] = []
        self.slots_taken = asyncio.Event()

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Have nothing."""
        return NotNow(5, listen=True)

    async def wait(self, queue: Queue, pause: NotNow) -> None:
        """Hear of work once the other wire has taken the slots."""
        await self.slots_taken.wait()
        self.slots_taken.clear()

    async def pass_on(self, queue: Queue) -> None:
        """Note."""
        self.passed.append(queue.name)


async def test_news_without_a_free_slot_are_passed_on() -> None:
    """A worker that hears of a job but is busy lets another worker hear of it."""
    store = MemoryStore()
    listener = Passing(store)
    mill = Mill(listener, MemoryBroker(store, wire=Wire.RQ), store=store)
    await mill.launcher.start()
    mill.enqueue(1, 2)
    await mill.until(lambda: mill.running == 2)
    listener.slots_taken.set()
    await mill.until(lambda: listener.passed)
    mill.go.set()
    await mill.launcher.stop(1)
    assert ["work"] == listener.passed


class Breaking(MemoryBroker):
    """A broker with a bug."""

    def chores(self) -> Sequence[Chore]:
        """One that raises."""
        return [Chore("tidy up", 60, self._bug)]

    async def _bug(self) -> None:
        raise ZeroDivisionError


async def test_a_loop_that_ends_is_noticed() -> None:
    """A loop that ends by a bug ends the watch, with its name and the error."""
    store = MemoryStore()
    mill = Mill(Breaking(store), store=store)
    await mill.launcher.start()
    with pytest.raises(LoopEndedError, match="the loop 'bullmq: tidy up' ended: ZeroDivisionError"):
        await mill.launcher.watch()
    await mill.launcher.stop(1)


class Pinged(MemoryBroker):
    """Counts pings."""

    pings = 0

    async def ping(self) -> None:
        """Count."""
        self.pings += 1


async def test_a_server_that_has_just_answered_is_not_asked() -> None:
    """An idle worker's commands are few and counted; before its loops have heard anything it asks."""
    broker = Pinged(MemoryStore())
    mill = Mill(broker)
    await mill.launcher.ping()
    assert 1 == broker.pings
    await mill.launcher.start()
    await mill.until(lambda: mill.launcher.states()[0].trouble is None)
    await mill.launcher.ping()
    assert 1 == broker.pings
    mill.launcher._consumers[0]._answered = time.monotonic() - RECENT - 1
    await mill.launcher.ping()
    assert 2 == broker.pings
    await mill.launcher.stop(1)


class StopWish:
    """Stands for the Stop of a process, which only a main thread can make."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def request(self) -> None:
        """Wish it."""
        self._event.set()

    async def wait(self) -> None:
        """Wait for the wish."""
        await self._event.wait()


async def test_a_loop_that_ends_is_a_fault() -> None:
    """The observers are told where the bug is, and the process is to end with status 1."""
    store = MemoryStore()
    mill = Mill(Breaking(store), store=store)
    mill.launcher.observe = mill.events.append

    assert 1 == await serve(mill.launcher, cast("Stop", StopWish()), 1.0)
    [event] = mill.events
    assert isinstance(event, Breakdown)
    assert ("loop_ended", "ZeroDivisionError") == (event.word, event.failure.kind)
    assert "Breaking._bug" == event.failure.frames[-1][2]


async def test_an_orderly_stop_is_no_fault() -> None:
    """Loops end then, too."""
    mill, stop = Mill(), StopWish()
    mill.launcher.observe = mill.events.append
    stop.request()

    assert 0 == await serve(mill.launcher, cast("Stop", stop), 1.0)
    assert [] == mill.events


async def test_a_job_that_can_not_be_recorded_costs_only_itself() -> None:
    """An unexpected error while one job is recorded loses its lease, and no other job and no loop."""

    class Broken(MemoryDeadLetters):
        async def add(self, letter: Any) -> None:
            raise ZeroDivisionError

    mill = Mill()
    mill.go.set()
    registry = Registry([Route("greet", "work", Greeting, mill.process)])
    executor = Executor(registry, Broken(mill.store), mill.observe, MemoryBoard())
    mill.launcher = Launcher(mill.brokers, [QUEUE], executor, mill.observe)
    mill.store.enqueue("work", "nobody")
    mill.enqueue(1)
    await mill.launcher.start()
    await mill.until(lambda: len(mill.events) == 2)
    await mill.launcher.stop(1)
    assert {Lost, Done} == set(endings(mill.events))
    assert [State.ACTIVE, State.COMPLETED] == mill.states()


async def test_a_chore_runs_at_once_and_then_at_its_interval() -> None:
    """Housekeeping starts with the process, skips a broker that is away, and goes on."""
    runs, pauses = 0, []

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise BrokerUnavailableError("away")  # noqa: EM101
        if runs == 4:
            raise ZeroDivisionError

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(ZeroDivisionError):
        await keep(Chore("tidy up", 15.0, run), sleep)
    assert [15.0, 15.0, 15.0] == pauses


async def test_a_process_that_lacks_what_jobs_need_claims_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves them to the others, says why, and goes on by itself; what it has begun goes on meanwhile."""
    monkeypatch.setattr(consumer_module, "HOLD_PAUSE", 0.0)
    mill = Mill()
    lack: list[str] = []

    async def check() -> None:
        if lack:
            raise OSError(lack[0])

    mill.launcher.hold_back({"disk": Server(check, fresh=0.0), "other": Server(_never_asked, fresh=0.0)})
    mill.enqueue(1)
    await mill.launcher.start()
    await mill.until(lambda: mill.running == 1)
    lack.append("the disk is full")
    mill.enqueue(2, 3)
    mill.go.set()
    await mill.until(lambda: mill.launcher.states()[0].trouble == "it claims no job: the disk is full")
    assert State.WAITING in mill.states()
    lack.clear()
    await mill.until(lambda: mill.states() == [State.COMPLETED] * 3)
    await mill.launcher.stop(1)
    assert ["the disk is full", None] == [event.reason for event in mill.events if isinstance(event, QueueHeld)]


async def _never_asked() -> None:
    pytest.fail("no queue needs it")
