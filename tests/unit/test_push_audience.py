"""Which subscriptions a job is for: `where` and `excludeEndpoint`, over fakes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from processors.push.batch import PAGE, PushBatch
from processors.push.delivery import Kind
from processors.push.options import Options
from processors.push.payload import BatchPayload, FollowUpPayload
from processors.push.processor import PushFollowUp, PushNotification
from queue_lib.errors import PermanentError
from queue_lib.processor import faults
from storage.errors import ConditionRefusedError
from tests.support.fakes import FakeContext
from tests.support.push_fakes import FakeSender, FakeSubscriptions, make_dependencies
from tests.support.push_run import job, run

ON: dict[str, Any] = {"where": {"isActive": True}}


def half_on(number: int) -> FakeSubscriptions:
    """Rows of which every second one is active."""
    rows = FakeSubscriptions(number)
    rows.columns = {row.id: {"isActive": int(row.id) % 2 == 0} for row in rows.rows}
    return rows


async def test_only_rows_with_these_values_are_sent_to() -> None:
    """The others are not even counted."""
    sender = FakeSender()

    counts = await run(half_on(4), sender, payload=job(**ON))

    assert sender.taken == ["000000", "000002"]
    assert counts == (2, 0, 0, 0, 0, 2)


async def test_a_batch_chooses_in_each_page_and_at_its_other_end() -> None:
    """Also where the last rows are asked before their turn."""
    sender = FakeSender(dict.fromkeys(range(PAGE), Kind.CONFIGURATION), learns=True)
    payload = BatchPayload.model_validate({"all": True, "payload": {"title": "t"}, "options": ON})

    result = await PushBatch(make_dependencies(half_on(3 * PAGE), sender))(payload, FakeContext())

    assert {int(each) % 2 for each in sender.tried} == {0}
    assert 3 * PAGE / 2 == result.total


async def test_a_follow_up_chooses_again() -> None:
    """A person who has switched it off meanwhile gets nothing."""
    context, rows, sender = FakeContext(), half_on(4), FakeSender({0: Kind.TRANSIENT, 2: Kind.TRANSIENT})
    await run(rows, sender, context, job(**ON))
    rows.columns["000002"] = {"isActive": False}
    [follow_up] = context.enqueued.values()

    payload, retried = FollowUpPayload.model_validate(json.loads(json.dumps(follow_up.data))), FakeSender()
    await PushFollowUp(make_dependencies(rows, retried))(payload, FakeContext())

    assert retried.taken == ["000000"]


async def test_a_column_that_is_not_allowed_fails_the_job() -> None:
    """The reason says which option is meant."""
    rows = FakeSubscriptions(1)

    def refuse(_: Any) -> FakeSubscriptions:
        msg = "no such column"
        raise ConditionRefusedError(msg)

    async def refuse_later(_: str) -> Any:
        refuse(None)

    rows.of_user = refuse_later  # type: ignore[method-assign,assignment]
    rows.where = lambda _: rows  # type: ignore[method-assign,assignment]
    with pytest.raises(PermanentError, match=r"^options.where: no such column$"):
        await run(rows, FakeSender(), payload=job(**ON))


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ({}, "where: Value error, has no column; leave it out to choose all"),
        ({"plan": {"not": "free"}}, r"where.plan: Value error, neither text, a number, true, false or null"),
        ({"plan": [["free"]]}, "nor a list of at most 500 of them"),
        ({"plan": ["x"] * 501}, "nor a list of at most 500 of them"),
        ({"plan": float("nan")}, "neither text"),
        ("isActive", "where: Input should be a valid dictionary"),
    ],
    ids=["empty", "object", "list-in-list", "too-many", "nan", "text"],
)
def test_a_where_without_clear_values_is_refused(where: Any, reason: str) -> None:
    """An app that has no value for its only column must not send to everybody."""
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"where": where})

    assert reason in faults(caught.value)


async def test_the_senders_own_device_gets_nothing() -> None:
    """It counts as skipped, in a batch and at its other end, too."""
    rows, sender = FakeSubscriptions(3), FakeSender()
    own = rows.rows[1].endpoint

    counts = await run(rows, sender, payload=job(excludeEndpoint=own))

    assert sender.taken == ["000000", "000002"]
    assert counts == (2, 0, 0, 0, 1, 3)


async def test_the_own_device_is_not_asked_early() -> None:
    """Though it is the last of a batch whose first ones are refused."""
    rows = FakeSubscriptions(2 * PAGE)
    sender = FakeSender(dict.fromkeys(range(PAGE), Kind.CONFIGURATION), learns=True)
    options = {"excludeEndpoint": rows.rows[-1].endpoint}
    payload = BatchPayload.model_validate({"all": True, "payload": {"title": "t"}, "options": options})

    result = await PushBatch(make_dependencies(rows, sender))(payload, FakeContext())

    assert rows.rows[-1].id not in sender.tried
    assert result.skipped == 1


def test_the_excluded_endpoint_is_in_no_text() -> None:
    """Who knows it can push."""
    payload = job(excludeEndpoint="https://push.test/secret")

    assert "secret" not in repr(payload)


async def test_endpoints_are_compared_exactly() -> None:
    """Their paths are in upper and lower case."""
    rows, sender = FakeSubscriptions(1), FakeSender()

    await PushNotification(make_dependencies(rows, sender))(
        job(excludeEndpoint=rows.rows[0].endpoint.upper()), FakeContext()
    )

    assert sender.taken == ["000000"]
