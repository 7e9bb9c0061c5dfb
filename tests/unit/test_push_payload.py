"""The push payload: what is accepted, and what of it is sent."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.push.encrypt import MAX_PLAINTEXT
from processors.push.notification import Notification, PayloadStyle, shortened
from processors.push.payload import (
    BatchPayload,
    FollowUpPayload,
    PushPayload,
    PushResult,
    follow_up_data,
    topic_header,
)
from queue_lib.errors import PermanentError

MINIMAL = {"title": "Title", "body": "Body"}


def parse(**fields: Any) -> PushPayload:
    """A payload with these fields over a correct one."""
    return PushPayload.model_validate({"userId": "user-1", "payload": MINIMAL} | fields)


def test_the_object_is_sent_exactly_as_given() -> None:
    """Unknown keys, nulls, numbers and the order of keys reach the service worker unchanged."""
    app_gave = {
        "zoo": [1, 2.5, None],
        "title": "é👋",
        "body": "",
        "silent": None,
        "requireInteraction": True,
        "badge": 3,
    }

    encoded = parse(payload=app_gave).message(PayloadStyle(MAX_PLAINTEXT)).body

    assert json.dumps(app_gave, ensure_ascii=False, separators=(",", ":")).encode() == encoded


def test_a_notification_built_in_python_is_sent_too() -> None:
    """A Notification that is passed on as an object keeps what it was made of."""
    payload = PushPayload(user_id="1", payload=Notification(title="a", body="b"))

    assert payload.message(PayloadStyle(MAX_PLAINTEXT)).body == b'{"title":"a","body":"b"}'


def test_half_an_emoji_is_replaced() -> None:
    """A lone surrogate, as JavaScript's slice() leaves it, does not fail the job."""
    given = json.loads('{"title": "cut \\ud83d", "body": ""}')

    assert parse(payload=given).message(PayloadStyle(MAX_PLAINTEXT)).body == b'{"title":"cut ?","body":""}'


@pytest.mark.parametrize(("over", "refused"), [(0, False), (1, True)])
def test_the_limit_is_exact(*, over: int, refused: bool) -> None:
    """What does not fit without its body fails for good, with both numbers and what to do."""
    frame = len(json.dumps({"title": "", "body": ""}, separators=(",", ":")))
    payload = parse(payload={"title": "x" * (MAX_PLAINTEXT - frame + over), "body": ""})

    if refused:
        with pytest.raises(PermanentError, match=r"3,994 bytes .* holds 3,993 .*PUSH_MAX_PAYLOAD"):
            payload.message(PayloadStyle(MAX_PLAINTEXT))
    else:
        assert len(payload.message(PayloadStyle(MAX_PLAINTEXT)).body) == MAX_PLAINTEXT


@given(st.text(min_size=1, max_size=400), st.integers(100, 300), st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_long_body_is_shortened_to_what_fits(body: str, limit: int, declarative: bool) -> None:
    """It is JSON within the limit, and its body is the given one or a beginning of it with an ellipsis."""
    encoded = parse(payload={"title": "t", "body": body}).message(PayloadStyle(limit, declarative)).body

    decoded = json.loads(encoded)
    sent = (decoded["notification"] if declarative else decoded)["body"]
    assert len(encoded) <= limit
    given_text = body.encode(errors="replace").decode()
    assert sent == given_text or (sent.endswith("…") and given_text.startswith(sent[:-1]))


def test_a_body_is_not_shortened_more_than_needed() -> None:
    """Of plain text, all bytes are used."""
    encoded = parse(payload={"title": "t", "body": "x" * 5000}).message(PayloadStyle()).body

    assert len(encoded) == 2700


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("abcdef", 6, "abc…"),
        ("äöü", 7, "äö…"),
        ('a"b"c', 6, 'a"…'),
        ("line\nline", 8, "line…"),
        ("ab👩‍👧cd", 12, "ab…"),
        ("ae\u0301x", 5, "a…"),
        ("ok👍🏽", 9, "ok…"),
        ("no room", 3, "…"),
    ],
)
def test_characters_are_left_whole(text: str, room: int, expected: str) -> None:
    """No accent, skin tone or joined emoji is cut off from what it belongs to; escapes count as they are written."""
    assert shortened(text, room) == expected


def test_a_body_of_megabytes_is_shortened_in_no_time() -> None:
    """Only as much of it is looked at as can be sent."""
    assert len(shortened("ä" * 10_000_000, 2600).encode()) <= 2600


def test_declarative_web_push() -> None:
    """Safari's shape: the magic number, and where a tap leads."""
    given_payload = {"title": "t", "body": "b", "url": "/chat/7", "tag": "x", "app_badge": "2"}
    encoded = parse(payload=given_payload).message(PayloadStyle(declarative=True)).body

    assert json.loads(encoded) == {
        "web_push": 8030,
        "notification": {"title": "t", "body": "b", "tag": "x", "app_badge": "2", "navigate": "/chat/7"},
    }


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", " JavaScript:x", "file:///etc/passwd"])
def test_a_url_that_is_no_page_is_refused(url: str) -> None:
    """A tap on a notification opens a page, and runs nothing."""
    with pytest.raises(ValidationError, match="http, https or relative"):
        parse(payload=MINIMAL | {"url": url})


@pytest.mark.parametrize("url", ["/chat/7", "chat?a=b:c", "https://example.com/", "HTTP://example.com", "", None])
def test_pages_are_taken(url: str | None) -> None:
    """Absolute or relative."""
    assert parse(payload=MINIMAL | {"url": url}).payload.url == url


