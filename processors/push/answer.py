"""What a push service's answer means for the subscription. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from processors.push.delivery import Delivery, Failed, Gone, Sent

if TYPE_CHECKING:
    from collections.abc import Mapping

# 404 as well as 410: Google answers it for devices that it has not seen for 270 days
# (https://github.com/pushpad/web-push/issues/14).
GONE = frozenset({404, 410})
MAX_DETAIL = 200
# An answer may repeat the endpoint, or a part of it, and endpoints are secrets.
_URL = re.compile(r"\b[a-z]+://\S+", re.IGNORECASE)
_TOKEN = re.compile(r"[\w:.%+/=-]{32,}", re.ASCII)
_BLANK = re.compile(r"[^!-~]+")


def judge(status: int, headers: Mapping[str, str], body: bytes) -> Delivery:
    """What an answer means; `body` may be its beginning only.

    The next issue tells the failures apart: which are retried and when, which are the configuration's fault.
    """
    if 200 <= status < 300:  # noqa: PLR2004 -- any success: Windows' service says 200 or 201, others 201
        return Sent()
    if 300 <= status < 400:  # noqa: PLR2004 -- following it would call whom nobody checked
        return Failed(f"HTTP {status}: a redirect, which is not followed")
    reason = f"HTTP {status}: {detail(headers, body)}".removesuffix(": ")
    return Gone(reason) if status in GONE else Failed(reason)


def detail(headers: Mapping[str, str], body: bytes) -> str:
    """The service's own words in at most 200 characters of ASCII, without URLs and long tokens."""
    # Windows' service explains itself in a header alone (https://github.com/web-push-libs/pywebpush/issues/162).
    words = headers.get("X-WNS-Error-Description", "") or body.decode(errors="replace")
    words = _TOKEN.sub("<token>", _URL.sub("<url>", words))
    return _BLANK.sub(" ", words).strip()[:MAX_DETAIL]
