"""One message to one subscription: what is sent, and the ways it can end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from storage.ports import Subscription


@dataclass(frozen=True, slots=True)
class Message:
    """What every subscription of a fan-out receives: the plaintext `body` and, in seconds, its time to live."""

    body: bytes
    ttl: int
    urgency: str
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The push service took the message."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The subscription can never receive again: its row is to be deleted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The message did not go out; the subscription may still be good."""

    reason: str


Delivery = Sent | Gone | Failed


class Sender(Protocol):
    """Whoever can send to a subscription."""

    async def send(self, subscription: Subscription, message: Message) -> Delivery:
        """Send; a fault of the subscription or of its push service is a Delivery, never an exception."""
