"""The keys that a browser gave with its subscription, checked before anything is encrypted with them."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

if TYPE_CHECKING:
    from storage.ports import Subscription

P256DH_BYTES = 65
AUTH_BYTES = 16
# Browsers write base64url; old libraries wrote base64.
_BASE64 = re.compile(r"[A-Za-z0-9_+/-]+={0,2}")
_CURVE = ec.SECP256R1()


class InvalidKeysError(Exception):
    """Nothing can be encrypted for this subscription; the message says which key is wrong."""


def keys_of(subscription: Subscription) -> tuple[bytes, ec.EllipticCurvePublicKey, bytes]:
    """The receiver's key as a point and as a key, and its secret. Raises InvalidKeysError."""
    point, receiver = _p256dh(subscription.p256dh)
    secret = _decode(subscription.auth)
    if len(secret) != AUTH_BYTES:
        msg = f"auth is not {AUTH_BYTES} bytes"
        raise InvalidKeysError(msg)
    return point, receiver, secret


def _p256dh(text: str) -> tuple[bytes, ec.EllipticCurvePublicKey]:
    point = _decode(text)
    if len(point) == P256DH_BYTES:
        try:
            return point, ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
        except ValueError:
            pass
    msg = f"p256dh is not a point on the curve P-256 ({P256DH_BYTES} bytes)"
    raise InvalidKeysError(msg)


def _decode(text: str) -> bytes:
    text = text.strip()
    if _BASE64.fullmatch(text) is None:
        return b""
    text = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
