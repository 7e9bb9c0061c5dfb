"""The payloads of push jobs: accepted values, time and recipients, and results."""

from __future__ import annotations

import json
import math
import string
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.push.delivery import MAX_PLAINTEXT
from processors.push.message import PayloadStyle, message_of, topic_header
from processors.push.notification import Notification
from processors.push.payload import BatchPayload, FollowUpPayload, PushPayload, follow_up_data
from processors.push.result import MAX_FOLLOW_UPS, MAX_ORIGINS, PushResult
from queue_lib.processor import faults

MINIMAL = {"title": "Title", "body": "Body"}


def parse(**fields: Any) -> PushPayload:
    """A payload with these fields over a correct one."""
    return PushPayload.model_validate({"userId": "user-1", "payload": MINIMAL} | fields)


def test_a_notification_built_in_python_is_sent_too() -> None:
    """A Notification object keeps all fields that it was made with."""
    payload = PushPayload(user_id="1", payload=Notification(title="a", body="b"))

    assert message_of(payload, PayloadStyle(MAX_PLAINTEXT)).body == b'{"title":"a","body":"b"}'


@pytest.mark.parametrize(
    "moment", [1_800_000_000_000, 1_800_000_000_000.0, "2027-01-15T08:00:00.000Z", "2027-01-15T09:00:00+01:00"]
)
def test_times_are_javascripts(moment: Any) -> None:
    """Milliseconds, or a Date as JSON."""
    payload = parse(options={"notBefore": moment, "expiresAt": moment})

    assert payload.wait(1_800_000_000 - 5) == 5
    assert payload.wait(1_800_000_000 + 5) == 0
    assert payload.deadline(1_800_000_000 - 5) == 1_800_000_000


@pytest.mark.parametrize("moment", [1_800_000_000, True, "soon", "2027-01-15", "2027-01-15T08:00:00", [], 1e30, -1])
def test_other_times_are_refused(moment: Any) -> None:
    """Above all seconds, which would be in 1970."""
    with pytest.raises(ValidationError, match="milliseconds"):
        parse(options={"expiresAt": moment})


def test_the_deadline_is_the_ttl_where_nothing_is_sooner() -> None:
    """In seconds since the epoch."""
    assert parse(options={"ttl": 60}).deadline(1000.0) == 1060
    assert parse(options={"ttl": 60, "expiresAt": 1_800_000_000_000}).deadline(1_799_999_000.0) == 1_799_999_060


def test_the_epoch_is_a_time_too() -> None:
    """`new Date(0)` is long past, and not the same as no time."""
    push = parse(options={"notBefore": "1970-01-01T00:00:00.000Z", "expiresAt": "1970-01-01T00:00:00.000Z"})

    assert (push.deadline(1000.0), push.wait(1000.0)) == (0.0, 0.0)


@pytest.mark.parametrize(("options", "deadline"), [({}, math.inf), ({"expiresAt": 1_800_000_000_000}, 1_800_000_000)])
def test_a_ttl_of_0_ends_nothing(options: dict[str, Any], deadline: float) -> None:
    """A device may be online whenever its turn comes; only `expiresAt` ends the sending."""
    assert parse(options={"ttl": 0, **options}).deadline(1000.0) == deadline


def test_a_batch_has_users_or_everybody() -> None:
    """Ids may be numbers; a user that is named twice gets one message."""
    batch = BatchPayload.model_validate({"userIds": [1, "a", 1], "payload": MINIMAL})

    assert batch.user_ids == ["1", "a"]
    assert BatchPayload.model_validate({"all": True, "payload": MINIMAL}).everyone


@pytest.mark.parametrize(
    ("target", "users"), [({"userIds": ["a"], "all": None}, ["a"]), ({"userIds": None, "all": True}, None)]
)
def test_null_is_no_users_and_not_everybody(target: dict[str, Any], users: list[str] | None) -> None:
    """JavaScript writes null for a missing value."""
    batch = BatchPayload.model_validate({**target, "payload": MINIMAL, "options": None})

    assert (batch.user_ids, batch.everyone) == (users, users is None)


