"""Runs over fakes that are cut short or repeated: the next one does the rest, and no device gets its push twice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from processors.push.allowance import FIRST
from processors.push.delivery import Delivery, Kind
from processors.push.ledger import MAX_UNWRITTEN
from processors.push.origins import Origins
from processors.push.processor import PushNotification
from queue_lib.errors import BrokerUnavailableError
from tests.support.fakes import FakeContext
from tests.support.push_fakes import Clock, FakeSender, FakeSubscriptions, make_dependencies
from tests.support.push_run import job, run


async def test_a_job_that_goes_well_writes_nothing() -> None:
    """Notes are for runs that are cut short; the completion says that all is settled."""
    context = FakeContext()

    await run(3, FakeSender(), context)

    assert context.kept == {}


async def test_another_run_skips_what_is_settled_and_adds_no_second_follow_up() -> None:
    """A recovered or retried job repeats no message, and no follow-up."""
    context, sender = FakeContext(), FakeSender({0: Kind.TRANSIENT, 1: Kind.GONE})
    rows = FakeSubscriptions(3)
    await run(rows, sender, context)
    clock = Clock()
    clock.now += 1

    counts = await run(rows, sender, context, clock=clock)

    assert counts == (0, 0, 0, 0, 2, 2)
    assert sender.tried == ["000000", "000001", "000002"]
    assert len(context.enqueued) == 1


async def test_a_run_that_is_cut_short_notes_what_it_has_settled() -> None:
    """SIGTERM or the deadline half-way: the next run does the rest."""
    context, hanging = FakeContext(), asyncio.Event()
    sender = FakeSender()

    async def send(subscription: Any, message: Any) -> Delivery:
        if subscription.id == "000001":
            await hanging.wait()
        return await FakeSender.send(sender, subscription, message)

    sender.send = send  # type: ignore[method-assign]
    task = asyncio.create_task(run(3, sender, context))
    while len(sender.taken) < 2:
        await asyncio.sleep(0)
    task.cancel()
    hanging.set()  # answered while the run is being cut short: that is waited for
    with pytest.raises(asyncio.CancelledError):
        await task

    assert {key for key in context.kept if key.startswith("s:")} == {"s:000000", "s:000001", "s:000002"}


async def test_a_sent_message_is_noted_if_the_run_is_cut_while_it_shares_facts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sharing facts about a push service writes to Redis, which may take its time."""
    context, telling = FakeContext(), asyncio.Event()

    async def saw(*_: Any) -> None:
        telling.set()
        await asyncio.Future()

    monkeypatch.setattr(Origins, "saw", saw)
    task = asyncio.create_task(run(1, FakeSender(), context))
    await telling.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert "1" == context.kept["s:000000"]


async def test_the_next_run_counts_and_prunes_for_a_cut_run() -> None:
    """It skips no subscription whose outcome no run has reported."""
    rows, context, answers = FakeSubscriptions(100), FakeContext(), asyncio.Event()
    sender = FakeSender({0: Kind.MESSAGE, 1: Kind.GONE})

    async def send(subscription: Any, message: Any) -> Delivery:
        if int(subscription.id) >= 10:
            await answers.wait()
        return await FakeSender.send(sender, subscription, message)

    sender.send = send  # type: ignore[method-assign]
    first = asyncio.create_task(PushNotification(make_dependencies(rows, sender))(job(), context))
    for _ in range(200):
        await asyncio.sleep(0)
    first.cancel()
    first.get_loop().call_soon(answers.set)
    with capture_logs() as logs:
        await asyncio.wait([first])
    [(_, counts)] = context.counts
    cut = counts["https://push.test"]
    result = await PushNotification(make_dependencies(rows, sender))(job(), context)

    assert first.cancelled()
    assert ["push_failed", "push_gone"] == [entry["event"] for entry in logs]
    assert (cut["message"], cut["gone"]) == (1, 1)
    assert cut["sent"] > 8
    assert (result.pruned, result.sent, result.skipped) == (1, 98 - cut["sent"], 1 + cut["sent"])
    assert rows.prunes == [["000001"]]


async def test_a_run_that_is_cancelled_twice_leaves_nothing_running() -> None:
    """By its deadline and by a stop: no message goes out after the run has ended."""
    sender, answers = FakeSender(), asyncio.Event()

    async def send(subscription: Any, message: Any) -> Delivery:
        await answers.wait()
        return await FakeSender.send(sender, subscription, message)

    sender.send = send  # type: ignore[method-assign]
    run_once = asyncio.create_task(
        PushNotification(make_dependencies(FakeSubscriptions(100), sender))(job(), FakeContext())
    )
    for _ in range(2):
        for _ in range(20):
            await asyncio.sleep(0)
        run_once.cancel()
    await asyncio.wait([run_once])

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_broker_that_stays_away_fails_the_run() -> None:
    """Messages that can't be noted would be repeated, so none go out beyond those that wait to be noted."""
    context, sender = FakeContext(), FakeSender()
    context.fault = BrokerUnavailableError("away")

    with pytest.raises(BrokerUnavailableError):
        await run(1000, sender, context)

    assert len(sender.tried) <= MAX_UNWRITTEN + FIRST
