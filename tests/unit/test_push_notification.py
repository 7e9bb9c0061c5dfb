"""The notification: its bytes on the wire, how it is made to fit, and Declarative Web Push."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.push.delivery import MAX_PLAINTEXT
from processors.push.message import PayloadStyle, encode
from processors.push.notification import Notification
from queue_lib.errors import PermanentError

MINIMAL = {"title": "Title", "body": "Body"}
WHOLE = PayloadStyle(MAX_PLAINTEXT)
# What a text may have that is not a byte a character, or may not be cut.
TEXT = st.text(st.characters() | st.sampled_from('"\\\n\x00\x7f é€👍🏽👩\u200d\ufe0f\u0301\ud83d'), max_size=600)


def parse(**fields: Any) -> Notification:
    """A notification with these fields over a correct one."""
    return Notification.model_validate(MINIMAL | fields)


def declare(**fields: Any) -> Any:
    """The JSON that a browser gets in the form of Declarative Web Push."""
    return json.loads(encode(parse(**fields), PayloadStyle(declarative=True)))


def as_sent(text: str) -> str:
    """A text as it arrives: UTF-8 has no halves of emoji, which JavaScript may leave."""
    return text.encode(errors="replace").decode()


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

    encoded = encode(Notification.model_validate(app_gave), WHOLE)

    assert json.dumps(app_gave, ensure_ascii=False, separators=(",", ":")).encode() == encoded


def test_half_an_emoji_is_replaced() -> None:
    """A lone surrogate, as JavaScript's slice() leaves it, does not fail the job."""
    assert encode(parse(title="cut \ud83d", body=""), WHOLE) == b'{"title":"cut ?","body":""}'


@pytest.mark.parametrize("declarative", [False, True])
@pytest.mark.parametrize("room", [-1, 0, 2, 3])
def test_a_notification_too_large_without_its_body_fails_for_good(*, room: int, declarative: bool) -> None:
    """The body is at least an ellipsis; the error has both numbers, and says what to do."""
    notification = parse(title="x" * 300, body="a long body")
    bare = len(encode(parse(title="x" * 300, body=""), PayloadStyle(1000, declarative)))
    style = PayloadStyle(bare + room, declarative)

    if room == 3:
        assert len(encode(notification, style)) == style.limit
        return
    told = (
        f"has {bare} bytes as JSON without its body, and a push message holds {style.limit}: .*PUSH_MAX_PAYLOAD.*3,993"
    )
    with pytest.raises(PermanentError, match=told) as caught:
        encode(notification, style)
    assert "\n" not in str(caught.value)


def test_a_body_that_just_fits_is_left_alone() -> None:
    """The limit is exact: one byte more, and the body is shortened."""
    frame = len(encode(parse(title="", body=""), WHOLE))
    body = "x" * (MAX_PLAINTEXT - frame)

    assert json.loads(encode(parse(title="", body=body), WHOLE))["body"] == body
    longer = encode(parse(title="", body=body + "x"), WHOLE)
    assert (len(longer), json.loads(longer)["body"]) == (MAX_PLAINTEXT, body[:-3] + "…")


def test_no_style_asks_for_more_than_a_push_message_holds() -> None:
    """3,993 bytes, by RFC 8030 and RFC 8188."""
    with pytest.raises(ValueError, match="3,993 bytes, not 3,994"):
        PayloadStyle(MAX_PLAINTEXT + 1)


@given(TEXT, st.integers(100, 300), st.booleans())
@example(body="\x00" * 300, limit=100, declarative=False)
def test_a_long_body_is_shortened_to_what_fits(body: str, limit: int, declarative: bool) -> None:
    """The result is JSON within the limit; its body is whole, or a beginning with an ellipsis."""
    encoded = encode(parse(title="t", body=body), PayloadStyle(limit, declarative))

    decoded = json.loads(encoded)
    sent = (decoded["notification"] if declarative else decoded)["body"]
    assert len(encoded) <= limit
    assert sent == as_sent(body) or (sent.endswith("…") and as_sent(body).startswith(sent[:-1]))


def test_a_body_is_not_shortened_more_than_needed() -> None:
    """Plain text uses all bytes."""
    assert len(encode(parse(title="t", body="x" * 5000), PayloadStyle())) == 2700


