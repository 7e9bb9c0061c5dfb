"""The notification: what is sent of it, how it is made to fit, and the shape of Declarative Web Push."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.push.encrypt import MAX_PLAINTEXT
from processors.push.notification import ZERO_WIDTH_JOINER, Notification, PayloadStyle, _continues, shortened
from queue_lib.errors import PermanentError

MINIMAL = {"title": "Title", "body": "Body"}
WHOLE = PayloadStyle(MAX_PLAINTEXT)
# What a text may have that is not a byte a character, or may not be cut.
TEXT = st.text(st.characters() | st.sampled_from('"\\\n\x00\x7f é€👍🏽👩\u200d\ufe0f\u0301\ud83d'), max_size=600)


def parse(**fields: Any) -> Notification:
    """A notification with these fields over a correct one."""
    return Notification.model_validate(MINIMAL | fields)


def declare(**fields: Any) -> Any:
    """What a browser reads of one that is sent in the shape of Declarative Web Push."""
    return json.loads(parse(**fields).encode(PayloadStyle(declarative=True)))


def as_sent(text: str) -> str:
    """A text as it arrives: JavaScript's halves of emoji have no UTF-8."""
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

    encoded = Notification.model_validate(app_gave).encode(WHOLE)

    assert json.dumps(app_gave, ensure_ascii=False, separators=(",", ":")).encode() == encoded


def test_half_an_emoji_is_replaced() -> None:
    """A lone surrogate, as JavaScript's slice() leaves it, does not fail the job."""
    assert parse(title="cut \ud83d", body="").encode(WHOLE) == b'{"title":"cut ?","body":""}'


@pytest.mark.parametrize("declarative", [False, True])
@pytest.mark.parametrize("room", [-1, 0, 2, 3])
def test_what_does_not_fit_without_its_body_fails_for_good(*, room: int, declarative: bool) -> None:
    """An ellipsis is the least that is sent of a body; the fault has both numbers, and says what to do."""
    notification = parse(title="x" * 300, body="a long body")
    bare = len(parse(title="x" * 300, body="").encode(PayloadStyle(1000, declarative)))
    style = PayloadStyle(bare + room, declarative)

    if room == 3:
        assert len(notification.encode(style)) == style.limit
        return
    told = (
        f"has {bare} bytes as JSON without its body, and a push message holds {style.limit}: .*PUSH_MAX_PAYLOAD.*3,993"
    )
    with pytest.raises(PermanentError, match=told) as caught:
        notification.encode(style)
    assert "\n" not in str(caught.value)


def test_a_body_that_just_fits_is_left_alone() -> None:
    """The limit is exact: a byte more, and the body is shortened."""
    frame = len(parse(title="", body="").encode(WHOLE))
    body = "x" * (MAX_PLAINTEXT - frame)

    assert json.loads(parse(title="", body=body).encode(WHOLE))["body"] == body
    longer = parse(title="", body=body + "x").encode(WHOLE)
    assert (len(longer), json.loads(longer)["body"]) == (MAX_PLAINTEXT, body[:-3] + "…")


def test_no_style_asks_for_more_than_a_push_message_holds() -> None:
    """3,993 bytes, by RFC 8030 and RFC 8188."""
    with pytest.raises(ValueError, match="3,993 bytes, not 3,994"):
        PayloadStyle(MAX_PLAINTEXT + 1)


@given(TEXT, st.integers(100, 300), st.booleans())
@settings(max_examples=300, deadline=None)
@example(body="\x00" * 300, limit=100, declarative=False)
def test_a_long_body_is_shortened_to_what_fits(body: str, limit: int, declarative: bool) -> None:
    """It is JSON within the limit, and its body is the given one or a beginning of it with an ellipsis."""
    encoded = parse(title="t", body=body).encode(PayloadStyle(limit, declarative))

    decoded = json.loads(encoded)
    sent = (decoded["notification"] if declarative else decoded)["body"]
    assert len(encoded) <= limit
    assert sent == as_sent(body) or (sent.endswith("…") and as_sent(body).startswith(sent[:-1]))


