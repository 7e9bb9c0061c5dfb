"""The meaning of answers, and the headers of a request."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from processors.push.answer import judge, refuses_topic
from processors.push.delivery import Delivery, Kind, Message
from processors.push.endpoints import AllowedHosts
from processors.push.send import headers_for

MESSAGE = Message(b"{}", ttl=60, urgency="normal")
NOW = 1_800_000_000.0
GOOGLE_MISMATCH = (
    "the VAPID credentials in the authorization header do not correspond to the credentials used to create the "
    "subscriptions."
)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "", Kind.SENT),
        (201, "whatever", Kind.SENT),
        (204, "", Kind.SENT),
        (301, "", Kind.REDIRECT),
        (307, "", Kind.REDIRECT),
        (404, "A valid push subscription endpoint should be specified in the URL as such", Kind.GONE),
        (410, "push subscription has unsubscribed or expired.", Kind.GONE),
        (410, '{"code":410,"errno":106,"error":"Gone"}', Kind.GONE),
        (400, '{"reason":"VapidPkHashMismatch"}', Kind.KEY_MISMATCH),
        (403, GOOGLE_MISMATCH, Kind.KEY_MISMATCH),
        (401, '{"code":401,"errno":109,"message":"VAPID public key mismatch"}', Kind.KEY_MISMATCH),
        (401, '{"code":401,"errno":109,"message":"Missing or invalid VAPID header"}', Kind.CONFIGURATION),
        (401, "", Kind.CONFIGURATION),
        (403, "", Kind.CONFIGURATION),
        (403, '{"reason":"BadJwtToken"}', Kind.CONFIGURATION),
        (400, '{"reason":"BadVapidPublicKey"}', Kind.CONFIGURATION),
        (400, "UnauthorizedRegistration", Kind.CONFIGURATION),
        (403, "the aud claim in the token MUST include the origin", Kind.CONFIGURATION),
        (
            403,
            "The exp claim in the JWT MUST NOT be more than 24 hours from the time of the request",
            Kind.CONFIGURATION,
        ),
        (403, "invalid push subscription endpoint", Kind.MESSAGE),
        (401, "invalid push subscription endpoint", Kind.MESSAGE),
        (400, '{"reason":"BadTtl"}', Kind.MESSAGE),
        (400, '{"reason":"BadWebPushTopic"}', Kind.MESSAGE),
        (413, '{"code":413,"errno":104}', Kind.MESSAGE),
        (415, "", Kind.MESSAGE),
        (406, "", Kind.THROTTLED),
        (429, "", Kind.THROTTLED),
        (408, "", Kind.TRANSIENT),
        (500, "", Kind.TRANSIENT),
        (502, '{"errno":902}', Kind.TRANSIENT),
        (503, "", Kind.TRANSIENT),
        (599, "", Kind.TRANSIENT),
    ],
)
def test_status_and_text_decide(status: int, body: str, kind: Kind) -> None:
    """Each class of answer, in the texts of each push service."""
    assert judge(status, {}, body.encode(), NOW).kind is kind


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("999999", 3600.0),
        ("9" * 5000, 3600.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        (formatdate(NOW + 90_000, usegmt=True), 3600.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0663", None),
        ("Wed, 99 Foo 2026 00:00:00 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [429, 406, 503])
def test_the_pause_is_seconds_or_a_date_and_an_hour_at_most(status: int, header: str, seconds: float | None) -> None:
    """Retry-After as in RFC 9110; an unreadable one counts as missing."""
    delivery = judge(status, {"Retry-After": header}, b"", NOW)

    assert (delivery.kind, delivery.retry_after) == (Kind.THROTTLED, seconds)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("received", Kind.SENT),
        ("dropped", Kind.MESSAGE),
        ("channelthrottled", Kind.THROTTLED),
        ("AppThrottled", Kind.THROTTLED),
    ],
)
def test_a_success_of_windows_service_may_be_none(said: str, kind: Kind) -> None:
    """A header says what it did with the accepted message."""
    assert judge(201, {"X-WNS-Status": said}, b"", NOW).kind is kind


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"two\r\n lines\x00\xff", "HTTP 500: two lines"),
        (b"x " * 500, "HTTP 500: " + "x " * 100),
        (b"", "HTTP 500"),
    ],
)
def test_the_reason_is_one_short_line(body: bytes, expected: str) -> None:
    """The service's own text, made safe for a log."""
    assert judge(500, {}, body, NOW).reason == expected


def test_windows_reasons_come_from_a_header() -> None:
    """Other services have them in the body."""
    answer = judge(400, {"X-WNS-Error-Description": "Ttl value conflicts"}, b"", NOW)

    assert answer == Delivery(Kind.MESSAGE, "HTTP 400: Ttl value conflicts")


def test_secrets_in_an_answer_are_cut_out() -> None:
    """URLs and long tokens in an answer do not reach the logs."""
    answer = judge(400, {}, b"see https://fcm.googleapis.com/wp/abc or " + b"eXyZ_-:9" * 8, NOW)

    assert answer.reason == "HTTP 400: see <url> or <token>"


def test_a_refused_topic_is_an_outcome_of_its_own() -> None:
    """Only then may the same message work without a topic."""
    assert refuses_topic(judge(400, {}, b'{"reason":"BadWebPushTopic"}', NOW))
    assert not refuses_topic(judge(400, {}, b'{"reason":"BadTtl"}', NOW))
    assert not refuses_topic(judge(410, {}, b"topic", NOW))


def test_windows_gets_a_cache_policy_and_others_do_not() -> None:
    """Only Windows' service needs its own header to accept a TTL."""
    windows, apple = (
        headers_for(AllowedHosts().parse(endpoint), MESSAGE)
        for endpoint in ("https://db5.notify.windows.com/w", "https://web.push.apple.com/x")
    )

    assert windows == {**apple, "X-WNS-Cache-Policy": "cache"}
    assert apple == {
        "TTL": "60",
        "Urgency": "normal",
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }
