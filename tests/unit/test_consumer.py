"""A queue's loop on a wire, over the broker in memory: slots, quiet, outages, and holds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.broker.base import Lease, NotNow
from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.memory import MemoryBroker, MemoryStore
from queue_lib.broker.memory_dead_letters import MemoryDeadLetters
from queue_lib.errors import BrokerUnavailableError
from queue_lib.job import State, Wire
from queue_lib.observe.events import BrokerBack, BrokerLost, JobEnded, QueueHeld
from queue_lib.outcome import Done, Lost
from queue_lib.processor import JobSchema, Registry, Route
from queue_lib.runner import consumer as consumer_module
from queue_lib.runner.executor import Executor
from queue_lib.runner.health import HealthCheck
from queue_lib.runner.launcher import Launcher
from tests.support.fakes import Greeting, endings
from tests.support.runner_harness import QUEUE, Harness

if TYPE_CHECKING:
    from queue_lib.queues import Queue


async def test_jobs_run_in_the_slots_of_their_queue() -> None:
    """No more jobs run at once than the queue's concurrency, and all get done."""
    harness = Harness()
    harness.enqueue(*range(7))
    await harness.launcher.start()
    await harness.until(lambda: harness.running == 2)
    harness.go.set()
    await harness.until(lambda: harness.states() == [State.COMPLETED] * 7)
    await harness.launcher.stop(1)
    assert 2 == harness.most


async def test_both_wires_share_the_slots() -> None:
    """A queue's concurrency is one number for both wires."""
    store = MemoryStore()
    harness = Harness(MemoryBroker(store), MemoryBroker(store, wire=Wire.RQ), store=store)
    harness.enqueue(*range(6))
    await harness.launcher.start()
    await harness.until(lambda: harness.running == 2)
    harness.go.set()
    await harness.until(lambda: harness.states() == [State.COMPLETED] * 6)
    await harness.launcher.stop(1)
    assert 2 == harness.most
    wires = {event.job.wire for event in harness.events if isinstance(event, JobEnded)}
    assert {Wire.BULLMQ, Wire.RQ} == wires


async def test_quiet_lets_jobs_finish_and_takes_no_more() -> None:
    """A quiet runner finishes what it has begun and leaves the rest in the queue."""
    harness = Harness()
    harness.enqueue(1, 2, 3)
    await harness.launcher.start()
    await harness.until(lambda: harness.running == 2)
    harness.launcher.quiet()
    harness.go.set()
    await harness.launcher.stop(1)
    assert [State.COMPLETED, State.COMPLETED, State.WAITING] == harness.states()


class Claiming(MemoryBroker):
    """A broker whose claims take time."""

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
    """A job that is claimed while the runner stops is not stranded."""
    store = MemoryStore()
    broker = Claiming(store)
    harness = Harness(broker, store=store)
    harness.enqueue(1)
    await harness.launcher.start()
    await broker.claiming.wait()
    stopping = asyncio.create_task(harness.launcher.stop(5))
    await asyncio.sleep(0)
    broker.answer.set()
    await stopping
    assert [State.WAITING] == harness.states()
    assert 0 == harness.most


class Away(MemoryBroker):
    """A broker that may be out of reach."""

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
    """While the broker is away the runner keeps trying and reports it once; then it reports the end, and works."""
    store = MemoryStore()
    broker = Away(store)
    harness = Harness(broker, store=store)
    harness.enqueue(1)
    harness.go.set()
    await harness.launcher.start()
    for _ in range(20):
        await asyncio.sleep(0)
    broker.away = False
    await harness.until(lambda: harness.states() == [State.COMPLETED])
    await harness.launcher.stop(1)
    assert [BrokerLost, BrokerBack, JobEnded] == [type(event) for event in harness.events]


class Passing(MemoryBroker):
    """A broker that notes whether a wake-up was passed on, and gets one while all slots are taken."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.passed: list[str] = []
        self.slots_taken = asyncio.Event()

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Find no job."""
        return NotNow(5, listen=True)

    async def wait(self, queue: Queue, pause: NotNow) -> None:
        """Wake up once the other wire has taken the slots."""
        await self.slots_taken.wait()
        self.slots_taken.clear()

    async def pass_on(self, queue: Queue) -> None:
        """Note it."""
        self.passed.append(queue.name)


async def test_a_wake_up_without_a_free_slot_is_passed_on() -> None:
    """A busy worker that hears of a job lets another worker hear of it."""
    store = MemoryStore()
    listener = Passing(store)
    harness = Harness(listener, MemoryBroker(store, wire=Wire.RQ), store=store)
    await harness.launcher.start()
    harness.enqueue(1, 2)
    await harness.until(lambda: harness.running == 2)
    listener.slots_taken.set()
    await harness.until(lambda: listener.passed)
    harness.go.set()
    await harness.launcher.stop(1)
    assert ["work"] == listener.passed


async def test_a_job_that_can_not_be_recorded_costs_only_itself() -> None:
    """An unexpected error while one job is recorded loses its lease, and no other job and no loop."""

    class Broken(MemoryDeadLetters):
        async def add(self, letter: Any) -> None:
            raise ZeroDivisionError

    harness = Harness()
    harness.go.set()
    registry = Registry([Route(JobSchema("greet", "work", Greeting), harness.process)])
    executor = Executor(registry, Broken(harness.store), harness.observe, MemoryBoard())
    harness.launcher = Launcher(harness.brokers, [QUEUE], executor, harness.observe)
    harness.store.enqueue("work", "nobody")
    harness.enqueue(1)
    await harness.launcher.start()
    await harness.until(lambda: len(harness.events) == 2)
    await harness.launcher.stop(1)
    assert {Lost, Done} == set(endings(harness.events))
    assert [State.ACTIVE, State.COMPLETED] == harness.states()


async def test_a_process_that_lacks_what_jobs_need_claims_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves jobs to other workers, says why, and goes on by itself; running jobs go on meanwhile."""
    monkeypatch.setattr(consumer_module, "HOLD_PAUSE", 0.0)
    harness = Harness()
    lack: list[str] = []

    async def check() -> None:
        if lack:
            raise OSError(lack[0])

    harness.launcher.hold_back({"disk": HealthCheck(check, fresh=0.0), "other": HealthCheck(_never_asked, fresh=0.0)})
    harness.enqueue(1)
    await harness.launcher.start()
    await harness.until(lambda: harness.running == 1)
    lack.append("the disk is full")
    harness.enqueue(2, 3)
    harness.go.set()
    await harness.until(lambda: harness.launcher.states()[0].trouble == "it claims no job: the disk is full")
    assert State.WAITING in harness.states()
    lack.clear()
    await harness.until(lambda: harness.states() == [State.COMPLETED] * 3)
    await harness.launcher.stop(1)
    assert ["the disk is full", None] == [event.reason for event in harness.events if isinstance(event, QueueHeld)]


async def _never_asked() -> None:
    pytest.fail("no queue needs it")
