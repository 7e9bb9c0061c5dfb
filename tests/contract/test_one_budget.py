"""Both wires of a queue share one budget: one rate limit, one pause switch."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ConfigDict
from redis import Redis

from queue_lib.broker.base import NotNow
from queue_lib.broker.board import MemoryBoard
from queue_lib.job import State, Wire
from queue_lib.processor import JobSchema, Model, Registry, Route
from queue_lib.runner.executor import Executor
from queue_lib.runner.launcher import Launcher
from tests.support.failed_jobs import FAILURE
from tests.support.polling import BUSY
from tests.support.wire_kit import PREFIX, QUEUE, WireKit, queue, rq_enqueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_lib.broker.base import Lease
    from queue_lib.processor import Context
    from queue_lib.queues import Queue

LIMITED = queue(rate_max=4, rate_duration=0.5)
SLOW = queue(rate_max=4, rate_duration=60)  # its window ends in no test
LIMITER = f"{PREFIX}:{QUEUE.name}:limiter"


class Anything(Model):
    """Any payload."""

    model_config = ConfigDict(extra="allow")


async def enqueue(kit: WireKit, count: int) -> list[str]:
    """Add jobs."""
    return [await kit.enqueue("greet", {"userId": str(number)}) for number in range(count)]


async def test_the_wires_share_the_rate_limit(bullmq: WireKit, rq: WireKit) -> None:
    """Jobs of both wires count in one window: together no more start in it than the limit."""
    await enqueue(bullmq, 6)
    await enqueue(rq, 6)
    brokers = [await bullmq.broker([SLOW]), await rq.broker([SLOW])]
    taken = [await brokers[number % 2].claim(SLOW) for number in range(4)]
    assert all(not isinstance(claimed, NotNow) for claimed in taken)
    for broker in brokers:
        answer = await broker.claim(SLOW)
        assert isinstance(answer, NotNow)
        assert 0 < answer.seconds <= 10


def and_then_sleep(wait: Callable[[Queue, NotNow], Awaitable[None]]) -> Callable[[Queue, NotNow], Awaitable[None]]:
    """`wait`, with a wake-up that is late by more than the other wire's claims take."""

    async def late_wait(queue: Queue, pause: NotNow) -> None:
        await wait(queue, pause)
        await asyncio.sleep(0.1)

    return late_wait


@pytest.mark.parametrize(("of", "late"), [(QUEUE, None), (LIMITED, Wire.BULLMQ), (LIMITED, Wire.RQ)])
async def test_the_wires_share_the_slots(
    bullmq: WireKit, rq: WireKit, monkeypatch: pytest.MonkeyPatch, of: Queue, late: Wire | None
) -> None:
    """With jobs of both in line each wire gets as many slots, also if one always wakes late after a full window."""
    monkeypatch.setattr("queue_lib.runner.slots.HOLD", 60.0)  # else a slow machine is unfair rather than idle
    jobs = 24
    await enqueue(bullmq, jobs)
    await enqueue(rq, jobs)
    started: list[Wire] = []
    enough = asyncio.Event()

    async def note(_: Anything, context: Context, /) -> None:
        started.append(context.job.wire)
        if len(started) == jobs:
            enough.set()

    executor = Executor(
        Registry([Route(JobSchema("greet", QUEUE.name, Anything), note)]),
        rq.dead_letters,
        lambda _: None,
        MemoryBoard(),
    )
    brokers = [kit.make_broker([of], 30.0) for kit in (bullmq, rq)]
    for broker in brokers:
        if broker.wire is late:
            monkeypatch.setattr(broker, "wait", and_then_sleep(broker.wait))
    launcher = Launcher(brokers, [of], executor, lambda _: None)
    await launcher.start()
    await asyncio.wait_for(enough.wait(), 30.0)
    await launcher.stop(5.0)

    assert abs(started[:jobs].count(Wire.BULLMQ) - jobs / 2) <= 2


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_limiter_without_expiry_is_repaired(wire: str, redis_url: str, bullmq: WireKit, rq: WireKit) -> None:
    """A counter that another program left without an expiry neither lifts the limit nor blocks it for ever."""
    kit = {"bullmq": bullmq, "rq": rq}[wire]
    await enqueue(kit, 6)
    with Redis.from_url(redis_url) as client:
        client.set(LIMITER, 400)
        broker = await kit.broker([LIMITED])
        started = time.monotonic()
        answer = await broker.claim(LIMITED)
        assert isinstance(answer, NotNow)
        assert 0 < client.pttl(LIMITER) <= 500
    await kit.claim(broker, LIMITED)
    assert time.monotonic() - started >= 0.49


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_the_last_millisecond_of_a_window_is_no_loophole(
    wire: str, redis_url: str, bullmq: WireKit, rq: WireKit
) -> None:
    """Whoever comes right before a full window ends waits, or opens the next window."""
    kit = {"bullmq": bullmq, "rq": rq}[wire]
    broker = await kit.broker([SLOW])
    with Redis.from_url(redis_url) as client:
        for _ in range(10):
            await enqueue(kit, 1)
            client.set(LIMITER, SLOW.rate_max, px=30)
            while isinstance(await broker.claim(SLOW), NotNow):
                pass
            assert (b"1", True) == (client.get(LIMITER), client.pttl(LIMITER) > 30_000)


