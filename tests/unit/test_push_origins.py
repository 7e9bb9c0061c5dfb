"""Push services that refuse or are away, over fakes: what one of them costs itself, the others and the job."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from processors.push.circuit import IN_A_ROW
from processors.push.delivery import Delivery, Kind
from processors.push.processor import PushNotification
from queue_lib.errors import PermanentError
from tests.support.fakes import FakeContext
from tests.support.push_fakes import FakeSender, FakeSubscriptions, make_parts, make_row
from tests.support.push_run import job, run


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
    """The key was taken within the hour: the job is no dead letter, and it is tried again whose fault it is."""
    assert await run(1, FakeSender({0: Kind.CONFIGURATION}, proven=True)) == (0, 0, 0, 1, 0, 1)
    assert await run(2, FakeSender({0: Kind.CONFIGURATION}, proven=True)) == (1, 1, 0, 0, 0, 2)


async def test_a_push_service_that_is_away_is_left_alone_and_all_are_retried() -> None:
    """A service that hangs costs twenty time-outs and not ten thousand."""
    context, sender = FakeContext(), FakeSender(dict.fromkeys(range(500), Kind.TRANSIENT))

    counts = await run(500, sender, context)

    assert counts == (0, 0, 0, 500, 0, 500)
    assert IN_A_ROW <= len(sender.tried) <= IN_A_ROW + 50
    assert sum(len(each.data["subscriptionIds"]) for each in context.enqueued.values()) == 500


async def test_a_row_that_is_refused_for_its_path_does_not_name_the_others() -> None:
    """The push service of the others is told apart, counted and left alone by its own name."""
    sender = FakeSender({0: Kind.GONE})
    origin = sender.origin

    def of(subscription: Any) -> str | None:
        return None if subscription.id == "000000" else origin(subscription)

    sender.origin = of  # type: ignore[method-assign]

    result = await PushNotification(make_parts(FakeSubscriptions(3), sender))(job(), FakeContext())

    assert result.origins == {"refused": {"gone": 1}, "https://push.test": {"sent": 2}}
