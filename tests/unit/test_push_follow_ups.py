"""Follow-up jobs over fakes: temporary failures are tried again, in time, up to five attempts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from processors.push import ledger
from processors.push import origins as origins_module
from processors.push.backoff import MAX_ATTEMPTS
from processors.push.delivery import Delivery, Kind
from processors.push.origins import IN_A_ROW
from processors.push.payload import FOLLOW_UP, FollowUpPayload
from processors.push.processor import PushFollowUp, PushNotification
from queue_lib.broker.board import MemoryBoard
from queue_lib.errors import PermanentError, SnoozeError
from queue_lib.job import Wire
from tests.support.fakes import FakeContext, make_job
from tests.support.push_fakes import NOW, ORIGIN, Clock, FakeSender, FakeSubscriptions, make_dependencies, make_row
from tests.support.push_run import job, run


async def test_temporary_failures_become_one_follow_up_job() -> None:
    """With explicit ids, the next attempt's number, a due time, and the message's expiry."""
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
    await PushFollowUp(make_dependencies(FakeSubscriptions(1), sender, clock))(payload, FakeContext())

    assert sender.ttls == [600, 540]


async def test_the_fifth_attempt_is_the_last() -> None:
    """Then the subscription counts as failed."""
    sender, clock = FakeSender({0: Kind.TRANSIENT}), Clock()
    contexts = [FakeContext()]
    await run(1, sender, contexts[0], clock=clock)
    while contexts[-1].enqueued:
        [follow_up] = contexts[-1].enqueued.values()
        clock.now += follow_up.delay
        contexts.append(FakeContext(make_job(id=follow_up.job_id, data=follow_up.data)))
        payload = FollowUpPayload.model_validate(follow_up.data)
        result = await PushFollowUp(make_dependencies(FakeSubscriptions(1), sender, clock))(payload, contexts[-1])

    assert len(sender.tried) == len(contexts) == 5
    assert (result.failed, result.retrying) == (1, 0)


@pytest.mark.parametrize("ttl", [5, 0])
async def test_nothing_is_retried_past_the_ttl(ttl: int) -> None:
    """A follow-up that would be too late is not added, and its subscriptions count as expired, not as failed."""
    context = FakeContext()

    result = await PushNotification(make_dependencies(FakeSubscriptions(2), FakeSender({0: Kind.TRANSIENT})))(
        job(ttl=ttl), context
    )

    assert (result.sent, result.failed, result.expired, result.retrying) == (1, 0, 1, 0)
    assert (context.enqueued, result.follow_ups) == ({}, ())


async def test_a_ttl_of_0_is_sent_to_each() -> None:
    """A fan-out takes time, and a device that is late in the list may still be online."""
    clock, sender = Clock(), FakeSender()

    async def send(subscription: Any, message: Any) -> Delivery:
        clock.now += 1
        return await FakeSender.send(sender, subscription, message)

    sender.send = send  # type: ignore[method-assign]
    counts = await run(20, sender, payload=job(ttl=0), clock=clock)

    assert (counts, sender.ttls) == ((20, 0, 0, 0, 0, 20), [0] * 20)


async def test_the_result_names_its_follow_ups() -> None:
    """In the order in which they were added: the app can ask how the retries went."""
    context = FakeContext()
    sender = FakeSender({0: Delivery(Kind.THROTTLED, "", 100.0), 1: Kind.TRANSIENT})

    result = await PushNotification(make_dependencies(FakeSubscriptions(3), sender))(job(), context)

    assert result.retrying == 2
    assert result.follow_ups == tuple(context.enqueued)


async def test_a_pause_that_is_asked_for_one_device_is_its_own() -> None:
    """A throttled device waits that long, in a follow-up of its own; the others do not."""
    context = FakeContext()
    sender = FakeSender(
        {0: Delivery(Kind.THROTTLED, "", 100.0), 2: Delivery(Kind.THROTTLED, "", 90), 4: Kind.TRANSIENT}
    )

    await run(5, sender, context)

    delays = {tuple(each.data["subscriptionIds"]): each.delay for each in context.enqueued.values()}
    assert delays == {("000000", "000002"): pytest.approx(120), ("000004",): pytest.approx(7.5)}


async def test_a_pause_that_is_asked_for_two_is_for_all() -> None:
    """Thirty jobs of one device each: a few requests, then all go out after the pause, one after another."""
    clock, sender = Clock(), FakeSender(dict.fromkeys(range(30), Delivery(Kind.THROTTLED, "HTTP 429", 30.0)))
    rows = FakeSubscriptions([make_row(n, user_id=str(n)) for n in range(30)])
    dependencies, board = make_dependencies(rows, sender, clock), MemoryBoard(clock)
    contexts = [FakeContext(make_job(id=str(n)), board) for n in range(30)]

    results = [await PushNotification(dependencies)(job(n), context) for n, context in enumerate(contexts)]

    assert [(1, 0)] * 30 == [(result.retrying, result.failed) for result in results]
    assert 2 == len(sender.tried)
    follow_ups = [each for context in contexts for each in context.enqueued.values()]
    assert all(30 <= each.delay <= 60 for each in follow_ups)
    assert len({round(each.delay, 3) for each in follow_ups}) >= 29


async def test_messages_that_were_not_sent_use_no_attempt() -> None:
    """While its push service rests a follow-up is put off, and no other job is made of it."""
    clock, sender = Clock(), FakeSender(dict.fromkeys(range(IN_A_ROW + 1), Kind.TRANSIENT))
    dependencies, board = make_dependencies(FakeSubscriptions(IN_A_ROW + 1), sender, clock), MemoryBoard(clock)
    context = FakeContext(board=board)
    await PushNotification(dependencies)(job(), context)
    [untried] = [each for each in context.enqueued.values() if len(each.data["subscriptionIds"]) == 1]
    payload = FollowUpPayload.model_validate(untried.data)
    assert (2, f"{IN_A_ROW:06}") == (payload.attempt, payload.subscription_ids[0])

    later, before = FakeContext(make_job(id=untried.job_id), board), len(sender.tried)
    for _ in range(8):
        with pytest.raises(SnoozeError, match="is left alone for now") as caught:
            await PushFollowUp(dependencies)(payload, later)
        assert 0 < caught.value.delay <= 60
        clock.now += 0.1

    assert (before, {}, []) == (len(sender.tried), later.enqueued, later.counts)


async def test_follow_ups_to_a_push_service_that_is_no_more_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """They do not run every minute until each message has expired."""
    monkeypatch.setattr(origins_module, "PATIENCE", 0.0)
    clock, sender = Clock(), FakeSender(dict.fromkeys(range(IN_A_ROW), Kind.TRANSIENT))
    dependencies, board = make_dependencies(FakeSubscriptions(IN_A_ROW + 1), sender, clock), MemoryBoard(clock)
    await PushNotification(dependencies)(job(), FakeContext(board=board))
    clock.now += 0.1
    data = {"payload": {"title": "t", "body": "b"}, "subscriptionIds": [f"{IN_A_ROW:06}"], "followUpOf": "1"}
    results, attempts = [], [2, 3, 4, MAX_ATTEMPTS]
    for attempt in attempts:
        payload, context = FollowUpPayload.model_validate({**data, "attempt": attempt}), FakeContext(board=board)
        result = await PushFollowUp(dependencies)(payload, context)
        results.append((result.retrying, result.failed, [each.data["attempt"] for each in context.enqueued.values()]))

    assert [(1, 0, [3]), (1, 0, [4]), (1, 0, [5]), (0, 1, [])] == results


async def test_a_follow_up_that_may_probe_is_sent() -> None:
    """When the rest is over, the first one that is due finds out for all."""
    clock, sender = Clock(), FakeSender(dict.fromkeys(range(IN_A_ROW), Kind.TRANSIENT))
    dependencies, board = make_dependencies(FakeSubscriptions(IN_A_ROW + 5), sender, clock), MemoryBoard(clock)
    context = FakeContext(board=board)
    await PushNotification(dependencies)(job(), context)
    first, *_ = sorted(context.enqueued.values(), key=lambda each: each.delay)
    clock.now += first.delay

    payload = FollowUpPayload.model_validate({**first.data, "subscriptionIds": [f"{IN_A_ROW:06}"]})
    result = await PushFollowUp(dependencies)(payload, FakeContext(make_job(id=first.job_id), board))

    assert (1, 0) == (result.sent, result.retrying)
    assert not dependencies.origins.is_resting(ORIGIN)


async def test_a_follow_up_that_was_noted_but_not_enqueued_is_enqueued_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A crash between the two steps loses no subscription."""
    monkeypatch.setattr(ledger, "WRITE_EVERY", 3600.0)  # the second step is not noted, however long the run takes
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