async def test_a_limiter_is_repaired_while_jobs_flow(redis_url: str, bullmq: WireKit) -> None:
    """BullMQ's next job comes with the completion of the last; a counter without expiry is repaired there, too."""
    await enqueue(bullmq, 3)
    broker = await bullmq.broker([SLOW])
    broker.reserve_for(SLOW, lambda: 5)
    lease = await bullmq.claim(broker, SLOW)
    with Redis.from_url(redis_url) as client:
        client.set(LIMITER, 400)
        await lease.done(None)
        assert 0 < client.pttl(LIMITER) <= 60_000
    assert isinstance(await broker.claim(SLOW), NotNow)


async def test_the_limit_holds_while_jobs_flow(bullmq: WireKit) -> None:
    """Jobs fetched with the completion of another count, too."""
    await enqueue(bullmq, 12)
    broker = await bullmq.broker([LIMITED])
    broker.reserve_for(LIMITED, lambda: 5)
    started, claims = time.monotonic(), []
    for _ in range(12):
        lease = await bullmq.claim(broker, LIMITED)
        claims.append(time.monotonic() - started)
        await lease.done(None)
    assert claims[7] >= 0.49
    assert claims[11] >= 0.98


async def test_a_limit_set_in_the_app_holds_for_both_wires(redis_url: str, bullmq: WireKit, rq: WireKit) -> None:
    """`queue.setGlobalRateLimit` of Node wins over the queue row's number, on both wires."""
    with Redis.from_url(redis_url) as client:
        client.hset(f"{PREFIX}:{QUEUE.name}:meta", mapping={"max": 1, "duration": 500})
    for kit in (bullmq, rq):
        await enqueue(kit, 2)
    first, second = await bullmq.broker([LIMITED]), await rq.broker([LIMITED])
    assert not isinstance(await second.claim(LIMITED), NotNow)
    for broker in (first, second):
        answer = await broker.claim(LIMITED)
        assert isinstance(answer, NotNow)
        assert not answer.listen


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
@pytest.mark.parametrize("table", [LIMITED, QUEUE], ids=["a limit", "no limit"])
async def test_a_limit_of_the_app_has_the_apps_window(
    redis_url: str, bullmq: WireKit, rq: WireKit, wire: str, table: Queue
) -> None:
    """Whatever the queue row says, the app's window holds, and a long wait looks again within ten seconds."""
    wire_kit = {"bullmq": bullmq, "rq": rq}
    with Redis.from_url(redis_url) as client:
        client.hset(f"{PREFIX}:{QUEUE.name}:meta", mapping={"max": 1, "duration": 60_000})
        await enqueue(wire_kit[wire], 2)
        await wire_kit[wire].claim(await wire_kit[wire].broker([table]), table)
        assert 50_000 < client.pttl(LIMITER) <= 60_000
        client.persist(LIMITER)
        for kit in wire_kit.values():
            answer = await (await kit.broker([table])).claim(table)
            assert isinstance(answer, NotNow)
            assert 0 < answer.seconds <= 10
            assert 50_000 < client.pttl(LIMITER) <= 60_000


