"""What a `push-notification` job carries, and what comes back."""

from __future__ import annotations

import enum
import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from processors.push.delivery import Message
from queue_lib.errors import PermanentError
from queue_lib.processor import Model

if TYPE_CHECKING:
    from pydantic import ModelWrapValidatorHandler

# RFC 8030, section 7.2: a push service takes bodies of 4,096 bytes; RFC 8188's header, delimiter and tag are 103 of
# them. pywebpush does not check: a longer text would go out in two records, which RFC 8291, section 4, forbids.
MAX_PLAINTEXT = 3993
DEFAULT_TTL = 86_400
# Never 0: Windows' service refuses it (https://github.com/web-push-libs/pywebpush/issues/162), and elsewhere it drops
# the message of every device that is offline. Four weeks are what the `web-push` npm package asks for at most.
MIN_TTL, MAX_TTL = 1, 2_419_200


class Urgency(enum.StrEnum):
    """How soon a device should be woken (RFC 8030, section 5.3)."""

    VERY_LOW = "very-low"
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Action(Model):
    """A button on the notification."""

    action: str
    title: str
    icon: str | None = None


class Notification(Model):
    """What the app's service worker receives.

    The fields below are checked, others pass through, and what is sent is the object exactly as the app gave it.
    """

    model_config = ConfigDict(extra="allow")

    title: str
    body: str
    url: str | None = None
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

    def encode(self) -> bytes:
        """The object as compact JSON in UTF-8, as `JSON.parse` in the service worker reads it.

        Raises PermanentError over 3,993 bytes, and for numbers that JSON does not have.
        """
        try:
            text = json.dumps(self._given, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except ValueError as error:
            msg = f"the payload can't be written as JSON: {error}"
            raise PermanentError(msg) from error
        # JavaScript cuts strings between the halves of an emoji; half of one has no UTF-8.
        encoded = text.encode(errors="replace")
        if len(encoded) > MAX_PLAINTEXT:
            msg = f"the payload has {len(encoded):,} bytes as JSON; a push message holds at most {MAX_PLAINTEXT:,}"
            raise PermanentError(msg)
        return encoded


def _clamp(ttl: int) -> int:
    return min(max(ttl, MIN_TTL), MAX_TTL)


class Options(Model):
    """How the push services are to treat the message; `ttl` is in seconds and is clamped to 1..2,419,200 (4 weeks).

    A message replaces an undelivered one of the same `topic`. null is the same as no value.
    """

    ttl: Annotated[int, AfterValidator(_clamp)] = DEFAULT_TTL
    urgency: Urgency = Urgency.NORMAL
    topic: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value


class PushPayload(Model):
    """`push-notification`: one notification for all devices of a user. `userId` may be a number."""

    user_id: str = Field(min_length=1, coerce_numbers_to_str=True)
    payload: Notification
    options: Options = Options()

    @field_validator("options", mode="before")
    @classmethod
    def _or_default(cls, value: Any) -> Any:
        return Options() if value is None else value

    def message(self) -> Message:
        """What is to be sent, the same for every subscription. Raises PermanentError as Notification.encode does."""
        return Message(
            body=self.payload.encode(),
            ttl=self.options.ttl,
            urgency=self.options.urgency.value,
            topic=topic_header(self.options.topic),
        )


def topic_header(topic: str | None) -> str | None:
    """A `Topic` that every push service takes: 32 hexadecimal digits of a hash of the app's name for it.

    RFC 8030 allows 32 characters of base64url; Apple refuses some of those ("BadWebPushTopic"), and no digest.
    """
    return hashlib.sha256(topic.encode(errors="replace")).hexdigest()[:32] if topic else None


class PushResult(Model):
    """What became of each of the user's subscriptions; the counts add up to `total`.

    `pruned`: gone, and deleted. `retrying` and `skipped` are 0 until failed subscriptions are sent to again.
    """

    sent: int = 0
    failed: int = 0
    pruned: int = 0
    retrying: int = 0
    skipped: int = 0
    total: int = 0