@pytest.mark.parametrize("character", ["x", "ä", '"', "\x00", "\u0301"])
def test_a_body_of_megabytes_is_shortened(character: str) -> None:
    """Only as much of it is read as can be sent."""
    assert len(encode(parse(body=character * 5_000_000), PayloadStyle())) <= 2700


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_lacks_is_permanent(value: float) -> None:
    """NaN, which Python's JSON writes and no browser reads, fails for good."""
    with pytest.raises(PermanentError, match="can't be written as JSON"):
        encode(parse(data=value), WHOLE)


@pytest.mark.slow
def test_data_of_too_many_levels_is_permanent() -> None:
    """JSON too deep for Python in a running job would be too deep the next time."""
    data: list[Any] = []
    for _ in range(100_000):
        data = [data]

    with pytest.raises(PermanentError, match="can't be written as JSON"):
        encode(parse(data=data), WHOLE)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        " JavaScript:x",
        "\x00\x1fjavascript:x",
        "java\nscript:x",
        "\tjava\tscript\r:x",
        "file:///etc/passwd",
        "vbscript:x",
    ],
)
@pytest.mark.parametrize("field", ["url", "navigate"])
def test_a_url_that_is_no_page_is_refused(field: str, url: str) -> None:
    """A tap on a notification opens a page, and runs nothing, however a browser cleans the URL."""
    with pytest.raises(ValidationError, match="http, https or relative"):
        parse(**{field: url})


@pytest.mark.parametrize(
    "url", ["/chat/7", "chat?a=b:c", "#a:b", "https://example.com/", "HTTP://example.com", "", None]
)
def test_urls_of_pages_are_accepted(url: str | None) -> None:
    """Absolute or relative."""
    assert parse(url=url).url == url


def test_the_shape_of_declarative_web_push() -> None:
    """The magic number, and the page of a tap; further fields are the app's; nulls, which Safari refuses, go."""
    fields = {"url": "https://app.test/chat/7", "tag": "x", "silent": None, "data": {"a": None}, "lang": "de"}

    assert declare(**fields) == {
        "web_push": 8030,
        "notification": MINIMAL
        | {"tag": "x", "data": {"a": None}, "lang": "de", "navigate": "https://app.test/chat/7"},
    }


@pytest.mark.parametrize(
    ("fields", "navigate"),
    [
        ({}, "/"),
        ({"url": ""}, "/"),
        ({"url": "/chat"}, "/chat"),
        ({"navigate": "/chat"}, "/chat"),
        ({"url": "/a", "navigate": "/b"}, "/a"),
    ],
)
def test_a_declarative_message_always_leads_somewhere(fields: dict[str, str], navigate: str) -> None:
    """`navigate` is required."""
    assert declare(**fields)["notification"]["navigate"] == navigate


@pytest.mark.parametrize(
    ("fields", "beside"),
    [
        ({"mutable": True}, {"mutable": True}),
        ({"mutable": False, "app_badge": 3}, {"mutable": False, "app_badge": 3}),
        ({"app_badge": "12"}, {"app_badge": 12}),
        ({"app_badge": 0, "badge": 7}, {"app_badge": 0}),
        ({"app_badge": None, "mutable": None}, {}),
    ],
)
def test_fields_beside_the_notification(fields: dict[str, Any], beside: dict[str, Any]) -> None:
    """The draft has `mutable` and `app_badge` there, WebKit's parser inside; the app's own badge comes first."""
    declared = declare(**fields)

    assert declared == {"web_push": 8030, "notification": MINIMAL | {"navigate": "/"} | beside} | beside


@pytest.mark.parametrize(("field", "value"), [("app_badge", -1), ("app_badge", 2**31), ("mutable", "perhaps")])
def test_fields_that_safari_would_refuse_are_refused(field: str, value: Any) -> None:
    """With the field's name, as the app wrote it."""
    with pytest.raises(ValidationError) as caught:
        parse(**{field: value})

    assert [fault["loc"] for fault in caught.value.errors()] == [(field,)]


def test_numbers_are_texts_where_browsers_take_them_for_such() -> None:
    """`showNotification` makes strings of them, Safari's parser does not; a service worker gets numbers."""
    numbers = {"title": 7, "body": 8.5, "tag": 9}

    assert json.loads(encode(parse(**numbers), WHOLE)) == numbers
    assert declare(**numbers)["notification"] == {"title": "7", "body": "8.5", "tag": "9", "navigate": "/"}


