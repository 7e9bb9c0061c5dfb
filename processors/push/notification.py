"""The notification that a device shows: what the app gave, within what a push message holds."""

from __future__ import annotations

import json
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Self

from pydantic import ConfigDict, PrivateAttr, field_validator, model_validator

from processors.push.encrypt import MAX_PLAINTEXT
from queue_lib.errors import PermanentError
from queue_lib.processor import Model

if TYPE_CHECKING:
    from pydantic import ModelWrapValidatorHandler

# Firefox on Android is reached over Google, and takes less than the others: 2,744 bytes by Mozilla's word
# (autopush, docs/src/http.md), seen as 413 in https://github.com/SherClockHolmes/webpush-go/issues/23.
DEFAULT_LIMIT = 2700
ELLIPSIS = "…"
ZERO_WIDTH_JOINER = "\u200d"
# Browsers skip these wherever they are in a URL, or before it (https://url.spec.whatwg.org/#concept-basic-url-parser).
_SKIPPED = re.compile(r"\A[\x00-\x20]+|[\t\n\r]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
# Bytes of a character in a JSON string, where that is not its length in UTF-8.
_ESCAPED = {character: len(json.dumps(character, ensure_ascii=False)) - 2 for character in map(chr, range(0x80))}
# Declarative Web Push's mark: the number of the RFC of web push.
_MAGIC = 8030
# WebKit reads a number as a C int, and refuses the message otherwise.
_MAX_BADGE = 2**31 - 1


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


class Action(Model):
    """A button on the notification."""

    action: str
    title: str
    icon: str | None = None


class Notification(Model):
    """What the app's service worker receives.

    The fields below are checked, others pass through, and what is sent is the object as the app gave it.
    """

    model_config = ConfigDict(extra="allow")

    title: str
    body: str
    url: str | None = None
    navigate: str | None = None  # what Declarative Web Push calls `url`
    icon: str | None = None
    badge: str | int | None = None
    image: str | None = None
    tag: str | None = None
    actions: list[Action] | None = None
    data: Any = None
    silent: bool | None = None
    require_interaction: bool | None = None

    _given: Any = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        notification = handler(value)
        if notification is value:
            return notification
        notification._given = value  # noqa: SLF001 -- its own class
        return notification

    @field_validator("url", "navigate")
    @classmethod
    def _web_only(cls, url: str | None) -> str | None:
        scheme = _SCHEME.match(_SKIPPED.sub("", url or ""))
        if scheme is not None and scheme[1].lower() not in {"http", "https"}:
            msg = "must be http, https or relative"
            raise ValueError(msg)
        return url

    @property
    def given(self) -> Any:
        """The object as the app gave it."""
        return self._given

    def encode(self, style: PayloadStyle) -> bytes:
        """The object as compact JSON in UTF-8, as `JSON.parse` in the service worker reads it.

        A body that makes it too long is shortened. Raises PermanentError if that is not enough, and for what JSON does
        not have.
        """
        encoded = self._encode(self.body, style)
        if len(encoded) <= style.limit:
            return encoded
        bare = len(self._encode("", style))
        room = style.limit - bare
        if room < len(ELLIPSIS.encode()):
            msg = (
                f"the payload has {bare:,} bytes as JSON without its body, and a push message holds {style.limit:,}: "
                f"shorten `data` and the other fields, or raise PUSH_MAX_PAYLOAD (up to {MAX_PLAINTEXT:,})"
            )
            raise PermanentError(msg)
        return self._encode(shortened(self.body, room), style)

    def _encode(self, body: str, style: PayloadStyle) -> bytes:
        shape = {**self._given, "body": body}
        try:
            return _json(self._declarative(shape) if style.declarative else shape)
        except (ValueError, RecursionError) as error:
            msg = f"the payload can't be written as JSON: {error}"
            raise PermanentError(msg) from error

    def _declarative(self, shape: dict[str, Any]) -> dict[str, Any]:
        """The shape of Declarative Web Push, which a browser shows by itself, and a service worker can read.

        By the draft (https://w3c.github.io/push-api/#declarative-push-message) a relative `navigate` is resolved, and
        what the browser can't parse is an ordinary message for the service worker. Safari's parser (WebKit's
        NotificationJSONParser.cpp) takes absolute URLs alone, for `icon` as well, and no nulls. `app_badge` is beside
        `notification` in the draft, and inside it in https://webkit.org/blog/16535/meet-declarative-web-push/.
        """
        notification = {key: value for key, value in shape.items() if value is not None and key != "url"}
        notification["navigate"] = self.url or self.navigate or "/"
        message = {"web_push": _MAGIC, "notification": notification}
        if isinstance(self.badge, int):
            # There `badge` is the URL of a picture.
            del notification["badge"]
            if 0 <= self.badge <= _MAX_BADGE:
                message["app_badge"] = notification["app_badge"] = self.badge
        return message


def shortened(text: str, room: int) -> str:
    """The beginning of a `text` that is too long, and an ellipsis, in at most `room` (3 or more) bytes of JSON.

    What is one character to a reader is left whole: no accent, skin tone or member of a family is cut off.
    """
    room -= len(ELLIPSIS.encode())
    sizes = accumulate(map(_size, text[:room]))  # each has at least a byte
    end = bisect_right(list(sizes), room)
    while 0 < end < len(text) and (
        _continues(text[end]) or text[end - 1] == ZERO_WIDTH_JOINER or text[end - 1].isspace()
    ):
        end -= 1
    return text[:end] + ELLIPSIS


def _size(character: str) -> int:
    """Bytes of a character in a JSON string."""
    return _ESCAPED.get(character) or len(character.encode(errors="replace"))


def _continues(character: str) -> bool:
    """Whether it belongs to the character before it: accents, variations, skin tones, joined emoji."""
    return (
        character == ZERO_WIDTH_JOINER
        or unicodedata.category(character) in {"Mn", "Me", "Mc"}
        or "\U0001f3fb" <= character <= "\U0001f3ff"
    )


def _json(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # JavaScript cuts strings between the halves of an emoji; half of one has no UTF-8.
    return text.encode(errors="replace")
