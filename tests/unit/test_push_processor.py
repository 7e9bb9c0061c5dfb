"""The fan-out over fakes: what is counted, what is pruned, and what one fault may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from processors.push.delivery import Delivery, Failed, Gone, Message, Sent
from processors.push.payload import PushPayload, PushResult
from processors.push.processor import PushNotification
from queue_lib.errors import PermanentError
from storage.ports import Subscription

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTEXT: Any = None
JOB = PushPayload.model_validate({"userId": 1, "payload": {"title": "t", "body": "b"}})


class FakeSubscriptions:
    """Rows of one user; `prune` deletes those it still has, or fails."""

    def __init__(self, count: int) -> None:
        """Make rows "0", "1" and so on."""
        self.rows = [
            Subscription(id=str(n), user_id="1", endpoint=f"https://push.test/{n}", p256dh="", auth="")
            for n in range(count)
        ]
        self.replaced: set[str] = set()
        self.fault: Exception | None = None

    async def of_user(self, user_id: str) -> list[Subscription]:
        """See the port."""
        return [row for row in self.rows if row.user_id == user_id]

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """See the port."""
        if self.fault is not None:
            raise self.fault
        return sum(row.id not in self.replaced for row in subscriptions)


class FakeSender:
    """Ends each delivery as told: sent, unless `ends` has another end or a fault for the subscription's id."""

    def __init__(self, ends: dict[str, Delivery | Exception] | None = None) -> None:
        """Take how deliveries end."""
        self.ends = ends or {}
        self.sent_to: list[str] = []

    async def send(self, subscription: Subscription, message: Message) -> Delivery:
        """See the port."""
        assert message.body
        self.sent_to.append(subscription.id)
        end = self.ends.get(subscription.id, Sent())
        if isinstance(end, Exception):
            raise end
        return end


async def test_a_user_without_devices_is_no_fault() -> None:
    """Nobody to send to is a result of zeros."""
    assert await PushNotification(FakeSubscriptions(0), FakeSender())(JOB, CONTEXT) == PushResult()


async def test_every_end_is_counted_once() -> None:
    """The counts of sent, failed and pruned add up to the number of subscriptions."""
    sender = FakeSender({"1": Gone("HTTP 410"), "2": Failed("HTTP 500")})

    result = await PushNotification(FakeSubscriptions(4), sender)(JOB, CONTEXT)

    assert PushResult(sent=2, failed=1, pruned=1, total=4) == result


async def test_all_failed_is_still_a_result() -> None:
    """Until single subscriptions are retried, a job whose pushes all failed ends with the count."""
    sender = FakeSender({"0": Failed("HTTP 500"), "1": Failed("no answer in time")})

    result = await PushNotification(FakeSubscriptions(2), sender)(JOB, CONTEXT)

    assert PushResult(failed=2, total=2) == result


async def test_an_unexpected_fault_stays_with_its_subscription() -> None:
    """Even a bug in sending one push neither fails the job nor stops the others."""
    sender = FakeSender({"0": RuntimeError("with a secret")})

    with capture_logs() as logs:
        result = await PushNotification(FakeSubscriptions(120), sender)(JOB, CONTEXT)

    assert PushResult(sent=119, failed=1, total=120) == result
    assert [str(n) for n in range(120)] == sorted(sender.sent_to, key=int)
    assert [entry["reason"] for entry in logs] == ["unexpected RuntimeError"]


async def test_a_row_that_was_replaced_meanwhile_is_not_counted_as_pruned() -> None:
    """A device that subscribed anew while it was being sent to keeps its row, and counts as failed."""
    subscriptions = FakeSubscriptions(2)
    subscriptions.replaced = {"1"}

    result = await PushNotification(subscriptions, FakeSender({"0": Gone(""), "1": Gone("")}))(JOB, CONTEXT)

    assert PushResult(failed=1, pruned=1, total=2) == result


async def test_a_database_that_fails_after_sending_does_not_repeat_the_job() -> None:
    """Rows that could not be deleted wait for the next job: a retry would send to all devices again."""
    subscriptions = FakeSubscriptions(2)
    subscriptions.fault = ConnectionError("away")

    with capture_logs() as logs:
        result = await PushNotification(subscriptions, FakeSender({"1": Gone("HTTP 410")}))(JOB, CONTEXT)

    assert PushResult(sent=1, failed=1, total=2) == result
    assert [entry["event"] for entry in logs] == ["push_gone", "prune_failed"]


async def test_a_message_that_is_too_long_is_sent_to_nobody() -> None:
    """A payload over the limit fails for good before anything is read or sent."""
    sender = FakeSender()
    payload = PushPayload.model_validate({"userId": 1, "payload": {"title": "t", "body": "x" * 5000}})

    with pytest.raises(PermanentError):
        await PushNotification(FakeSubscriptions(1), sender)(payload, CONTEXT)

    assert sender.sent_to == []
