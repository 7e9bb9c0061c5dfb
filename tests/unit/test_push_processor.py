"""The fan-out over fakes: what is counted, pruned, retried and remembered, and what one fault may cost."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from processors.push.circuit import IN_A_ROW
from processors.push.delivery import Delivery, Kind
from processors.push.fan_out import MAX_LINES
from processors.push.payload import FOLLOW_UP, FollowUpPayload, PushPayload
from processors.push.processor import PushFollowUp, PushNotification
from queue_lib.errors import BrokerUnavailableError, PermanentError, SnoozeError
from queue_lib.job import Wire
from storage.errors import StorageAwayError
from tests.support.fakes import FakeContext, make_job
from tests.support.push_fakes import NOW, Clock, FakeSender, FakeSubscriptions, make_parts, make_row

COUNTS = ("sent", "failed", "pruned", "retrying", "skipped", "total")


def job(**options: Any) -> PushPayload:
    """A payload for user 1."""
    return PushPayload.model_validate({"userId": 1, "payload": {"title": "t", "body": "b"}, "options": options})


async def run(
    subscriptions: FakeSubscriptions | int,
    sender: FakeSender,
    context: FakeContext | None = None,
    payload: PushPayload | None = None,
    clock: Clock | None = None,
) -> tuple[int, ...]:
    """Run a job; returns the counts of its result, which add up."""
    rows = FakeSubscriptions(subscriptions) if isinstance(subscriptions, int) else subscriptions
    parts = make_parts(rows, sender, clock)
    result = await PushNotification(parts)(payload or job(), context or FakeContext())
    counts = tuple(getattr(result, name) for name in COUNTS)
    assert sum(counts[:-1]) == counts[-1]
    return counts


async def test_a_user_without_devices_is_no_fault() -> None:
    """Nobody to send to is a result of zeros."""
    assert await run(0, FakeSender()) == (0, 0, 0, 0, 0, 0)


async def test_every_end_is_counted_once() -> None:
    """The counts add up to the number of subscriptions."""
    sender = FakeSender({1: Kind.GONE, 2: Kind.MESSAGE, 3: Kind.TRANSIENT, 4: Kind.REDIRECT})

    assert await run(6, sender) == (2, 2, 1, 1, 0, 6)


async def test_the_result_and_the_tally_have_counts_by_origin_and_reason() -> None:
    """Where which answer came from is in the result, and told to the log and the metrics."""
    rows = FakeSubscriptions([make_row(0), make_row(1, "https://other.test"), make_row(2)])
    context = FakeContext()

    result = await PushNotification(make_parts(rows, FakeSender({2: Kind.GONE})))(job(), context)

    expected = {"https://push.test": {"sent": 1, "gone": 1}, "https://other.test": {"sent": 1}}
    assert result.origins == expected
    assert context.tallies == [("push_deliveries", expected), ("push_pruned", {"subscriptions": {"gone": 1}})]


async def test_an_unexpected_fault_stays_with_its_subscription() -> None:
    """Even a bug in sending one push neither fails the job nor stops the others."""
    sender = FakeSender({0: RuntimeError("with a secret")})

    with capture_logs() as logs:
        counts = await run(120, sender)

    assert counts == (119, 1, 0, 0, 0, 120)
    assert len(set(sender.tried)) == len(sender.tried) == 120
    assert [entry["reason"] for entry in logs] == ["unexpected RuntimeError"]


async def test_a_job_that_goes_well_writes_nothing() -> None:
    """Its completion says that all is settled; notes are for runs that are cut short."""
    context = FakeContext()

    await run(3, FakeSender(), context)

    assert context.kept == {}


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


async def test_another_run_skips_what_is_settled_and_adds_no_second_follow_up() -> None:
    """A job that is recovered or retried sends to nobody who was sent to, and hands nobody over twice."""
    context, sender = FakeContext(), FakeSender({0: Kind.TRANSIENT, 1: Kind.GONE})
    rows = FakeSubscriptions(3)
    await run(rows, sender, context)
    clock = Clock()
    clock.now += 1

    counts = await run(rows, sender, context, clock=clock)

    assert counts == (0, 0, 0, 0, 2, 2)
    assert sender.tried == ["000000", "000001", "000002"]
    assert len(context.enqueued) == 1


async def test_a_follow_up_that_was_noted_but_not_enqueued_is_enqueued_by_the_next_run() -> None:
    """A crash between the two steps loses nobody."""
    context, rows = FakeContext(), FakeSubscriptions(2)
    await run(rows, FakeSender({1: Kind.TRANSIENT}), context)
    lost = dict(context.enqueued)
    context.enqueued.clear()

    await run(rows, FakeSender(), context)

    assert context.enqueued.keys() == lost.keys()


async def test_a_run_that_is_cut_short_notes_what_it_has_settled() -> None:
    """SIGTERM or the deadline in the middle: the next run goes on with the rest."""
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


async def test_a_broker_that_stays_away_fails_the_run() -> None:
    """What can't be noted would be sent again: nobody is sent to beyond a hundred."""
    context, sender = FakeContext(), FakeSender()
    context.fault = BrokerUnavailableError("away")

    with pytest.raises(BrokerUnavailableError):
        await run(1000, sender, context)

    assert len(sender.tried) < 200


