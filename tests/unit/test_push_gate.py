"""Permits for requests in flight: how many, and which job is next."""

from __future__ import annotations

import asyncio

from processors.push.allowance import FIRST, Allowance
from processors.push.gate import Gate, Permit, Total


def gate(total: int = 100, share: int = 2) -> Gate:
    """A gate with FIRST permits."""
    return Gate(Total(total), Allowance(), share)


def fill(at: Gate, count: int = FIRST) -> list[Permit]:
    """Take this many permits."""
    permits = [at.enter(0.0, small=False) for _ in range(count)]
    assert None not in permits
    return [permit for permit in permits if permit]


def wait(at: Gate, job: str, count: int = 1, *, small: bool = False) -> list[asyncio.Task[Permit | None]]:
    """Requests of a job that wait."""
    return [asyncio.create_task(at.wait(job, 0.0, small=small)) for _ in range(count)]


async def test_no_more_than_are_allowed() -> None:
    """Further requests wait until one ends."""
    at = gate()
    first, *_ = fill(at)
    assert at.enter(0.0, small=False) is None

    [waiting] = wait(at, "a")
    await asyncio.sleep(0)
    assert not waiting.done()
    at.leave(first, 1.0)

    assert await waiting is not None


async def test_jobs_have_turns() -> None:
    """One device does not wait for an earlier batch."""
    at = gate()
    permits, batch = fill(at), wait(at, "batch", 100)
    await asyncio.sleep(0)
    [device] = wait(at, "device", small=True)
    await asyncio.sleep(0)

    for permit in permits[:2]:
        at.leave(permit, 1.0)
    await asyncio.sleep(0)

    assert device.done()
    assert 1 == sum(each.done() for each in batch)
    for each in batch:
        each.cancel()


async def test_small_jobs_hold_a_share() -> None:
    """At most a share of the queue's slots waits for one push service; a batch, which holds one, is not counted."""
    at = gate(share=2)
    first, second, none = (at.enter(0.0, small=True) for _ in range(3))
    assert first is not None
    assert second is not None
    assert none is None
    [third], [batch] = wait(at, "third", small=True), wait(at, "batch")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (False, True) == (third.done(), batch.done())
    at.leave(first, 1.0)

    assert await third is not None


async def test_the_total_is_shared_in_turns() -> None:
    """A push service that waits for another's permit gets the next one."""
    total = Total(3)
    busy, idle = (Gate(total, Allowance(), 2) for _ in range(2))
    first, *_ = fill(busy, 3)
    more = wait(busy, "a", 3)
    await asyncio.sleep(0)
    [other] = wait(idle, "b")
    await asyncio.sleep(0)
    busy.leave(first, 1.0)
    await asyncio.sleep(0)
    one, *_ = [each.result() for each in more if each.done()]
    assert one is not None
    busy.leave(one, 2.0)
    await asyncio.sleep(0)

    assert other.done()
    for each in more:
        each.cancel()


async def test_a_cancelled_wait_leaks_no_permit() -> None:
    """Neither while it waits, nor in the moment in which it gets one."""
    total = Total(1)
    at = Gate(total, Allowance(), 1)
    [permit] = fill(at, 1)
    waiting, given = wait(at, "a", 2)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.sleep(0)
    at.leave(permit, 1.0)
    given.cancel()
    await asyncio.gather(waiting, given, return_exceptions=True)

    assert (0, False, []) == (total.in_flight, at.is_used, list(total.crowded))


async def test_a_wait_that_is_sent_away_looks_again() -> None:
    """All of them, or those of small jobs."""
    at = gate()
    fill(at)
    batch, device = wait(at, "batch", 2), wait(at, "device", small=True)
    await asyncio.sleep(0)

    at.send_away(small_only=True)
    assert [None] == await asyncio.gather(*device)
    assert not any(each.done() for each in batch)
    at.send_away(small_only=False)

    assert [None, None] == await asyncio.gather(*batch)
    assert not at.is_crowded
