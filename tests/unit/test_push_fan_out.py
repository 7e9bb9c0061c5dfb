"""The fan-out over fakes: which subscriptions get a message, and how each ending is counted and reported."""

from __future__ import annotations

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from processors.push.delivery import Kind
from processors.push.payload import PushPayload
from processors.push.processor import PushNotification
from processors.push.report import MAX_LINES
from queue_lib.errors import PermanentError, SnoozeError
from tests.support.fakes import FakeContext
from tests.support.push_fakes import NOW, FakeSender, FakeSubscriptions, make_dependencies, make_row
from tests.support.push_run import job, run


async def test_a_user_without_devices_is_no_fault() -> None:
    """The result is all zeros."""
    assert await run(0, FakeSender()) == (0, 0, 0, 0, 0, 0)


async def test_every_end_is_counted_once() -> None:
    """The counts add up to the number of subscriptions."""
    sender = FakeSender({1: Kind.GONE, 2: Kind.MESSAGE, 3: Kind.TRANSIENT, 4: Kind.REDIRECT})

    assert await run(6, sender) == (2, 2, 1, 1, 0, 6)


async def test_the_result_and_the_counters_have_counts_by_origin_and_reason() -> None:
    """The result, the log and the metrics say which push service gave which answers."""
    rows = FakeSubscriptions([make_row(0), make_row(1, "https://other.test"), make_row(2)])
    context = FakeContext()

    result = await PushNotification(make_dependencies(rows, FakeSender({2: Kind.GONE})))(job(), context)

    expected = {"https://push.test": {"sent": 1, "gone": 1}, "https://other.test": {"sent": 1}}
    assert result.origins == expected
    assert context.counts == [("push_deliveries", expected), ("push_pruned", {"subscriptions": {"gone": 1}})]


async def test_a_device_with_many_rows_gets_one_message() -> None:
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


async def test_an_expired_message_is_not_sent() -> None:
    """The result says that its time is over."""
    sender = FakeSender()

    result = await PushNotification(make_dependencies(FakeSubscriptions(2), sender))(
        job(expiresAt=(NOW - 1) * 1000), FakeContext()
    )

    assert (result.expired, result.total, sender.tried) == (2, 2, [])


async def test_a_message_that_is_too_long_is_not_sent() -> None:
    """It fails for good before anything is read or sent."""
    sender = FakeSender()
    payload = PushPayload.model_validate({"userId": 1, "payload": {"title": "t" * 5000, "body": ""}})

    with pytest.raises(PermanentError):
        await run(1, sender, payload=payload)

    assert sender.tried == []


async def test_an_unexpected_fault_stays_with_its_subscription() -> None:
    """Even a bug in sending one push neither fails the job nor stops the others."""
    sender = FakeSender({0: RuntimeError("with a secret")})

    with capture_logs() as logs:
        counts = await run(120, sender)

    assert counts == (119, 1, 0, 0, 0, 120)
    assert len(set(sender.tried)) == len(sender.tried) == 120
    assert [entry["reason"] for entry in logs] == ["unexpected RuntimeError"]


async def test_the_log_has_few_lines_about_single_subscriptions() -> None:
    """A batch with ten thousand dead subscriptions does not write ten thousand lines."""
    with capture_logs() as logs:
        await run(100, FakeSender(dict.fromkeys(range(100), Kind.MESSAGE)))

    assert len(logs) == MAX_LINES