async def test_a_row_that_was_replaced_meanwhile_is_not_counted_as_pruned() -> None:
    """A device that subscribed anew while it was being sent to keeps its row, and counts as failed."""
    rows = FakeSubscriptions(2)
    rows.replaced = {"000001"}

    assert await run(rows, FakeSender({0: Kind.GONE, 1: Kind.GONE})) == (0, 1, 1, 0, 0, 2)


async def test_a_database_that_fails_after_sending_does_not_repeat_the_job() -> None:
    """Rows that could not be deleted wait for the next job: a retry would send to all devices again."""
    rows = FakeSubscriptions(2)
    rows.fault = ConnectionError("away")

    with capture_logs() as logs:
        counts = await run(rows, FakeSender({1: Kind.GONE}))

    assert counts == (1, 1, 0, 0, 0, 2)
    assert [entry["event"] for entry in logs] == ["push_gone", "prune_failed"]


async def test_a_database_that_is_away_puts_the_job_off() -> None:
    """Nothing was attempted: the job comes again, and no attempt is counted."""
    rows = FakeSubscriptions(1)

    async def away(_user: str) -> Any:
        raise StorageAwayError("the database does not answer")  # noqa: EM101, TRY003

    rows.of_user = away  # type: ignore[method-assign, assignment]
    with pytest.raises(SnoozeError):
        await run(rows, FakeSender())


@pytest.mark.parametrize(("gone", "alarms"), [(15, 0), (16, 1)])
async def test_an_alarm_is_logged_when_many_are_gone(gone: int, alarms: int) -> None:
    """More than 30 % of 50 may be a push service's fault; one line says so."""
    with capture_logs() as logs:
        await run(50, FakeSender(dict.fromkeys(range(gone), Kind.GONE)))

    assert sum(entry["event"] == "push_many_gone" for entry in logs) == alarms


async def test_a_key_mismatch_is_pruned_only_where_the_key_is_known_to_be_good() -> None:
    """Else the server's own key may be the wrong one, and every row would go."""
    with capture_logs() as logs:
        kept = await run(3, FakeSender({0: Kind.KEY_MISMATCH, 1: Kind.KEY_MISMATCH}))
        pruned = await run(3, FakeSender({0: Kind.KEY_MISMATCH}, proven=True))

    assert (kept, pruned) == ((1, 2, 0, 0, 0, 3), (2, 0, 1, 0, 0, 3))
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["push_key_mismatch"]


async def test_a_refused_configuration_stops_its_origin_only() -> None:
    """The other push services are sent to; the one that refuses is not asked for each subscription."""
    wrong = [make_row(n, "https://wrong.test") for n in range(200)]
    rows = FakeSubscriptions([*wrong, *(make_row(n) for n in range(200, 210))])
    sender = FakeSender(dict.fromkeys(range(200), Kind.CONFIGURATION))

    with capture_logs() as logs:
        counts = await run(rows, sender)

    assert counts == (10, 200, 0, 0, 0, 210)
    assert len(sender.tried) <= 60
    assert [entry["origin"] for entry in logs if entry["event"] == "push_origin_stopped"] == ["https://wrong.test"]