@pytest.mark.parametrize("without", [{"title": "t"}, {"title": "t", "body": None}])
def test_a_notification_needs_no_body(without: dict[str, Any]) -> None:
    """As in a browser."""
    notification = Notification.model_validate(without)

    assert json.loads(encode(notification, WHOLE)) == without
    assert json.loads(encode(notification, PayloadStyle(declarative=True)))["notification"] == {
        "title": "t",
        "navigate": "/",
    }


def test_without_a_body_nothing_can_be_shortened() -> None:
    """The error has the size of the whole."""
    notification = Notification.model_validate({"title": "t" * 3000})

    with pytest.raises(PermanentError, match="has 3,012 bytes as JSON without its body"):
        encode(notification, PayloadStyle())


@pytest.mark.parametrize("declarative", [False, True])
def test_the_json_text_of_a_notification_is_taken(*, declarative: bool) -> None:
    """`JSON.stringify(...)`, as the `web-push` package gets it."""
    given = {"title": "é", "body": 'a "b"', "data": {"n": [1, None]}, "url": "/x"}
    style = PayloadStyle(declarative=declarative)

    text = Notification.model_validate(json.dumps(given))

    assert encode(text, style) == encode(Notification.model_validate(given), style)
    assert text.given == given


@pytest.mark.parametrize("text", ["Hello!", "", '{"title": NaN}', "[" * 100_000, '"text"', "[]"])
def test_another_text_is_refused(text: str) -> None:
    """A push service would take it, but no service worker of this form."""
    with pytest.raises(ValidationError, match=r"no JSON|dictionary"):
        Notification.model_validate(text)


@pytest.mark.parametrize("declarative", [False, True])
@pytest.mark.parametrize("as_text", [False, True])
def test_a_declarative_message_stays_as_it_is(*, declarative: bool, as_text: bool) -> None:
    """Nothing is wrapped twice, and nothing is moved."""
    given = {
        "web_push": 8030,
        "notification": {"title": "t", "body": "b", "navigate": "https://app.test/", "silent": None},
        "app_badge": "3",
        "more": 1,
    }

    notification = Notification.model_validate(json.dumps(given) if as_text else given)

    assert json.loads(encode(notification, PayloadStyle(declarative=declarative))) == given


def test_the_body_of_a_declarative_message_is_shortened() -> None:
    """Within the limit, and nothing else of it."""
    given = {"web_push": 8030, "notification": {"title": "t", "body": "x" * 5000, "navigate": "/"}, "mutable": True}

    encoded = encode(Notification.model_validate(given), PayloadStyle())

    sent = json.loads(encoded)
    body = sent["notification"].pop("body")
    assert len(encoded) == 2700
    assert body == "x" * (len(body) - 1) + "…"
    assert sent == {"web_push": 8030, "notification": {"title": "t", "navigate": "/"}, "mutable": True}


@pytest.mark.parametrize(
    ("inside", "where"),
    [
        ({}, ("notification", "title")),
        ({"title": "t", "navigate": "javascript:x"}, ("notification", "navigate")),
        ({"title": "t", "web_push": 8030, "tag": []}, ("notification", "tag")),
        ("text", ("notification",)),
    ],
)
def test_faults_of_a_declarative_message_have_its_names(inside: Any, where: tuple[str, ...]) -> None:
    """As the app wrote them."""
    with pytest.raises(ValidationError) as caught:
        Notification.model_validate({"web_push": 8030, "notification": inside})

    assert [fault["loc"] for fault in caught.value.errors()] == [where]


@pytest.mark.parametrize(
    ("badge", "fields"),
    [
        (7, {"app_badge": 7}),
        (0, {"app_badge": 0}),
        (-1, {}),
        (2**31, {}),
        ("https://app.test/badge.png", {"badge": "https://app.test/badge.png"}),
    ],
)
def test_a_badge_that_is_a_number_is_the_apps(badge: int | str, fields: dict[str, Any]) -> None:
    """It is set where the draft has it and where Safari has it; a badge that is an image stays."""
    declared = declare(badge=badge)

    assert declared["notification"] == MINIMAL | {"navigate": "/"} | fields
    assert declared.get("app_badge") == fields.get("app_badge")