@given(TEXT, st.integers(3, 300))
@settings(max_examples=300, deadline=None)
def test_no_cut_parts_what_is_one_character_to_a_reader(text: str, room: int) -> None:
    """Nor is more cut than that needs: the next character would not have fitted, or belongs to what was cut."""
    if len(json.dumps(as_sent(text), ensure_ascii=False).encode()) - 2 <= room:
        return
    kept = shortened(text, room)[:-1]

    cut = text[len(kept) :]
    assert text.startswith(kept)
    assert not kept or not (_continues(cut[0]) or kept.endswith(ZERO_WIDTH_JOINER))
    whole = 1 + next((n for n, one in enumerate(cut[1:]) if not (_continues(one) or one.isspace())), len(cut) - 1)
    more = kept + cut[:whole] + "…"
    joined = ZERO_WIDTH_JOINER in cut[:whole] or cut[0].isspace()
    assert joined or len(json.dumps(as_sent(more), ensure_ascii=False).encode()) - 2 > room


def test_a_body_is_not_shortened_more_than_needed() -> None:
    """Of plain text, all bytes are used."""
    assert len(parse(title="t", body="x" * 5000).encode(PayloadStyle())) == 2700


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("abcdef", 5, "ab…"),
        ("äöüß", 7, "äö…"),
        ('a"b"c', 6, 'a"…'),
        ("a\x00bcdef", 9, "a…"),
        ("a\x00bcdef", 10, "a\x00…"),
        ("line\nline", 8, "line…"),
        ("\x7f\x7fabcd", 5, "\x7f\x7f…"),
        ("\ud83d\ud83dabcd", 5, "\ud83d\ud83d…"),
        ("one two three", 7, "one…"),
        ("ab👩\u200d👧cd", 12, "ab…"),
        ("ae\u0301x", 5, "a…"),
        ("a☂\ufe0fbcd", 8, "a…"),
        ("ok👍🏽", 9, "ok…"),
        ("e" + "\u0301" * 9, 9, "…"),
        ("no room", 3, "…"),
    ],
)
def test_characters_are_left_whole(text: str, room: int, expected: str) -> None:
    """No accent, skin tone or joined emoji is cut off from what it belongs to; escapes count as they are written."""
    assert shortened(text, room) == expected


@pytest.mark.parametrize("character", ["x", "ä", '"', "\x00", "\u0301"])
def test_a_body_of_megabytes_is_shortened(character: str) -> None:
    """Only as much of it is looked at as can be sent."""
    assert len(parse(body=character * 5_000_000).encode(PayloadStyle())) <= 2700


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_lacks_is_permanent(value: float) -> None:
    """NaN, which Python's JSON writes and no browser reads, fails for good."""
    with pytest.raises(PermanentError, match="can't be written as JSON"):
        parse(data=value).encode(WHOLE)


def test_data_of_too_many_levels_is_permanent() -> None:
    """What Python's JSON can't write in the depth of a running job, it can't write the next time."""
    data: list[Any] = []
    for _ in range(100_000):
        data = [data]

    with pytest.raises(PermanentError, match="can't be written as JSON"):
        parse(data=data).encode(WHOLE)


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
def test_pages_are_taken(url: str | None) -> None:
    """Absolute or relative."""
    assert parse(url=url).url == url


def test_the_shape_of_declarative_web_push() -> None:
    """The magic number, and where a tap leads; further fields are the app's, and nulls, which Safari refuses, go."""
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
    """It stands where the draft has it and where Safari has it; a picture stays what it is."""
    declared = declare(badge=badge)

    assert declared["notification"] == MINIMAL | {"navigate": "/"} | fields
    assert declared.get("app_badge") == fields.get("app_badge")