async def test_a_limit_of_the_app_has_the_apps_window_while_jobs_flow(redis_url: str, bullmq: WireKit) -> None:
    """A job that comes with the completion of another begins a window, too."""
    await enqueue(bullmq, 2)
    broker = await bullmq.broker([LIMITED])
    broker.reserve_for(LIMITED, lambda: 5)
    lease = await bullmq.claim(broker, LIMITED)
    with Redis.from_url(redis_url) as client:
        client.delete(LIMITER)
        client.hset(f"{PREFIX}:{QUEUE.name}:meta", mapping={"max": 1, "duration": 60_000})
        await lease.done(None)
        assert 50_000 < client.pttl(LIMITER) <= 60_000


SETTLINGS: dict[str, Callable[[Lease], Awaitable[None]]] = {
    "done": lambda lease: lease.done(None),
    "retry at once": lambda lease: lease.retry(0, FAILURE),
    "retry": lambda lease: lease.retry(60, FAILURE),
    "snooze": lambda lease: lease.snooze(60),
    "bury": lambda lease: lease.bury(FAILURE),
    "release": lambda lease: lease.release(),
}


@pytest.mark.parametrize("ending", list(SETTLINGS))
@pytest.mark.parametrize("elsewhere", [False, True], ids=["this process", "another"])
async def test_a_job_that_ends_makes_room(redis_url: str, bullmq: WireKit, ending: str, *, elsewhere: bool) -> None:
    """With the app's `setGlobalConcurrency`, a slot is free as soon as a job ends, however and wherever it ends."""
    await enqueue(bullmq, 2)
    with Redis.from_url(redis_url) as client:
        client.hset(f"{PREFIX}:{QUEUE.name}:meta", "concurrency", 1)
    broker = await bullmq.broker()
    running = await bullmq.claim(broker)
    waiting = asyncio.create_task(bullmq.claim(await bullmq.broker() if elsewhere else broker, within=60))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await SETTLINGS[ending](running)
    await asyncio.wait_for(waiting, 6)  # by itself it looks every ten seconds


@pytest.mark.parametrize("ending", list(SETTLINGS))
@pytest.mark.parametrize(("first", "second"), [("rq", "rq"), ("rq", "bullmq"), ("bullmq", "rq")])
async def test_the_wires_share_the_apps_concurrency(
    redis_url: str, bullmq: WireKit, rq: WireKit, first: str, second: str, ending: str
) -> None:
    """A job of one wire takes a slot from the other wire until it ends."""
    wire_kit = {"bullmq": bullmq, "rq": rq}
    with Redis.from_url(redis_url) as client:
        client.hset(f"{PREFIX}:{QUEUE.name}:meta", "concurrency", 1)
    await enqueue(wire_kit[first], 1)
    running = await wire_kit[first].claim(await wire_kit[first].broker())
    await enqueue(wire_kit[second], 1)
    waiting = asyncio.create_task(wire_kit[second].claim(await wire_kit[second].broker(), within=60))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await SETTLINGS[ending](running)
    await asyncio.wait_for(waiting, 6)


async def test_a_job_with_a_result_ttl_of_0_makes_room(redis_url: str, bullmq: WireKit, rq: WireKit) -> None:
    """It is settled in RQ's own way; BullMQ's consumers hear of its end as of any other."""
    with Redis.from_url(redis_url) as client:
        client.hset(f"{PREFIX}:{QUEUE.name}:meta", "concurrency", 1)
        rq_enqueue(client, "greet", {}, result_ttl=0)
        running = await rq.claim(await rq.broker())
        await enqueue(bullmq, 1)
        waiting = asyncio.create_task(bullmq.claim(await bullmq.broker(), within=60))
        while client.zcard(f"{PREFIX}:{QUEUE.name}:marker"):  # until it has heard of its job, and found no room
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        await running.done(None)
        await asyncio.wait_for(waiting, 6)  # by itself it looks every ten seconds


async def test_rqs_own_suspension_is_heeded(redis_url: str, rq: WireKit) -> None:
    """`rq suspend` stops RQ's jobs."""
    await enqueue(rq, 1)
    broker = await rq.broker()
    with Redis.from_url(redis_url) as client:
        client.set("rq:suspended", 1)
        assert isinstance(await broker.claim(QUEUE), NotNow)
        client.delete("rq:suspended")
    assert "greet" == (await rq.claim(broker)).job.name