def test_a_list_of_wrong_ids_is_one_fault() -> None:
    """A hundred thousand lines would help no reader, and take time."""
    with pytest.raises(ValidationError) as caught:
        BatchPayload.model_validate({"userIds": [{}] * 100_000, "payload": MINIMAL})

    assert [fault["loc"] for fault in caught.value.errors()] == [("userIds", 0)]


@pytest.mark.parametrize(
    "target", [{}, {"all": False}, {"userIds": []}, {"userIds": ["a"], "all": True}, {"userIds": ["x"] * 100_001}]
)
def test_a_batch_without_clear_users_is_refused(target: dict[str, Any]) -> None:
    """A typing error must not send to everybody."""
    with pytest.raises(ValidationError):
        BatchPayload.model_validate({**target, "payload": MINIMAL})


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.none(), max_size=4),
    st.integers(1, 2_419_200),
    st.none() | st.text(max_size=10),
)
def test_a_follow_up_says_the_same(more: dict[str, Any], ttl: int, topic: str | None) -> None:
    """It has the app's object and options, and the message expires as before."""
    push = parse(
        payload={**{f"x{key}": value for key, value in more.items()}, **MINIMAL}, options={"ttl": ttl, "topic": topic}
    )

    data = json.loads(json.dumps(follow_up_data(push, ["s1"], attempt=2, of="j1", by="j0", deadline=1_800_000_000.25)))
    back = FollowUpPayload.model_validate(data)

    assert (back.subscription_ids, back.attempt, back.follow_up_of) == (["s1"], 2, "j1")
    assert message_of(back, PayloadStyle()) == message_of(push, PayloadStyle())
    assert back.payload.given == push.payload.given
    assert back.deadline(1_799_999_999.0) <= 1_800_000_000.25
    again = follow_up_data(
        back, back.subscription_ids, attempt=2, of="j1", by="j0", deadline=back.options.expires_at or 0
    )
    assert json.loads(json.dumps(again)) == data


def test_a_follow_up_on_the_wire() -> None:
    """Options as the app wrote them: its own topic, and no `notBefore`, which is over."""
    options = {"ttl": 60, "urgency": "high", "topic": "chat 1", "notBefore": 1_790_000_000_000}

    data = follow_up_data(
        parse(options=options), ("s1", "s2"), attempt=3, of="job:1", by="j0", deadline=1_800_000_000.25
    )

    assert data == {
        "subscriptionIds": ["s1", "s2"],
        "payload": MINIMAL,
        "options": {"ttl": 60, "urgency": "high", "topic": "chat 1", "expiresAt": 1_800_000_000_250},
        "attempt": 3,
        "followUpOf": "job:1",
        "addedBy": "j0",
    }


@pytest.mark.parametrize(
    "fields", [{"attempt": 0}, {"attempt": 6}, {"subscriptionIds": []}, {"subscriptionIds": ["x"] * 1001}]
)
def test_a_follow_up_that_the_worker_does_not_write_is_refused(fields: dict[str, Any]) -> None:
    """Attempts are 2 to 5, subscriptions 1 to 1,000."""
    data = follow_up_data(parse(), ["s1"], attempt=2, of="j1", by="j0", deadline=1_800_000_000.0)

    with pytest.raises(ValidationError):
        FollowUpPayload.model_validate(data | fields)


RESULTS = st.builds(
    PushResult,
    sent=st.integers(0, 9),
    skipped=st.integers(0, 9),
    total=st.integers(0, 9),
    expired=st.integers(0, 9),
    follow_ups=st.lists(st.text(max_size=5), max_size=70),
    origins=st.dictionaries(
        st.integers(0, 70).map("https://{}.test".format) | st.just("other"),
        st.dictionaries(st.sampled_from(["sent", "gone"]), st.integers(1, 9), min_size=1),
        max_size=70,
    ),
)


