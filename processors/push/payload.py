"""What the push jobs carry, and what comes back."""

from __future__ import annotations

import enum
import hashlib
import math
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from processors.push.delivery import Message
from processors.push.notification import Notification  # noqa: TC001 -- pydantic reads it
from processors.push.schedule import MAX_ATTEMPTS
from queue_lib.processor import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.push.notification import PayloadStyle

FOLLOW_UP = "push-follow-up"  # the job of that name
DEFAULT_TTL = 86_400
MAX_TTL = 2_419_200  # four weeks: what the `web-push` npm package asks for at most
MAX_USERS = 100_000
MAX_FOLLOW_UP = 1000  # subscriptions of one follow-up job
# Of a result, which stays in Redis: a batch has a follow-up a page, and Windows' and Apple's services have many hosts.
MAX_FOLLOW_UPS, MAX_ORIGINS = 100, 50
OTHER = "other"  # the rest of them
# Milliseconds: what is less was meant as seconds (as milliseconds, this is in 1973).
MIN_TIME = 10**11


class Urgency(enum.StrEnum):
    """How soon a device should be woken (RFC 8030, section 5.3)."""

    VERY_LOW = "very-low"
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


def _clamp(ttl: int) -> int:
    return min(max(ttl, 0), MAX_TTL)


def _without_nulls(value: Any) -> Any:
    """JavaScript writes null for what there is not."""
    return {key: given for key, given in value.items() if given is not None} if isinstance(value, dict) else value


