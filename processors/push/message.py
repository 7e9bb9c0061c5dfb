"""What is sent of a notification: JSON, within what a push message holds. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processors.locales import plain
from processors.push.delivery import DEFAULT_LIMIT, MAX_PLAINTEXT, Message
from processors.push.notification import MAGIC, MAX_BADGE
from processors.push.payload import BatchPayload
from processors.push.shorten import ELLIPSIS, shortened
from queue_lib.errors import PermanentError

if TYPE_CHECKING:
    from processors.push.notification import Notification
    from processors.push.payload import Push


@dataclass(frozen=True, slots=True)
class PayloadStyle:
    """How notifications are written: `limit` in bytes of JSON, and whether in the shape of Declarative Web Push.

    Raises ValueError for a limit above 3,993, what a push message can hold at all.
    """

    limit: int = DEFAULT_LIMIT
    declarative: bool = False

    def __post_init__(self) -> None:
        """Refuse a limit that encryption would exceed."""
        if self.limit > MAX_PLAINTEXT:
            msg = f"a push message holds {MAX_PLAINTEXT:,} bytes, not {self.limit:,}"
            raise ValueError(msg)


def message_of(push: Push, style: PayloadStyle) -> Message:
    """What is sent to every subscription without a text in its locale. Raises PermanentError as `encode` does."""
    return Message(
        body=encode(push.payload, style),
        ttl=push.options.ttl,
        urgency=push.options.urgency.value,
        topic=topic_header(push.options.topic),
        is_batch=isinstance(push, BatchPayload),
    )


def bodies_of(push: Push, style: PayloadStyle) -> dict[str, bytes]:
    """The texts of a message by locale, for `lookup`. Raises PermanentError as `encode` does, and names the locale."""
    bodies = {}
    for locale, notification in (push.payloads or {}).items():
        try:
            bodies[plain(locale)] = encode(notification, style)
        except PermanentError as error:
            msg = f"payloads.{locale}: {error}"
            raise PermanentError(msg) from error
    return bodies


def topic_header(topic: str | None) -> str | None:
    """A `Topic` that every push service takes: 32 hexadecimal digits of a hash of the app's name for it.

    RFC 8030 allows 32 characters of base64url; Apple refuses some of those ("BadWebPushTopic"), and no digest.
    """
    return hashlib.sha256(topic.encode(errors="replace")).hexdigest()[:32] if topic else None


def encode(notification: Notification, style: PayloadStyle) -> bytes:
    """The object that the app gave as compact JSON in UTF-8, as `JSON.parse` in the service worker reads it.

    A body that makes it too long is shortened. Raises PermanentError if that is not enough, and for what JSON does not
    have.
    """
    encoded = _encode(notification, notification.body, style)
    if len(encoded) <= style.limit:
        return encoded
    body = notification.body or ""
    bare = len(_encode(notification, "", style)) if body else len(encoded)
    room = style.limit - bare
    if not body or room < len(ELLIPSIS.encode()):
        msg = (
            f"the payload has {bare:,} bytes as JSON without its body, and a push message holds {style.limit:,}: "
            f"shorten `data` and the other fields, or raise PUSH_MAX_PAYLOAD (up to {MAX_PLAINTEXT:,})"
        )
        raise PermanentError(msg)
    return _encode(notification, shortened(body, room), style)


def _encode(notification: Notification, body: str | None, style: PayloadStyle) -> bytes:
    try:
        return _json(_shape(notification, body, style))
    except (ValueError, RecursionError) as error:
        msg = f"the payload can't be written as JSON: {error}"
        raise PermanentError(msg) from error


def _shape(notification: Notification, body: str | None, style: PayloadStyle) -> dict[str, Any]:
    """What is sent, with this body."""
    given: dict[str, Any] = notification.given
    changed = {} if body == notification.body else {"body": body}
    if notification.is_declarative:
        return {**given, "notification": {**given["notification"], **changed}}
    return _declarative(notification, body) if style.declarative else {**given, **changed}


def _declarative(notification: Notification, body: str | None) -> dict[str, Any]:
    """The shape of Declarative Web Push, which a browser shows by itself, and a service worker can read.

    By the draft (https://w3c.github.io/push-api/#declarative-push-message) a relative `navigate` is resolved, and what
    the browser can't parse is an ordinary message for the service worker. Safari's parser (WebKit's
    NotificationJSONParser.cpp) takes absolute URLs alone, for `icon` as well, no numbers for texts, and no nulls.
    `mutable` and `app_badge` are beside `notification` in the draft, and inside it in that parser and in
    https://webkit.org/blog/16535/meet-declarative-web-push/.
    """
    navigate = notification.url or notification.navigate or "/"
    texts = {"title": notification.title, "body": body, "tag": notification.tag, "navigate": navigate}
    badge = notification.app_badge
    apart = {"url"}
    if isinstance(notification.badge, int):  # there `badge` is the URL of an image
        apart.add("badge")
        if badge is None and 0 <= notification.badge <= MAX_BADGE:
            badge = notification.badge
    both = {"mutable": notification.mutable, "app_badge": badge}
    shape = _without(apart, {**notification.given, **texts, **both})
    return {"web_push": MAGIC, "notification": shape, **_without(set(), both)}


def _without(names: set[str], fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and name not in names}


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # JavaScript cuts strings between the halves of an emoji; half of one has no UTF-8.
    return text.encode(errors="replace")
