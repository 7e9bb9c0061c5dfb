"""Message encryption (RFC 8291), after a check of the keys that a browser gave."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from pywebpush import WebPusher

if TYPE_CHECKING:
    from storage.ports import Subscription

P256DH_BYTES = 65
AUTH_BYTES = 16
# Browsers write base64url; old libraries wrote base64.
_BASE64 = re.compile(r"[A-Za-z0-9_+/-]+={0,2}")


class InvalidKeysError(Exception):
    """Nothing can be encrypted for this subscription; the message says which key is wrong."""


def encrypt(subscription: Subscription, plaintext: bytes) -> bytes:
    """Encrypt for one subscription: `aes128gcm`, 103 bytes longer than the plaintext.

    Raises InvalidKeysError. pywebpush itself answers bad keys with ValueError, IndexError or binascii.Error, and takes
    some that RFC 8291 forbids.
    """
    keys = {"p256dh": _p256dh(subscription.p256dh), "auth": _auth(subscription.auth)}
    pusher = WebPusher({"endpoint": subscription.endpoint, "keys": keys})
    body: bytes = pusher.encode(plaintext)["body"]
    return body


def _p256dh(text: str) -> str:
    point = _decode(text)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        point = b""
    if len(point) != P256DH_BYTES:
        msg = f"p256dh is not a point on the curve P-256 ({P256DH_BYTES} bytes)"
        raise InvalidKeysError(msg)
    return base64.urlsafe_b64encode(point).decode()


def _auth(text: str) -> str:
    secret = _decode(text)
    if len(secret) != AUTH_BYTES:
        msg = f"auth is not {AUTH_BYTES} bytes"
        raise InvalidKeysError(msg)
    return base64.urlsafe_b64encode(secret).decode()


def _decode(text: str) -> bytes:
    text = text.strip()
    if _BASE64.fullmatch(text) is None:
        return b""
    text = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
