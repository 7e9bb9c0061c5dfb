"""Pushes that become one message, together with the other options, over fakes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.push.batch import PushBatch
from processors.push.delivery import Kind
from processors.push.payload import BatchPayload, FollowUpPayload
from processors.push.processor import PushFollowUp
from processors.push.result import COUNTS, PushResult
from processors.reach.reach import SPREAD
from queue_lib.errors import PermanentError
from storage.ports import Preference
from tests.support.fakes import FakeContext, make_job
from tests.support.push_fakes import (
    NOW,
    Clock,
    FakePreferences,
    FakeSender,
    FakeSubscriptions,
    make_dependencies,
    make_row,
)
from tests.support.push_line import Line, push

HOUR = 3600
MORNING = Preference(quiet_from="06:00", quiet_to="12:00")  # NOW is 08:00
DEVICE = "https://push.test/wp/1"  # of user 1


@pytest.mark.parametrize(
    "first",
    [{"excludeEndpoint": DEVICE}, {"expiresAt": (NOW + 30) * 1000}, {"where": {"isActive": False}}],
    ids=["its own device", "an end", "a condition"],
)
async def test_the_message_is_sent_as_the_newest_event_says(first: dict[str, Any]) -> None:
    """What the first event's job says does not keep the others from anybody."""
    line = Line()
    await line.run(1, push(1, options=first))
    await line.run(2)
    line.clock.now += 60
    await line.run(1, push(1, options=first))

    assert ["2 new messages in General"] == [each["body"] for each in line.sent]


async def test_a_night_is_one_message() -> None:
    """In quiet hours the window lasts until they end."""
    line = Line(preferences=FakePreferences({"1": [MORNING]}))
    waits = await line.run(1)
    for n in range(2, 20):
        line.clock.now += 600
        assert PushResult(collapsed=0) == await line.run(n)
    assert [] == line.sent
    assert isinstance(waits, float)
    assert NOW + 4 * HOUR <= NOW + waits < NOW + 4 * HOUR + SPREAD
    line.clock.now = NOW + waits
    await line.run(1)

    assert ["19 new messages in General"] == [each["body"] for each in line.sent]


@pytest.mark.parametrize(
    "options", [{"urgency": "high"}, {"type": "mention"}], ids=["urgent", "a type without quiet hours"]
)
async def test_what_passes_quiet_hours_does_not_wait_for_others(options: dict[str, Any]) -> None:
    """Though its key is the same."""
    awake = Preference(type="mention", quiet_from="00:00", quiet_to="00:00")
    line = Line(preferences=FakePreferences({"1": [MORNING, awake]}))
    await line.run(1)

    assert 60 == await line.run(2, push(2, options=options))
    line.clock.now += 60
    await line.run(2, push(2, options=options))
    assert ["message 2"] == [each["body"] for each in line.sent]


async def test_a_push_without_ttl_is_over_in_quiet_hours() -> None:
    """It waits for its window alone."""
    line = Line(preferences=FakePreferences({"1": [MORNING]}))
    job = push(1, options={"ttl": 0})

    assert 60 == await line.run(1, job)
    line.clock.now += 60
    result = await line.run(1, job)
    assert isinstance(result, PushResult)
    assert (1, 1) == (result.expired, result.total)


async def test_an_event_that_is_too_long_fails_its_own_job() -> None:
    """The others are sent."""
    line = Line()
    await line.run(1)
    with pytest.raises(PermanentError, match="bytes as JSON without its body"):
        await line.run(2, push(2, template={"data": "x" * 5000}))
    line.clock.now += 60
    await line.run(1)

    assert ["message 1"] == [each["body"] for each in line.sent]


def test_a_deep_template_is_refused() -> None:
    """As a fault of the job."""
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"in": deep}

    with pytest.raises(ValidationError, match="nested too deeply"):
        push(1, template={"data": deep})


KINDS = st.sampled_from([Kind.SENT, Kind.TRANSIENT, Kind.GONE, Kind.MESSAGE, Kind.THROTTLED])
ROWS = st.sampled_from([[], [MORNING], [Preference("push", enabled=False)], [Preference(quiet_to="07:00")]])
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "where": st.just({"isActive": [True, None]}),
        "excludeEndpoint": st.sampled_from(["https://push.test/wp/0", "https://push.test/wp/5"]),
        "cancelKey": st.just("k"),
        "quiet": st.just("drop"),
        "urgency": st.sampled_from(["high", "low"]),
        "ttl": st.sampled_from([0, HOUR, 10 * HOUR]),
    },
)


@given(st.lists(st.tuples(KINDS, ROWS, st.booleans()), min_size=1, max_size=12), OPTIONS)
async def test_whatever_is_combined_the_counts_add_up(devices: list[Any], options: dict[str, Any]) -> None:
    """Of a batch with texts by locale, and of its follow-ups, which send to nobody that it has settled."""
    clock = Clock()
    sender = FakeSender({n: kind for n, (kind, *_) in enumerate(devices)})
    rows = FakeSubscriptions([make_row(n, user_id=str(n)) for n in range(len(devices))])
    rows.columns = {f"{n:06}": {"isActive": active} for n, (*_, active) in enumerate(devices)}
    preferences = FakePreferences({str(n): said for n, (_, said, _) in enumerate(devices)})
    dependencies = make_dependencies(rows, sender, clock, preferences)
    data = {"all": True, "payload": {"title": "t"}, "payloads": {"de": {"title": "T"}}, "options": options}
    context = FakeContext(make_job(created_at=NOW))

    results = [await PushBatch(dependencies)(BatchPayload.model_validate(data), context)]
    for job_id, added in context.enqueued.items():
        assert "excludeEndpoint" not in added.data["options"]
        clock.now = NOW + added.delay
        payload = FollowUpPayload.model_validate(json.loads(json.dumps(added.data)))
        results.append(await PushFollowUp(dependencies)(payload, FakeContext(make_job(id=job_id))))

    for result in results:
        counts = [getattr(result, name) for name in COUNTS]
        assert sum(counts[:-1]) == counts[-1]
        assert min(counts) >= 0
    assert results[0].retrying + results[0].waiting == sum(result.total for result in results[1:])
    assert len(sender.taken) == len(set(sender.taken))
