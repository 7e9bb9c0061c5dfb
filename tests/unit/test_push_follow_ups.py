"""Follow-up jobs over fakes: what failed for the moment is tried again, in time, and so many times."""

from __future__ import annotations

import json

import pytest

from processors.push.delivery import Delivery, Kind
from processors.push.payload import FOLLOW_UP, FollowUpPayload
from processors.push.processor import PushFollowUp
from queue_lib.job import Wire
from tests.support.fakes import FakeContext, make_job
from tests.support.push_fakes import NOW, Clock, FakeSender, FakeSubscriptions, make_parts
from tests.support.push_run import job, run


async def test_what_failed_for_the_moment_becomes_one_follow_up_job() -> None:
    """With explicit ids, the next attempt's number, a due time, and the time at which the message loses its worth."""
    context = FakeContext(make_job(id="j1", wire=Wire.RQ))
    payload = job(ttl=600, topic="chat", urgency="high")

    await run(4, FakeSender({1: Kind.TRANSIENT, 3: Kind.TRANSIENT}), context, payload)

    [follow_up] = context.enqueued.values()
    assert follow_up.name == FOLLOW_UP
    assert follow_up.delay == pytest.approx(7.5)
    data = FollowUpPayload.model_validate(json.loads(json.dumps(follow_up.data)))
    assert (data.subscription_ids, data.attempt, data.follow_up_of) == (["000001", "000003"], 2, "j1")
    assert data.options.expires_at == NOW + 600
    assert (data.options.topic, data.options.urgency) == ("chat", "high")


async def test_a_follow_up_sends_with_what_is_left_of_the_ttl() -> None:
    """The push service must not keep the message longer than its sender wanted."""
    context, clock, sender = FakeContext(), Clock(), FakeSender({0: Kind.TRANSIENT})
    await run(1, sender, context, job(ttl=600), clock)
    clock.now += 60

    [follow_up] = context.enqueued.values()
    payload = FollowUpPayload.model_validate(follow_up.data)
    await PushFollowUp(make_parts(FakeSubscriptions(1), sender, clock))(payload, FakeContext())

    assert sender.ttls == [600, 540]


async def test_the_fifth_attempt_is_the_last() -> None:
    """Then the subscription counts as failed; it is not retried for ever."""
    sender, clock = FakeSender({0: Kind.TRANSIENT}), Clock()
    contexts = [FakeContext()]
    await run(1, sender, contexts[0], clock=clock)
    while contexts[-1].enqueued:
        [follow_up] = contexts[-1].enqueued.values()
        clock.now += follow_up.delay
        contexts.append(FakeContext(make_job(id=follow_up.id, data=follow_up.data)))
        payload = FollowUpPayload.model_validate(follow_up.data)
        result = await PushFollowUp(make_parts(FakeSubscriptions(1), sender, clock))(payload, contexts[-1])

    assert len(sender.tried) == len(contexts) == 5
    assert (result.failed, result.retrying) == (1, 0)


async def test_nothing_is_retried_past_the_ttl() -> None:
    """A follow-up that would come too late is not enqueued."""
    context = FakeContext()

    counts = await run(1, FakeSender({0: Kind.TRANSIENT}), context, job(ttl=5))

    assert (counts, context.enqueued) == ((0, 1, 0, 0, 0, 1), {})


async def test_a_pause_that_a_push_service_asks_for_is_kept() -> None:
    """Who was throttled waits so long, in a follow-up of its own; the others do not."""
    context = FakeContext()
    sender = FakeSender(
        {0: Delivery(Kind.THROTTLED, "", 100.0), 1: Kind.TRANSIENT, 2: Delivery(Kind.THROTTLED, "", 90)}
    )

    await run(3, sender, context)

    delays = {tuple(each.data["subscriptionIds"]): each.delay for each in context.enqueued.values()}
    assert delays == {("000000", "000002"): pytest.approx(120), ("000001",): pytest.approx(7.5)}


async def test_a_follow_up_that_was_noted_but_not_enqueued_is_enqueued_by_the_next_run() -> None:
    """A crash between the two steps loses nobody."""
    context, rows = FakeContext(), FakeSubscriptions(2)
    await run(rows, FakeSender({1: Kind.TRANSIENT}), context)
    lost = dict(context.enqueued)
    context.enqueued.clear()

    await run(rows, FakeSender(), context)

    assert context.enqueued.keys() == lost.keys()


async def test_a_follow_up_that_has_run_is_not_enqueued_again() -> None:
    """Its job may be cleared away long before the one that it follows is recovered."""
    context = FakeContext()
    await run(3, FakeSender({0: Kind.TRANSIENT, 2: Kind.GONE}), context)
    context.enqueued.clear()

    await run(3, FakeSender(), context)

    assert context.enqueued == {}