async def test_a_configuration_that_all_refuse_fails_the_job() -> None:
    """Nothing could be attempted: the job is dead, to be replayed once the keys are right, and its notes keep none."""
    context, sender = FakeContext(), FakeSender({0: Kind.CONFIGURATION, 1: Kind.CONFIGURATION})
    with pytest.raises(PermanentError, match="VAPID"):
        await run(2, sender, context)

    assert await run(2, FakeSender(), context) == (2, 0, 0, 0, 0, 2)


@pytest.mark.parametrize(("proven", "stopped"), [(False, True), (True, False)])
async def test_a_few_refusals_stop_an_origin_only_if_its_key_was_never_taken(proven: bool, stopped: bool) -> None:
    """Three odd subscriptions cost the others nothing where the key is known to be good."""
    rows = FakeSubscriptions([*(make_row(n) for n in range(200)), make_row(200, "https://other.test")])
    sender = FakeSender(dict.fromkeys(range(3), Kind.CONFIGURATION), proven=proven)

    with capture_logs() as logs:
        await run(rows, sender)

    assert (len(sender.tried) < 200) == stopped
    assert any(entry["event"] == "push_origin_stopped" for entry in logs) == stopped


async def test_a_push_service_that_is_away_is_left_alone_and_all_are_retried() -> None:
    """A service that hangs costs twenty time-outs and not ten thousand."""
    context, sender = FakeContext(), FakeSender(dict.fromkeys(range(500), Kind.TRANSIENT))

    counts = await run(500, sender, context)

    assert counts == (0, 0, 0, 500, 0, 500)
    assert IN_A_ROW <= len(sender.tried) <= IN_A_ROW + 50
    assert sum(len(each.data["subscriptionIds"]) for each in context.enqueued.values()) == 500


async def test_one_device_is_sent_to_once_however_many_rows_it_has() -> None:
    """Apps that store the subscription at each visit have many rows of one endpoint; the newest counts."""
    rows = [make_row(n) for n in range(3)]
    same = replace(rows[2], endpoint=rows[0].endpoint)
    sender = FakeSender()

    assert await run(FakeSubscriptions([rows[0], rows[1], same]), sender) == (2, 0, 0, 0, 1, 3)
    assert sorted(sender.tried) == ["000001", "000002"]


async def test_not_before_puts_the_job_off() -> None:
    """It is snoozed until then, and no attempt is counted."""
    with pytest.raises(SnoozeError) as snoozed:
        await run(1, FakeSender(), payload=job(notBefore=(NOW + 60) * 1000))

    assert snoozed.value.delay == pytest.approx(60)


async def test_what_has_expired_is_sent_to_nobody() -> None:
    """Its time is over: the result says so."""
    sender = FakeSender()

    result = await PushNotification(make_parts(FakeSubscriptions(2), sender))(
        job(expiresAt=(NOW - 1) * 1000), FakeContext()
    )

    assert (result.expired, result.skipped, result.total, sender.tried) == (True, 2, 2, [])


async def test_a_message_that_is_too_long_is_sent_to_nobody() -> None:
    """A payload over the limit fails for good before anything is read or sent."""
    sender = FakeSender()
    payload = PushPayload.model_validate({"userId": 1, "payload": {"title": "t" * 5000, "body": ""}})

    with pytest.raises(PermanentError):
        await run(1, sender, payload=payload)

    assert sender.tried == []


async def test_the_log_has_few_lines_about_single_subscriptions() -> None:
    """A batch with ten thousand dead subscriptions is no ten thousand lines."""
    with capture_logs() as logs:
        await run(100, FakeSender(dict.fromkeys(range(100), Kind.MESSAGE)))

    assert len(logs) == MAX_LINES


