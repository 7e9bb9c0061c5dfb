"""Which subscriptions can never receive anything, as can be told without asking their push service."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from processors.push.encrypt import InvalidKeysError, keys_of
from processors.push.endpoints import EndpointRefusedError

if TYPE_CHECKING:
    from processors.push.endpoints import AllowedHosts
    from storage.ports import Subscription


class Reason(enum.StrEnum):
    """Why a subscription is dead."""

    EXPIRED = "past its expirationTime"
    ENDPOINT = "the endpoint must not be called"
    KEYS = "the keys are none"


def has_expired(subscription: Subscription, now: float) -> bool:
    """Whether its `expirationTime` has passed; `now` is in seconds since the epoch."""
    return subscription.expires_at is not None and subscription.expires_at <= now


def reason(subscription: Subscription, allowed: AllowedHosts, now: float) -> Reason | None:
    """What the sender would find of itself, and prune the row for; None if it would ask the push service."""
    if has_expired(subscription, now):
        return Reason.EXPIRED
    try:
        allowed.parse(subscription.endpoint)
        keys_of(subscription)
    except EndpointRefusedError:
        return Reason.ENDPOINT
    except InvalidKeysError:
        return Reason.KEYS
    return None
