"""Which subscriptions can't be sent to, and why, as far as it shows without asking their push service."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from processors.push.delivery import Kind
from processors.push.endpoints import AllowedHosts, EndpointRefusedError, EndpointRemovedError
from processors.push.keys import InvalidKeysError, keys_of

if TYPE_CHECKING:
    from storage.ports import Subscription


class Cause(enum.StrEnum):
    """Why a row can't be sent to. The worker prunes rows with the first two causes, and keeps the others."""

    EXPIRED = "expired"  # its expirationTime has passed
    REMOVED = "removed"  # its browser has ended it
    REFUSED_ENDPOINT = Kind.REFUSED_ENDPOINT.value
    UNREADABLE_KEYS = Kind.UNREADABLE_KEYS.value


def has_expired(subscription: Subscription, now: float) -> bool:
    """Whether its `expirationTime` has passed; `now` is in seconds since the epoch."""
    return subscription.expires_at is not None and subscription.expires_at <= now


def has_ended(subscription: Subscription, now: float) -> bool:
    """Whether it has expired or its browser has ended it: why the worker itself prunes rows."""
    return cause_of(subscription, AllowedHosts(), now) in {Cause.EXPIRED, Cause.REMOVED}


def cause_of(subscription: Subscription, allowed: AllowedHosts, now: float) -> Cause | None:
    """Why the sender would not call the push service; None if it would."""
    if has_expired(subscription, now):
        return Cause.EXPIRED
    try:
        allowed.parse(subscription.endpoint)
        keys_of(subscription)
    except EndpointRemovedError:
        return Cause.REMOVED
    except EndpointRefusedError:
        return Cause.REFUSED_ENDPOINT
    except InvalidKeysError:
        return Cause.UNREADABLE_KEYS
    return None
