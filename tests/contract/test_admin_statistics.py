"""What an operator sees of queues and workers, on every wire: counts, running jobs, and the work of each minute."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import pytest
import redis

from queue_lib.admin.admin import Admin
from queue_lib.errors import Trouble
from queue_lib.job import State
from queue_lib.observe.events import JobEnded, JobStarted
from queue_lib.observe.worker_stats import WorkerStats, WorkerView
from queue_lib.outcome import Dead, Done, Outcome, Retry
from queue_lib.runner.reporter import Reporter
from tests.support.failed_jobs import FAILURE, failed
from tests.support.polling import BUSY, until
from tests.support.wire_kit import QUEUE, WireKit, backends, clock, redis_kit

if TYPE_CHECKING:
    from queue_lib.broker.base import Broker, Lease


async def test_statistics(kit: WireKit, admin: Admin) -> None:
    """Counts by wire, whether the queue is paused, and how long the next job has waited."""
    await failed(kit, "greet")
    await kit.enqueue("greet", {})
    await kit.inspector.pause(QUEUE.name)

    [stats] = await admin.queues.stats()

    assert (QUEUE.name, True) == (stats.queue, stats.paused)
    assert (1, 1, 0) == tuple(stats.total(state) for state in (State.WAITING, State.FAILED, State.ACTIVE))
    assert {kit.inspector.wire} == set(stats.counts)
    assert stats.oldest is not None
    assert 0 <= stats.oldest < 5


@dataclass
class Process:
    """A worker process of one wire: it claims jobs and sends heartbeats."""

    kit: WireKit
    broker: Broker
    stats: WorkerStats
    reporter: Reporter

    @classmethod
    async def start(cls, kit: WireKit, name: str) -> Self:
        """Start it."""
        stats = WorkerStats(clock(kit), {QUEUE.name: ["greet"]})
        wires, queues = (kit.inspector.wire,), (QUEUE.name,)
        me = WorkerView(name=name, host="here", pid=1, started_at=clock(kit)(), queues=queues, wires=wires)
        return cls(
            kit, await kit.broker(), stats, Reporter(me, stats, kit.heartbeats, lambda: 5_000_000, lambda _: None)
        )

    async def claim(self) -> Lease:
        """Take a job, and report that it starts."""
        lease = await self.kit.claim(self.broker)
        self.stats(JobStarted(lease.job))
        return lease

    async def run(self, outcome: Outcome, seconds: float = 1.0) -> None:
        """Run a job to this ending."""
        lease = await self.claim()
        match outcome:
            case Done(result):
                await lease.done(result)
            case Retry(delay, failure):
                await lease.retry(delay, failure)
            case Dead(failure):
                await lease.bury(failure)
        self.stats(JobEnded(lease.job, outcome, seconds))


async def test_workers_are_seen_with_their_jobs(kit: WireKit, admin: Admin) -> None:
    """Each worker with a heartbeat is listed by name until it signs off, also after Redis has lost its data."""
    first, second = await Process.start(kit, "a"), await Process.start(kit, "b")
    job_id = await kit.enqueue("greet", {})
    await first.claim()
    await second.reporter.send()
    await first.reporter.send()

    seen, other = await admin.workers.alive()

    assert ("a", "here", 1, 5_000_000) == (seen.name, seen.host, seen.pid, seen.memory)
    assert ((QUEUE.name,), (kit.inspector.wire,)) == (seen.queues, seen.wires)
    assert seen.started_at <= seen.seen_at + 1  # the server counts in whole seconds
    [running] = seen.running
    assert (QUEUE.name, kit.inspector.wire, job_id, "greet", 1) == (
        *(running.queue, running.wire, running.id),
        *(running.name, running.attempt),
    )
    assert ("b", ()) == (other.name, other.running)
    await first.reporter.sign_off()
    assert ["b"] == [each.name for each in await admin.workers.alive()]


async def test_the_history_is_summed_over_all_processes(kit: WireKit, admin: Admin) -> None:
    """Every minute is there, oldest first, also those without jobs."""
    processes = [await Process.start(kit, name) for name in "ab"]
    for process in processes:
        for outcome in (Done(None), Retry(60.0, FAILURE), Dead(FAILURE)):
            await kit.enqueue("greet", {})
            await process.run(outcome, seconds=4.0)
        await process.reporter.send()
        await process.reporter.send()
    await processes[0].reporter.sign_off()

    history = await admin.queues.history(QUEUE.name, minutes=5)

    now = clock(kit)()
    assert [60.0] * 4 == [after.at - before.at for before, after in itertools.pairwise(history)]
    assert now - 60 - 5 < history[-1].at <= now
    assert (2, 2, 2) == tuple(sum(getattr(minute, name) for minute in history) for name in ("done", "retried", "dead"))
    worked = [minute for minute in history if minute.done or minute.dead]
    assert all(2.8 < (minute.run_p50 or 0) <= (minute.run_p95 or 0) < 5.7 for minute in worked)
    assert all(0 <= (minute.wait_p50 or 0) <= (minute.wait_p95 or 0) < 5 for minute in worked)
    assert any(minute.wait_p95 is not None for minute in worked)
    assert {(0, None)} == {(minute.done, minute.run_p50) for minute in history[:3]}


async def test_a_day_and_the_jobs_by_name(kit: WireKit, admin: Admin) -> None:
    """In spans of ten minutes and of half an hour, over all processes; a name that nobody serves is another one."""
    for process in [await Process.start(kit, name) for name in "ab"]:
        for name, outcome in (("greet", Done(None)), ("greet", Dead(FAILURE)), ("unheard of", Retry(60.0, FAILURE))):
            await kit.enqueue(name, {})
            await process.run(outcome, seconds=4.0)
        await process.reporter.send()

    day = await admin.queues.day(QUEUE.name)
    found = await admin.queues.by_name(QUEUE.name, minutes=1)

    now = clock(kit)()
    assert (144, {600.0}) == (len(day), {after.at - before.at for before, after in itertools.pairwise(day)})
    assert now - 600 - 5 < day[-1].at <= now
    assert (2, 2, 2) == tuple(sum(getattr(span, name) for span in day) for name in ("done", "retried", "dead"))
    assert [("greet", 2, 0, 2), ("other", 0, 2, 0)] == [
        (each.name, each.done, each.retried, each.dead) for each in found.names
    ]
    assert all(2.8 < (each.run_p50 or 0) <= (each.run_p95 or 0) < 5.7 for each in found.names)
    assert now - 1860 - 5 < found.since <= now - 60
    assert found.names == (await admin.queues.by_name(QUEUE.name, minutes=1440)).names


@pytest.mark.parametrize("minutes", [0, 1441])
async def test_a_history_has_bounds(admin: Admin, minutes: int) -> None:
    """It covers a day at most."""
    for ask in (admin.queues.history, admin.queues.by_name):
        with pytest.raises(ValueError, match="a history has 1 to 1440 minutes"):
            await ask(QUEUE.name, minutes)


async def test_a_malformed_heartbeat_is_left_out(redis_url: str) -> None:
    """The other workers are still shown."""
    async with redis_kit(redis_url, "bullmq") as kit:
        await (await Process.start(kit, "b")).reporter.send()
        with redis.Redis.from_url(redis_url) as server:
            server.zadd("bull:pulse:workers", {"a": time.time()})
            server.set("bull:pulse:worker:a", b'{"name": "\xff')
            server.hset(f"bull:pulse:minute:work:{int(time.time() // 60)}", mapping={"done": "x", "dead": "1"})
        admin = Admin(backends(kit), by="anna")

        assert ["b"] == [each.name for each in await admin.workers.alive()]
        assert (0, 1) == ((minute := (await admin.queues.history(QUEUE.name))[-1]).done, minute.dead)


async def test_a_job_that_is_due_waits_though_no_worker_has_moved_it(kit: WireKit, admin: Admin) -> None:
    """An autoscaler that has ended the last worker must see it; the time before it was due does not count."""
    due = clock(kit)() + 2.0
    await kit.enqueue("greet", {}, delay=2.0)
    [before] = await admin.queues.stats()
    seen: Any = await until(lambda: _waiting(admin), 10.0 + BUSY)

    assert (None, 0.0) == (before.oldest, before.load)
    assert seen.oldest is not None
    assert 0 <= seen.oldest <= clock(kit)() - due + kit.precision
    assert seen.load >= 1


async def _waiting(admin: Admin) -> Any:
    [stats] = await admin.queues.stats()
    return None if stats.oldest is None else stats


async def test_the_time_before_a_job_was_due_is_not_waiting(kit: WireKit, admin: Admin) -> None:
    """Also when a worker has moved it into the line: it would look like a queue that can't keep up."""
    due = clock(kit)() + 2.0
    await kit.enqueue("greet", 1, delay=2.0)
    await kit.enqueue("greet", 2, delay=2.0)
    await asyncio.sleep(2.0 + kit.precision)  # both are due, so that the claim moves both
    broker = await kit.broker()
    lease = await kit.claim(broker)
    [stats] = await admin.queues.stats()
    await lease.done("ok")

    assert stats.oldest is not None
    assert 0 <= stats.oldest <= clock(kit)() - due + kit.precision


async def test_a_queue_that_cannot_be_read_keeps_its_worker(admin: Admin) -> None:
    """Nobody knows whether a job runs there."""
    [stats] = await admin.queues.stats()

    assert (0.0, 1.0) == (stats.load, replace(stats, trouble=Trouble.WRONG_TYPE).load)