def _seconds(value: Any) -> Any:
    """A time as JavaScript writes it, in seconds since the epoch; raises ValueError for any other."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and MIN_TIME <= value < MIN_TIME * 1000:
        return value / 1000
    msg = "neither milliseconds since the epoch, as Date.now() gives, nor an ISO date with its zone"
    raise ValueError(msg)


Moment = Annotated[float, BeforeValidator(_seconds)]


class Options(Model):
    """How the push services are to treat the message; `ttl` is in seconds and is clamped to 0..2,419,200 (4 weeks).

    With a `ttl` of 0 a device receives the message if it is online, and no push is tried again. A message replaces an
    undelivered one of the same `topic`. `not_before` and `expires_at` are in seconds since the epoch; on the wire, and
    for the constructor, milliseconds or ISO dates. null is the same as no value.
    """

    ttl: Annotated[int, AfterValidator(_clamp)] = DEFAULT_TTL
    urgency: Urgency = Urgency.NORMAL
    topic: str | None = None
    not_before: Moment | None = None
    expires_at: Moment | None = None

    _nulls = model_validator(mode="before")(_without_nulls)


class Push(Model):
    """A notification, and how it is to be sent."""

    payload: Notification
    options: Options = Options()

    _nulls = model_validator(mode="before")(_without_nulls)

    def message(self, style: PayloadStyle) -> Message:
        """What is to be sent, the same for every subscription. Raises PermanentError as Notification.encode does."""
        return Message(
            body=self.payload.encode(style),
            ttl=self.options.ttl,
            urgency=self.options.urgency.value,
            topic=topic_header(self.options.topic),
        )

    def wait(self, now: float) -> float:
        """Seconds until the message may be sent: 0 if it has no `notBefore`, or it is past."""
        return 0.0 if self.options.not_before is None else max(0.0, self.options.not_before - now)

    def deadline(self, now: float) -> float:
        """When the message is worth nothing any more if it is first sent now; in seconds since the epoch.

        A `ttl` of 0 ends nothing: whoever's turn it is may be online.
        """
        end = now + self.options.ttl if self.options.ttl else math.inf
        return end if self.options.expires_at is None else min(end, self.options.expires_at)


class PushPayload(Push):
    """`push-notification`: one notification for all devices of a user. `userId` may be a number."""

    user_id: str = Field(min_length=1, coerce_numbers_to_str=True)


UserId = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
# A list of a wrong kind is one fault, not 100,000 of them.
UserIds = Annotated[list[UserId], Field(min_length=1, max_length=MAX_USERS, fail_fast=True)]


class BatchPayload(Push):
    """`push-batch`: one notification for many users, `userIds` (1 to 100,000), or for everybody, `all`.

    Ids may be numbers; one that is given twice counts once.
    """

    user_ids: UserIds | None = None
    everyone: bool = Field(default=False, alias="all")

    @field_validator("user_ids")
    @classmethod
    def _once(cls, user_ids: list[str] | None) -> list[str] | None:
        return None if user_ids is None else list(dict.fromkeys(user_ids))

    @model_validator(mode="after")
    def _either(self) -> Self:
        if self.everyone == (self.user_ids is not None):
            msg = "give either userIds or all: true"
            raise ValueError(msg)
        return self


class FollowUpPayload(Push):
    """`push-follow-up`: the subscriptions of the job `followUpOf` that are to be sent to once more."""

    subscription_ids: list[str] = Field(min_length=1, max_length=MAX_FOLLOW_UP)
    attempt: int = Field(ge=2, le=MAX_ATTEMPTS)
    follow_up_of: str


def follow_up_data(push: Push, ids: Sequence[str], attempt: int, of: str, deadline: float) -> dict[str, Any]:
    """A FollowUpPayload on the wire: `push` as the app gave it, worth nothing after `deadline` (epoch seconds).

    Attempt number `attempt` (2 to 5) of the job `of`, for the subscriptions `ids` (1 to 1,000).
    """
    options = push.options
    return {
        "subscriptionIds": list(ids),
        "payload": push.payload.given,
        "options": {
            "ttl": options.ttl,
            "urgency": options.urgency.value,
            "topic": options.topic,
            "expiresAt": round(deadline * 1000),
        },
        "attempt": attempt,
        "followUpOf": of,
    }


def topic_header(topic: str | None) -> str | None:
    """A `Topic` that every push service takes: 32 hexadecimal digits of a hash of the app's name for it.

    RFC 8030 allows 32 characters of base64url; Apple refuses some of those ("BadWebPushTopic"), and no digest.
    """
    return hashlib.sha256(topic.encode(errors="replace")).hexdigest()[:32] if topic else None


class PushResult(Model):
    """What became of each subscription; the counts add up to `total`.

    `pruned`: gone, and deleted. `retrying`: handed over to the jobs `follow_ups`, of whose ids 100 are named at most.
    `skipped`: settled by an earlier run, or a second row of the same endpoint. `expired`: unsent when the message's
    time was over. `origins`: push service -> kind of delivery -> how often; at most 50, with the rest under `other`.
    """

    sent: int = 0
    failed: int = 0
    pruned: int = 0
    retrying: int = 0
    skipped: int = 0
    expired: int = 0
    total: int = 0
    follow_ups: tuple[str, ...] = ()
    origins: dict[str, dict[str, int]] = Field(default_factory=dict)

    @field_validator("follow_ups")
    @classmethod
    def _named(cls, ids: tuple[str, ...]) -> tuple[str, ...]:
        return ids[:MAX_FOLLOW_UPS]

    @field_validator("origins")
    @classmethod
    def _capped(cls, origins: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
        if len(origins) <= MAX_ORIGINS:
            return origins
        named = [origin for origin in origins if origin != OTHER][: MAX_ORIGINS - 1]
        capped = {origin: origins[origin] for origin in named}
        rest: Counter[str] = Counter()
        for origin in origins.keys() - capped.keys():
            rest.update(origins[origin])
        return {**capped, OTHER: dict(rest)}

    def plus(self, other: PushResult) -> PushResult:
        """Both together."""
        counts = {
            name: getattr(self, name) + getattr(other, name)
            for name in ("sent", "failed", "pruned", "retrying", "skipped", "expired", "total", "follow_ups")
        }
        origins = {
            origin: dict(Counter(self.origins.get(origin)) + Counter(other.origins.get(origin)))
            for origin in {**self.origins, **other.origins}
        }
        return PushResult(**counts, origins=origins)
