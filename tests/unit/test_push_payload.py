"""The push payload: what is accepted, and what of it is sent."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from pydantic import ValidationError

from processors.push.payload import MAX_PLAINTEXT, Notification, PushPayload, PushResult, topic_header
from queue_lib.errors import PermanentError

MINIMAL = {"title": "Title", "body": "Body"}


def parse(**fields: Any) -> PushPayload:
    """A payload with these fields over a correct one."""
    return PushPayload.model_validate({"userId": "user-1", "payload": MINIMAL} | fields)


def test_the_object_is_sent_exactly_as_given() -> None:
    """Unknown keys, nulls, numbers and the order of keys reach the service worker unchanged."""
    given = {"zoo": [1, 2.5, None], "title": "é👋", "body": "", "silent": None, "requireInteraction": True, "badge": 3}

    encoded = parse(payload=given).message().body

    assert json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode() == encoded


def test_a_notification_built_in_python_is_sent_too() -> None:
    """A Notification that is passed on as an object keeps what it was made of."""
    payload = PushPayload(user_id="1", payload=Notification(title="a", body="b"))

    assert payload.message().body == b'{"title":"a","body":"b"}'


def test_half_an_emoji_is_replaced() -> None:
    """A lone surrogate, as JavaScript's slice() leaves it, does not fail the job."""
    given = json.loads('{"title": "cut \\ud83d", "body": ""}')

    assert parse(payload=given).message().body == b'{"title":"cut ?","body":""}'


@pytest.mark.parametrize(("over", "refused"), [(0, False), (1, True)])
def test_the_limit_is_exact(*, over: int, refused: bool) -> None:
    """3,993 bytes are sent and 3,994 are a permanent error that says both numbers."""
    frame = len(json.dumps({"title": "", "body": ""}, separators=(",", ":")))
    payload = parse(payload={"title": "", "body": "x" * (MAX_PLAINTEXT - frame + over)})

    if refused:
        with pytest.raises(PermanentError, match=r"3,994 bytes as JSON; a push message holds at most 3,993"):
            payload.message()
    else:
        assert len(payload.message().body) == MAX_PLAINTEXT


def test_a_number_that_json_lacks_is_permanent() -> None:
    """NaN, which Python's JSON writes and no browser reads, fails for good."""
    with pytest.raises(PermanentError, match="can't be written as JSON"):
        parse(payload=MINIMAL | {"data": float("nan")}).message()


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
    assert expected == parse(options=given).message().ttl


def test_options_may_be_null() -> None:
    """No options, and null, are normal urgency and no topic."""
    message = parse(options=None).message()

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
    }