@pytest.mark.parametrize(
    "moment", [1_800_000_000_000, 1_800_000_000_000.0, "2027-01-15T08:00:00.000Z", "2027-01-15T09:00:00+01:00"]
)
def test_times_are_javascripts(moment: Any) -> None:
    """Milliseconds, or what a Date is as JSON."""
    payload = parse(options={"notBefore": moment, "expiresAt": moment})

    assert payload.wait(1_800_000_000 - 5) == 5
    assert payload.wait(1_800_000_000 + 5) == 0
    assert payload.deadline(1_800_000_000 - 5) == 1_800_000_000


@pytest.mark.parametrize("moment", [1_800_000_000, True, "soon", "2027-01-15", "2027-01-15T08:00:00", [], 1e30, -1])
def test_other_times_are_refused(moment: Any) -> None:
    """Seconds above all, which would be in 1970."""
    with pytest.raises(ValidationError, match="milliseconds"):
        parse(options={"expiresAt": moment})


def test_the_deadline_is_the_ttl_where_nothing_is_sooner() -> None:
    """In seconds since the epoch."""
    assert parse(options={"ttl": 60}).deadline(1000.0) == 1060


def test_a_batch_has_users_or_everybody() -> None:
    """Numbers are ids, too; a user that is named twice is sent to once."""
    batch = BatchPayload.model_validate({"userIds": [1, "a", 1], "payload": MINIMAL})

    assert batch.user_ids == ["1", "a"]
    assert BatchPayload.model_validate({"all": True, "payload": MINIMAL}).everyone


@pytest.mark.parametrize(
    "target", [{}, {"all": False}, {"userIds": []}, {"userIds": ["a"], "all": True}, {"userIds": ["x"] * 100_001}]
)
def test_a_batch_without_clear_users_is_refused(target: dict[str, Any]) -> None:
    """A slip must not send to everybody."""
    with pytest.raises(ValidationError):
        BatchPayload.model_validate({**target, "payload": MINIMAL})


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.none(), max_size=4),
    st.integers(1, 2_419_200),
    st.none() | st.text(max_size=10),
)
@settings(max_examples=100, deadline=None)
def test_a_follow_up_says_the_same(more: dict[str, Any], ttl: int, topic: str | None) -> None:
    """The app's object and options come back, and the message ends when it was to end."""
    push = parse(
        payload={**{f"x{key}": value for key, value in more.items()}, **MINIMAL}, options={"ttl": ttl, "topic": topic}
    )

    data = json.loads(json.dumps(follow_up_data(push, ["s1"], 2, "j1", 1_800_000_000.25)))
    back = FollowUpPayload.model_validate(data)

    assert (back.subscription_ids, back.attempt, back.follow_up_of) == (["s1"], 2, "j1")
    assert back.message(PayloadStyle()) == push.message(PayloadStyle())
    assert back.deadline(1_799_999_999.0) <= 1_800_000_000.25


def test_results_add_up() -> None:
    """Counts and origins; beyond fifty of them, under one name."""
    total = PushResult()
    for number in range(60):
        total = total.plus(PushResult(sent=1, total=1, origins={f"https://{number}.test": {"sent": 1}}))

    assert (total.sent, total.total, len(total.origins)) == (60, 60, 51)
    assert total.origins["other"] == {"sent": 10}


def test_a_number_that_json_lacks_is_permanent() -> None:
    """NaN, which Python's JSON writes and no browser reads, fails for good."""
    with pytest.raises(PermanentError, match="can't be written as JSON"):
        parse(payload=MINIMAL | {"data": float("nan")}).message(PayloadStyle(MAX_PLAINTEXT))


@pytest.mark.parametrize(("given", "expected"), [("abc", "abc"), (42, "42")])
def test_user_ids_may_be_numbers(given: Any, expected: str) -> None:
    """An id is a string from here on, whatever the app's database has."""
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
    """A wrong payload is a validation error at the camelCase name of the wrong field."""
    with pytest.raises(ValidationError) as caught:
        parse(**fields)

    assert [where] == [fault["loc"] for fault in caught.value.errors()]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, 86_400),
        ({"ttl": None}, 86_400),
        ({"ttl": 60}, 60),
        ({"ttl": 0}, 1),
        ({"ttl": -5}, 1),
        ({"ttl": 1e9}, 2_419_200),
    ],
)
def test_ttl_is_clamped(given: dict[str, Any], expected: int) -> None:
    """A time to live is a day unless given, and within 1 second and 4 weeks."""
    assert expected == parse(options=given).message(PayloadStyle(MAX_PLAINTEXT)).ttl


def test_options_may_be_null() -> None:
    """No options, and null, are normal urgency and no topic."""
    message = parse(options=None).message(PayloadStyle(MAX_PLAINTEXT))

    assert ("normal", None) == (message.urgency, message.topic)


@pytest.mark.parametrize("topic", ["chat-1", "mail-batch-10", "ü" * 100, "\ud83d"])
def test_every_topic_becomes_one_that_all_services_take(topic: str) -> None:
    """A topic is 32 hexadecimal digits, the same each time, and another one for another name."""
    header = topic_header(topic)

    assert header is not None
    assert len(header) == 32
    assert set(header) <= set(string.hexdigits.lower())
    assert topic_header(topic) == header != topic_header(topic + "x")


def test_the_result_is_camel_case_json_with_all_counts() -> None:
    """The result has every count, at 0 where nothing happened."""
    assert PushResult(sent=1, total=1).model_dump(by_alias=True) == {
        "sent": 1,
        "failed": 0,
        "pruned": 0,
        "retrying": 0,
        "skipped": 0,
        "total": 1,
        "expired": False,
        "origins": {},
    }