async def test_what_a_cut_run_has_settled_is_counted_and_what_is_gone_is_pruned_by_the_next() -> None:
    """Nobody is skipped by a later run of whom no run has told what became of him."""
    rows, context, answers = FakeSubscriptions(100), FakeContext(), asyncio.Event()
    sender = FakeSender({0: Kind.MESSAGE, 1: Kind.GONE})

    async def send(subscription: Any, message: Any) -> Delivery:
        if int(subscription.id) >= 10:
            await answers.wait()
        return await FakeSender.send(sender, subscription, message)

    sender.send = send  # type: ignore[method-assign]
    first = asyncio.create_task(PushNotification(make_parts(rows, sender))(job(), context))
    for _ in range(200):
        await asyncio.sleep(0)
    first.cancel()
    first.get_loop().call_soon(answers.set)
    with capture_logs() as logs:
        await asyncio.wait([first])
    [(_, counts)] = context.tallies
    cut = counts["https://push.test"]
    result = await PushNotification(make_parts(rows, sender))(job(), context)

    assert first.cancelled()
    assert ["push_failed", "push_gone"] == [entry["event"] for entry in logs]
    assert (cut["message"], cut["gone"], cut["sent"]) == (1, 1, 58)
    assert (result.pruned, result.sent, result.skipped) == (1, 40, 59)
    assert rows.prunes == [["000001"]]


async def test_a_run_that_is_cancelled_twice_leaves_nothing_running() -> None:
    """As when the time is over and the process is told to stop: no message goes out after the run has ended."""
    sender, answers = FakeSender(), asyncio.Event()

    async def send(subscription: Any, message: Any) -> Delivery:
        await answers.wait()
        return await FakeSender.send(sender, subscription, message)

    sender.send = send  # type: ignore[method-assign]
    run_once = asyncio.create_task(PushNotification(make_parts(FakeSubscriptions(100), sender))(job(), FakeContext()))
    for _ in range(2):
        for _ in range(20):
            await asyncio.sleep(0)
        run_once.cancel()
    await asyncio.wait([run_once])

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_an_origin_that_takes_the_key_after_all_goes_on() -> None:
    """Old subscriptions come first and may be refused: the others are sent to, at the latest by a follow-up."""
    sender = FakeSender(dict.fromkeys(range(60), Kind.CONFIGURATION))

    async def send(subscription: Any, message: Any) -> Delivery:
        await asyncio.sleep(0)
        delivery = await FakeSender.send(sender, subscription, message)
        sender.proven = sender.proven or delivery.kind is Kind.SENT
        return delivery

    sender.send = send  # type: ignore[method-assign]
    context = FakeContext()

    sent, failed, _, retrying, *_ = await run(1000, sender, context)

    [follow_up] = context.enqueued.values()
    assert sent + retrying == 1000 - failed
    assert failed <= 60
    assert len(follow_up.data["subscriptionIds"]) == retrying
    assert set(sender.taken) | set(follow_up.data["subscriptionIds"]) >= {f"{n:06}" for n in range(60, 1000)}


async def test_one_refused_device_of_a_known_good_server_is_no_fault_of_the_server() -> None:
    """The key was taken within the hour: the job is no dead letter for a subscription of an older key."""
    assert await run(1, FakeSender({0: Kind.CONFIGURATION}, proven=True)) == (0, 1, 0, 0, 0, 1)


async def test_a_follow_up_that_has_run_is_not_enqueued_again() -> None:
    """Its job may be cleared away long before the one that it follows is recovered."""
    context = FakeContext()
    await run(3, FakeSender({0: Kind.TRANSIENT, 2: Kind.GONE}), context)
    context.enqueued.clear()

    await run(3, FakeSender(), context)

    assert context.enqueued == {}


async def test_a_row_that_is_refused_for_its_path_does_not_name_the_others() -> None:
    """The push service of the others is told apart, counted and left alone by its own name."""
    sender = FakeSender({0: Kind.GONE})
    origin = sender.origin

    def of(subscription: Any) -> str | None:
        return None if subscription.id == "000000" else origin(subscription)

    sender.origin = of  # type: ignore[method-assign]

    result = await PushNotification(make_parts(FakeSubscriptions(3), sender))(job(), FakeContext())

    assert result.origins == {"refused": {"gone": 1}, "https://push.test": {"sent": 2}}
