"""What a push service's answer means for the subscription. Pure.

Google, Mozilla, Apple and Microsoft say the same things in different words, which are below.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from processors.push.delivery import Delivery, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DETAIL = 200
MAX_RETRY_AFTER = 3600.0  # seconds
# 404 as well as 410: Google answers it for devices that it has not seen for 270 days
# (https://github.com/pushpad/web-push/issues/14).
_GONE = frozenset({404, 410})
_UNAUTHORIZED = frozenset({401, 403})
# 406 is Windows' old word for it (https://github.com/web-push-libs/web-push-csharp/issues/93).
_THROTTLED = frozenset({406, 429})
_TIMEOUT, _UNAVAILABLE = 408, 503
# The subscription was made with another key: Apple's, Google's and Mozilla's words.
_KEY_MISMATCH = ("vapidpkhashmismatch", "do not correspond to the credentials", "public key mismatch")
# The server's own fault though the status is 400: Apple's, Google's (of old) and everybody's words.
_CONFIGURATION = ("badjwttoken", "badvapidpublickey", "unauthorizedregistration", "aud claim", "exp claim")
# One subscription's fault though the status is 401 or 403 (https://github.com/web-push-libs/web-push/issues/523).
_ENDPOINT = "invalid push subscription endpoint"
# An answer may repeat the endpoint, or a part of it, and endpoints are secrets.
_URL = re.compile(r"\b[a-z]+://\S+", re.IGNORECASE)
_TOKEN = re.compile(r"[\w:.%+/=-]{32,}", re.ASCII)
_BLANK = re.compile(r"[^!-~]+")


def judge(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Delivery:
    """What an answer means; `body` may be its beginning only, `now` is in seconds since the epoch."""
    if 200 <= status < 300:  # noqa: PLR2004 -- any success: Windows' service says 200 or 201, others 201
        return _taken(headers, now)
    if 300 <= status < 400:  # noqa: PLR2004 -- following it would call a host that was not checked
        return Delivery(Kind.REDIRECT, f"HTTP {status}: a redirect, which is not followed")
    kind = _kind(status, headers, body.decode(errors="replace").lower())
    reason = f"HTTP {status}: {detail(headers, body)}".removesuffix(": ")
    return Delivery(kind, reason, retry_after(headers, now) if kind is Kind.THROTTLED else None)


def _kind(status: int, headers: Mapping[str, str], words: str) -> Kind:
    if status in _GONE:
        return Kind.GONE
    if status in _THROTTLED or (status == _UNAVAILABLE and "Retry-After" in headers):
        return Kind.THROTTLED
    if status >= 500 or status == _TIMEOUT:  # noqa: PLR2004 -- the service's own faults
        return Kind.TRANSIENT
    if any(phrase in words for phrase in _KEY_MISMATCH):
        return Kind.KEY_MISMATCH
    if any(phrase in words for phrase in _CONFIGURATION) or (status in _UNAUTHORIZED and _ENDPOINT not in words):
        return Kind.CONFIGURATION
    return Kind.MESSAGE


def _taken(headers: Mapping[str, str], now: float) -> Delivery:
    """A success, unless Windows' service says in a header that it did not pass the message on."""
    wns = headers.get("X-WNS-Status", "").lower()
    if wns.endswith("throttled"):
        return Delivery(Kind.THROTTLED, f"taken, but {wns}", retry_after(headers, now))
    if wns == "dropped":
        return Delivery(Kind.MESSAGE, "taken, but dropped")
    return Delivery(Kind.SENT)


def refuses_topic(delivery: Delivery) -> bool:
    """Whether the message might pass without its topic: Apple's "BadWebPushTopic", Mozilla's errno 113."""
    return delivery.kind is Kind.MESSAGE and "topic" in delivery.reason.lower()


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait as `Retry-After` has it (seconds or a date: RFC 9110, section 10.2.3), an hour at most."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), MAX_RETRY_AFTER)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def detail(headers: Mapping[str, str], body: bytes) -> str:
    """The service's own words in at most 200 characters of ASCII, without URLs and long tokens."""
    # Windows' service explains itself in a header alone (https://github.com/web-push-libs/pywebpush/issues/162).
    words = headers.get("X-WNS-Error-Description", "") or body.decode(errors="replace")
    words = _TOKEN.sub("<token>", _URL.sub("<url>", words))
    return _BLANK.sub(" ", words).strip()[:MAX_DETAIL]