async def test_a_push_service_that_refuses_us_all_of_a_sudden_is_waited_for() -> None:
    """It took messages within the hour: none has failed, no attempt is used, and all go out later."""
    refusing = FakeSender(dict.fromkeys(range(3), Kind.CONFIGURATION), proven=True)
    context, clock = FakeContext(), Clock()
    assert (0, 0, 0, 3, 0, 3) == await run(3, refusing, context, job(ttl=3600), clock)
    [follow_up] = context.enqueued.values()
    payload, later = FollowUpPayload.model_validate(follow_up.data), FakeContext()
    for _ in range(5):
        clock.now += 60
        with pytest.raises(SnoozeError, match=r"the push services refuse this server.*https://push\.test") as caught:
            await PushFollowUp(make_dependencies(FakeSubscriptions(3), refusing, clock))(payload, later)
        assert 60.0 == caught.value.delay
    result = await PushFollowUp(make_dependencies(FakeSubscriptions(3), FakeSender(), clock))(payload, later)

    assert (3, 0) == (result.sent, result.failed)


async def test_a_subscription_that_a_working_service_refuses_has_failed() -> None:
    """The service has taken other messages since: these subscriptions are at fault, and are not tried again."""
    sender, context, clock = FakeSender({0: Kind.CONFIGURATION}, proven=True), FakeContext(), Clock()
    await run(1, sender, context, job(ttl=3600), clock)
    [follow_up] = context.enqueued.values()
    payload, later = FollowUpPayload.model_validate(follow_up.data), FakeContext()
    clock.now += 10
    with pytest.raises(SnoozeError):
        await PushFollowUp(make_dependencies(FakeSubscriptions(1), sender, clock))(payload, later)
    sender.taken_at = clock.now + 30
    clock.now += 60
    result = await PushFollowUp(make_dependencies(FakeSubscriptions(1), sender, clock))(payload, later)

    assert (1, 0, {}) == (result.failed, result.retrying, later.enqueued)


async def test_after_an_hour_of_refusals_a_follow_up_is_dead() -> None:
    """The server's key may be bad: an operator has to look, and to replay the dead letter."""
    sender, context, clock = FakeSender({0: Kind.CONFIGURATION}, proven=True), FakeContext(), Clock()
    await run(1, sender, context, job(ttl=7200), clock)
    [follow_up] = context.enqueued.values()
    sender.proven = False

    payload = FollowUpPayload.model_validate(follow_up.data)
    with pytest.raises(PermanentError, match="the push services refuse this server"):
        await PushFollowUp(make_dependencies(FakeSubscriptions(1), sender, clock))(payload, FakeContext())
