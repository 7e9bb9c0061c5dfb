"""Push services that refuse or are away, over fakes: the cost for them, for the others and for the job."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from processors.push.delivery import Delivery, Kind
from processors.push.origins import IN_A_ROW
from processors.push.processor import PushNotification
from queue_lib.errors import PermanentError
from tests.support.fakes import FakeContext
from tests.support.push_fakes import End, FakeSender, FakeSubscriptions, make_dependencies, make_row
from tests.support.push_run import job, run


async def test_a_refused_configuration_stops_its_origin_only() -> None:
    """The other push services get their messages; the one that refuses is not tried for each subscription."""
    wrong = [make_row(n, "https://wrong.test") for n in range(200)]
    rows = FakeSubscriptions([*wrong, *(make_row(n) for n in range(200, 210))])
    sender = FakeSender(dict.fromkeys(range(200), Kind.CONFIGURATION))

    with capture_logs() as logs:
        counts = await run(rows, sender)

    assert counts == (10, 200, 0, 0, 0, 210)
    assert len(sender.tried) <= 30
    assert [entry["origin"] for entry in logs if entry["event"] == "push_origin_stopped"] == ["https://wrong.test"]


async def test_a_configuration_that_all_refuse_fails_the_job() -> None:
    """No message could be tried: the job is dead, to be replayed with the right keys, and has no notes."""
    context, sender = FakeContext(), FakeSender({0: Kind.CONFIGURATION, 1: Kind.CONFIGURATION})
    with pytest.raises(PermanentError, match="VAPID"):
        await run(2, sender, context)

    assert await run(2, FakeSender(), context) == (2, 0, 0, 0, 0, 2)


@pytest.mark.parametrize("refused", [range(3), range(60), range(20, 80)])
@pytest.mark.parametrize("proven", [False, True])
async def test_old_subscriptions_do_not_stop_the_others(refused: range, proven: bool) -> None:
    """Subscriptions from the other end of the list are tried before they decide; then all messages go out."""
    sender = FakeSender(dict.fromkeys(refused, Kind.CONFIGURATION), proven=proven)

    with capture_logs() as logs:
        counts = await run(90, sender)

    assert (90 - len(refused), len(refused), 0, 0, 0, 90) == counts
    assert 90 == len(sender.tried)
    assert not [entry for entry in logs if entry["event"].startswith("push_origin")]


async def test_a_doubted_push_service_that_asks_for_a_pause_is_asked_again() -> None:
    """Probes that are not sent while it rests are no refusals: no subscription fails for them."""
    pause = Delivery(Kind.THROTTLED, "HTTP 429", 30.0)
    script: dict[int, End] = {**dict.fromkeys(range(3), Kind.CONFIGURATION), 18: pause, 19: pause}

    counts = await run(20, FakeSender(script))

    assert (0, 3, 0, 17, 0, 20) == counts


@pytest.mark.slow
async def test_where_the_other_end_is_refused_too_some_are_tried() -> None:
    """Messages that are not sent until one is taken go into a follow-up."""
    old = {*range(10), *range(993, 1000)}
    context, sender = FakeContext(), FakeSender(dict.fromkeys(old, Kind.CONFIGURATION), learns=True)

    with capture_logs() as logs:
        sent, failed, _, retrying, *_ = await run(1000, sender, context)

    ids = {each for follow_up in context.enqueued.values() for each in follow_up.data["subscriptionIds"]}
    assert (len(ids), 1000) == (retrying, sent + retrying + failed)
    assert 0 < retrying < 10
    assert set(sender.taken) | ids >= {f"{n:06}" for n in range(1000) if n not in old}
    events = [entry["event"] for entry in logs]
    assert events.index("push_origin_stopped") < events.index("push_origin_resumed")


async def test_one_refused_device_of_a_known_good_server_is_no_fault_of_the_server() -> None:
    """The key was taken within the hour: the job is not dead, and the refused subscription is tried again."""
    assert await run(1, FakeSender({0: Kind.CONFIGURATION}, proven=True)) == (0, 0, 0, 1, 0, 1)
    assert await run(2, FakeSender({0: Kind.CONFIGURATION}, proven=True)) == (1, 1, 0, 0, 0, 2)


async def test_a_push_service_that_is_away_is_left_alone_and_all_are_retried() -> None:
    """It costs some requests, and not ten thousand."""
    context, sender = FakeContext(), FakeSender(dict.fromkeys(range(500), Kind.TRANSIENT))

    counts = await run(500, sender, context)

    assert counts == (0, 0, 0, 500, 0, 500)
    assert IN_A_ROW == len(sender.tried)
    assert sum(len(each.data["subscriptionIds"]) for each in context.enqueued.values()) == 500


async def test_a_row_that_is_refused_for_its_path_does_not_name_the_others() -> None:
    """The others' push service is counted and rests under its own name."""
    sender = FakeSender({0: Kind.GONE})
    origin = sender.origin

    def of(subscription: Any) -> str | None:
        return None if subscription.id == "000000" else origin(subscription)

    sender.origin = of  # type: ignore[method-assign]

    result = await PushNotification(make_dependencies(FakeSubscriptions(3), sender))(job(), FakeContext())

    assert result.origins == {"refused": {"gone": 1}, "https://push.test": {"sent": 2}}
