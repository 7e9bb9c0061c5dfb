"""What answers mean, and what a request carries."""

from __future__ import annotations

import pytest

from processors.push.answer import judge
from processors.push.delivery import Delivery, Failed, Gone, Message, Sent
from processors.push.endpoints import AllowedHosts
from processors.push.send import headers_for

MESSAGE = Message(b"{}", ttl=60, urgency="normal")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b"", Sent()),
        (201, b"whatever", Sent()),
        (204, b"", Sent()),
        (404, b"", Gone("HTTP 404")),
        (410, b"push subscription has expired.", Gone("HTTP 410: push subscription has expired.")),
        (301, b"", Failed("HTTP 301: a redirect, which is not followed")),
        (400, b'{"reason":"VapidPkHashMismatch"}', Failed('HTTP 400: {"reason":"VapidPkHashMismatch"}')),
        (403, b"two\r\n lines\x00\xff", Failed("HTTP 403: two lines")),
        (503, b"x " * 500, Failed("HTTP 503: " + "x " * 100)),
    ],
)
def test_the_status_decides(status: int, body: bytes, expected: Delivery) -> None:
    """Any 2xx is sent, 404 and 410 are gone, the rest failed, with the service's words in one short line."""
    assert expected == judge(status, {}, body)


def test_windows_reasons_come_from_a_header() -> None:
    """Windows' service says in a header what the others say in the body."""
    answer = judge(400, {"X-WNS-Error-Description": "Ttl value conflicts"}, b"")

    assert Failed("HTTP 400: Ttl value conflicts") == answer


def test_secrets_in_an_answer_are_cut_out() -> None:
    """URLs and long tokens in an answer don't reach the logs."""
    answer = judge(400, {}, b"see https://fcm.googleapis.com/wp/abc or " + b"eXyZ_-:9" * 8)

    assert Failed("HTTP 400: see <url> or <token>") == answer


def test_windows_gets_a_cache_policy_and_others_do_not() -> None:
    """Only Windows' service needs its own header to take a TTL."""
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
