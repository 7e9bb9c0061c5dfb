"""One message to one subscription: what is sent, and the ways it can end."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from storage.ports import Subscription

# RFC 8030, section 7.2: a push service takes bodies of 4,096 bytes; RFC 8188's header, delimiter and tag are 103 of
# them. A longer text would go out in two records, which RFC 8291, section 4, forbids.
MAX_PLAINTEXT = 3993
# Firefox on Android is reached over Google, and takes less than the others: 2,744 bytes by Mozilla's word
# (autopush, docs/src/http.md), seen as 413 in https://github.com/SherClockHolmes/webpush-go/issues/23.
DEFAULT_LIMIT = 2700


@dataclass(frozen=True, slots=True)
class Message:
    """What every subscription of a fan-out receives: the plaintext `body` and, in seconds, its time to live.

    `is_batch`: it goes to many, so the time of encrypting it matters.
    """

    body: bytes
    ttl: int
    urgency: str
    topic: str | None = None
    is_batch: bool = False


class Kind(enum.StrEnum):
    """How a message ended, as far as it matters for what is done next."""

    SENT = "sent"  # the push service took it
    GONE = "gone"  # its push service or its browser says that it is over: its row is pruned
    KEY_MISMATCH = "keyMismatch"  # the subscription was made with another VAPID key
    UNREADABLE_KEYS = "unreadableKeys"  # nothing can be encrypted with the row's keys; the push service was not asked
    REFUSED_ENDPOINT = "refusedEndpoint"  # the row's endpoint must not be called
    CONFIGURATION = "configuration"  # the push service refuses the server itself: no subscription is at fault
    REFUSED = "refused"  # the push service refuses us for this subscription again and again, and takes others' messages
    MESSAGE = "message"  # this message is refused; others may pass
    REDIRECT = "redirect"  # a redirect, which is not followed
    THROTTLED = "throttled"  # the push service asks for a pause
    TRANSIENT = "transient"  # another attempt may help
    EXPIRED = "expired"  # not sent: its time was over when its turn came


# Found without asking the push service: they say nothing about it.
UNASKED = frozenset({Kind.UNREADABLE_KEYS, Kind.REFUSED_ENDPOINT})
# The worker can't send to the row. No push service called it gone, so it is kept.
UNUSABLE = UNASKED | {Kind.KEY_MISMATCH}


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a message to one subscription ended.

    `reason` is for people and holds no secret. `retry_after` is the pause that the push service asked for, in seconds.
    `tried` is False if nothing was sent because the push service is left alone. That uses up no attempt, and
    `retry_after` is the time that is left of the pause.
    """

    kind: Kind
    reason: str = ""
    retry_after: float | None = None
    tried: bool = True


@dataclass(frozen=True, slots=True)
class End:
    """How the message to a row of this origin ended."""

    row: Subscription
    origin: str
    delivery: Delivery

    @property
    def was_left_alone(self) -> bool:
        """Whether nothing was sent because the push service rests, or is slow: that uses up no attempt."""
        return not self.delivery.tried and self.delivery.kind is not Kind.CONFIGURATION


class Sender(Protocol):
    """What can send to a subscription."""

    async def send(self, subscription: Subscription, message: Message) -> Delivery:
        """Send; a fault of the subscription or of its push service is a Delivery, never an exception."""

    def origin(self, subscription: Subscription) -> str | None:
        """Scheme, host and port of the push service, or None if it must not be called."""

    def is_proven(self, origin: str) -> bool:
        """Whether this push service has lately taken a message with the current key."""

    def has_taken_since(self, origin: str, moment: float) -> bool:
        """Whether it has taken one since that moment (seconds since the epoch)."""