def times(result: PushResult) -> Counter[str]:
    """A count of each outcome, over all push services."""
    return sum((Counter(kinds) for kinds in result.origins.values()), Counter())


@given(RESULTS, RESULTS)
def test_nothing_is_lost_when_results_are_added(one: PushResult, other: PushResult) -> None:
    """Also if they are serialized in between; neither of them is changed."""
    before = one.model_dump_json(by_alias=True)
    both = PushResult.model_validate_json(before).plus(other)

    assert (both.sent, both.skipped, both.total) == (
        one.sent + other.sent,
        one.skipped + other.skipped,
        one.total + other.total,
    )
    assert both.expired == one.expired + other.expired
    assert both.follow_ups == (one.follow_ups + other.follow_ups)[:MAX_FOLLOW_UPS]
    assert len(both.origins) <= MAX_ORIGINS
    assert times(both) == times(one) + times(other)
    assert one.model_dump_json(by_alias=True) == before


def test_the_origins_of_a_result_are_fifty() -> None:
    """The first ones keep their names; origins that were merged before stay merged."""
    fifty = {f"https://{number}.test": {"sent": 1} for number in range(MAX_ORIGINS)}

    assert PushResult(origins=fifty).origins == fifty
    capped = PushResult(origins={"other": {"sent": 5}, **fifty}).origins
    assert list(capped) == [*list(fifty)[:-1], "other"]
    assert capped["other"] == {"sent": 6}


def test_results_add_up() -> None:
    """Counts and origins; beyond fifty origins, under one name."""
    total = PushResult()
    for number in range(60):
        total = total.plus(PushResult(sent=1, total=1, origins={f"https://{number}.test": {"sent": 1}}))

    assert (total.sent, total.total, len(total.origins)) == (60, 60, 50)
    assert total.origins["other"] == {"sent": 11}


@pytest.mark.parametrize(("given", "expected"), [("abc", "abc"), (42, "42")])
def test_user_ids_may_be_numbers(given: Any, expected: str) -> None:
    """From here on an id is a string, whatever the app's database has."""
    assert expected == parse(userId=given).user_id


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"userId": ""}, ("userId",)),
        ({"userId": None}, ("userId",)),
        ({"userId": True}, ("userId",)),
        ({"payload": {"body": "no title"}}, ("payload", "title")),
        ({"payload": MINIMAL | {"actions": [{"title": "x"}]}}, ("payload", "actions", 0, "action")),
        ({"options": {"urgency": "highest"}}, ("options", "urgency")),
        ({"options": {"ttl": "soon"}}, ("options", "ttl")),
    ],
)
def test_faults_name_the_field_as_the_app_wrote_it(fields: dict[str, Any], where: tuple[Any, ...]) -> None:
    """A validation error has the camelCase name of the bad field."""
    with pytest.raises(ValidationError) as caught:
        parse(**fields)

    assert [where] == [fault["loc"] for fault in caught.value.errors()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 86_400),
        ({"ttl": None}, 86_400),
        ({"ttl": 60}, 60),
        ({"ttl": 0}, 0),
        ({"ttl": -5}, 0),
        ({"ttl": 1e9}, 2_419_200),
    ],
)
def test_ttl_is_clamped(given: dict[str, Any], expected: int) -> None:
    """A day by default, and 4 weeks at most; 0 is for devices that are online."""
    assert expected == message_of(parse(options=given), PayloadStyle(MAX_PLAINTEXT)).ttl