async def test_a_job_fetched_ahead_goes_back_when_the_runner_is_quiet(bullmq: WireKit) -> None:
    """At shutdown a job that came with the completion of another is given back at once."""
    _, second, third = await enqueue(bullmq, 3)
    broker, other = await bullmq.broker(), await bullmq.broker()
    lease = await bullmq.claim(broker)
    broker.reserve_for(QUEUE, lambda: 5)
    await lease.done(None)
    assert State.ACTIVE == (await bullmq.view(second)).state
    await broker.quiet(QUEUE)
    assert [second, third] == [(await bullmq.claim(other)).job.id for _ in range(2)]


async def test_no_more_is_fetched_ahead_than_there_is_room_for(bullmq: WireKit) -> None:
    """A job is fetched with the completion of another only where the next free slot is this wire's."""
    _, second, third = await enqueue(bullmq, 3)
    broker = await bullmq.broker()
    broker.reserve_for(QUEUE, lambda: 0)
    await (await bullmq.claim(broker)).done(None)
    assert State.WAITING == (await bullmq.view(second)).state
    broker.reserve_for(QUEUE, lambda: 1)
    await (await bullmq.claim(broker)).done(None)
    assert State.ACTIVE == (await bullmq.view(third)).state


async def test_jobs_are_fetched_ahead_again_after_a_pause_of_the_runner(bullmq: WireKit) -> None:
    """A runner that lacked something gave its job back; from its next claim on it fetches ahead again."""
    _, second = await enqueue(bullmq, 2)
    broker = await bullmq.broker()
    broker.reserve_for(QUEUE, lambda: 1)
    await broker.quiet(QUEUE)
    await (await bullmq.claim(broker)).done(None)
    assert State.ACTIVE == (await bullmq.view(second)).state


async def test_a_job_fetched_ahead_is_not_lost_when_the_runner_closes(bullmq: WireKit) -> None:
    """A job that was fetched ahead and never claimed goes back to the front when the worker signs off."""
    _, second = await enqueue(bullmq, 2)
    broker, other = await bullmq.broker(), await bullmq.broker()
    broker.reserve_for(QUEUE, lambda: 5)
    await (await bullmq.claim(broker)).done(None)
    assert State.ACTIVE == (await bullmq.view(second)).state
    await broker.close()
    bullmq.brokers.remove(broker)
    assert second == (await bullmq.claim(other)).job.id


async def test_a_job_fetched_ahead_and_lost_keeps_no_other_from_going_back(bullmq: WireKit, redis_url: str) -> None:
    """A job whose lock has expired is neither handed out nor given back; those behind it are given back."""
    first, second, third = await enqueue(bullmq, 3)
    broker, other = await bullmq.broker(), await bullmq.broker()
    broker.reserve_for(QUEUE, lambda: 5)
    running = [await bullmq.claim(broker)]
    running += [await bullmq.claim(other)]
    broker.reserve_for(QUEUE, lambda: 5)
    await running[0].done(None)
    assert (first, State.ACTIVE) == (running[0].job.id, (await bullmq.view(third)).state)
    with Redis.from_url(redis_url) as client:
        client.delete(f"{PREFIX}:{QUEUE.name}:{third}:lock")
    await enqueue(bullmq, 1)
    await running[1].done(None)
    renew = next(chore for chore in broker.chores() if chore.name == "renew leases")
    await renew.run()
    claimed = await bullmq.claim(broker)
    assert claimed.job.id not in {first, second, third}


async def test_lanes(redis_url: str, rq: WireKit) -> None:
    """On RQ the high lane comes before the queue itself, the low lane after it, and `at_front` before its lane."""

    def add(connection: Redis, suffix: str, **kwargs: Any) -> str:
        return rq_enqueue(connection, "greet", {}, lane=QUEUE.name + suffix, **kwargs)

    with Redis.from_url(redis_url) as connection:
        low, plain, high = (add(connection, suffix) for suffix in ("-low", "", "-high"))
        front = add(connection, "", at_front=True)
    broker = await rq.broker()
    assert [high, front, plain, low] == [(await rq.claim(broker)).job.id for _ in range(4)]


async def test_the_high_lane_wakes_an_idle_worker(redis_url: str, rq: WireKit) -> None:
    """A job in the high lane is claimed at once, as one in the queue itself is."""
    broker = await rq.broker()
    claim = asyncio.create_task(rq.claim(broker))
    await asyncio.sleep(0.3)
    sent = time.monotonic()
    with Redis.from_url(redis_url) as connection:
        rq_enqueue(connection, "greet", {}, lane=f"{QUEUE.name}-high")
    await claim
    assert time.monotonic() - sent < BUSY