@pytest.mark.parametrize(
    "fields",
    [
        {"options": {"ttl": 60, "urgency": "high", "topic": "7"}},
        {"options": {"TTL": 60, "urgency": "high", "topic": 7}},
        {"options": {"TTL": "60", "ttl": None, "urgency": "high", "topic": 7}},
        {"TTL": 60, "urgency": "high", "topic": "7"},
        {"ttl": 60, "urgency": "high", "topic": 7, "options": {}, "expiresAt": None},
    ],
)
def test_options_as_the_web_push_package_takes_them(fields: dict[str, Any]) -> None:
    """With its TTL, also beside the payload, and with a number for a topic."""
    push = parse(**fields)

    assert (push.options.ttl, push.options.urgency, push.options.topic) == (60, "high", "7")
    assert push.ignored == ()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"options": {"TTl": 60}}, "['TTl'] mean nothing here; options are ttl, urgency, topic, notBefore"),
        ({"options": {"vapidDetails": {}, "timeout": None}}, "['timeout', 'vapidDetails'] mean nothing here"),
        ({"options": {"ttl": 60, "TTL": 60}}, "ttl and TTL are one option"),
        ({"options": {"ttl": 60}, "topic": "x"}, "topic: put it into options"),
        ({"options": False, "topic": "x"}, "topic: put it into options"),
        ({"options": {"x" * 1000 + "\n": 1}}, "['" + "x" * 50 + "'] mean nothing here"),
    ],
)
def test_an_option_that_is_not_understood_is_named(fields: dict[str, Any], told: str) -> None:
    """`{TTl: 60}` must not become a day. One line, without values."""
    with pytest.raises(ValidationError) as caught:
        parse(**fields)

    assert told in faults(caught.value)
    assert "\n" not in faults(caught.value)


def test_unknown_fields_are_named_in_the_result() -> None:
    """The app's own fields beside the payload are no fault, and are not dropped silently."""
    assert parse(traceId="a", Ttl=60, gone=None).ignored == ("traceId", "Ttl")
    assert parse(**{f"{number:060}": 1 for number in range(30)}).ignored == tuple(
        f"{number:060}"[:50] for number in range(20)
    )


def test_a_follow_up_of_json_text_has_the_object() -> None:
    """The text is parsed once."""
    data = follow_up_data(
        parse(payload='{"title": "t"}'), ["s1"], attempt=2, of="j1", by="j0", deadline=1_800_000_000.0
    )

    assert data["payload"] == {"title": "t"}


def test_batches_alone_are_encrypted_as_such() -> None:
    """Not pushes of one user, nor follow-ups."""
    batch = BatchPayload.model_validate({"all": True, "payload": MINIMAL})
    again = FollowUpPayload.model_validate(
        follow_up_data(batch, ["s1"], attempt=2, of="j1", by="j1", deadline=1_800_000_000.0)
    )

    assert [True, False, False] == [message_of(push, PayloadStyle()).is_batch for push in (batch, again, parse())]


def test_options_may_be_null() -> None:
    """No options, and null, mean normal urgency and no topic."""
    message = message_of(parse(options=None), PayloadStyle(MAX_PLAINTEXT))

    assert ("normal", None) == (message.urgency, message.topic)


@pytest.mark.parametrize("topic", ["chat-1", "mail-batch-10", "ü" * 100, "\ud83d"])
def test_every_topic_becomes_one_that_all_services_take(topic: str) -> None:
    """32 hexadecimal digits, the same for the same name, and different for another."""
    header = topic_header(topic)

    assert header is not None
    assert len(header) == 32
    assert set(header) <= set(string.hexdigits.lower())
    assert topic_header(topic) == header != topic_header(topic + "x")


def test_the_result_is_camel_case_json_with_all_counts() -> None:
    """Every count is there, 0 if nothing happened."""
    assert PushResult(sent=1, total=1).model_dump(by_alias=True) == {
        "sent": 1,
        "failed": 0,
        "pruned": 0,
        "retrying": 0,
        "skipped": 0,
        "expired": 0,
        "muted": 0,
        "waiting": 0,
        "total": 1,
        "collapsed": None,
        "cancelled": False,
        "followUps": (),
        "ignored": (),
        "origins": {},
    }
