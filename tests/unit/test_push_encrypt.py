"""The keys of a subscription, and encryption with them."""

from __future__ import annotations

import base64
import os

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from processors.push.encrypt import InvalidKeysError, encrypt
from processors.push.payload import MAX_PLAINTEXT
from storage.ports import Subscription

KEY = ec.generate_private_key(ec.SECP256R1())
POINT = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
AUTH = os.urandom(16)


def b64(data: bytes) -> str:
    """base64url without padding, as browsers write it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def subscription(p256dh: str = b64(POINT), auth: str = b64(AUTH)) -> Subscription:
    """A row with these keys."""
    return Subscription(id="1", user_id="1", endpoint="https://example.com/", p256dh=p256dh, auth=auth)


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        (b64(POINT), b64(AUTH)),
        (b64(POINT) + "=", b64(AUTH) + "=="),
        (base64.b64encode(POINT).decode(), base64.b64encode(AUTH).decode()),
        (f" {b64(POINT)}\n", b64(AUTH)),
    ],
)
def test_the_device_can_decrypt(p256dh: str, auth: str) -> None:
    """What is encrypted for a device is read by it, whichever base64 its keys were stored in."""
    body = encrypt(subscription(p256dh, auth), b"hello")

    assert http_ece.decrypt(body, private_key=KEY, auth_secret=AUTH, version="aes128gcm") == b"hello"


def test_the_longest_text_makes_the_longest_body() -> None:
    """3,993 bytes of text are the 4,096 that a push service must take."""
    assert len(encrypt(subscription(), b"x" * MAX_PLAINTEXT)) == 4096


@pytest.mark.parametrize(
    "p256dh",
    [
        "",
        "=",
        "A",
        "no base64!",
        b64(POINT[:-1]),
        b64(POINT + b"\0"),
        b64(b"\5" + POINT[1:]),
        b64(b"\4" + b"\1" * 64),
        b64(b"\0" * 65),
        b64(KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)),
    ],
)
def test_a_wrong_point_is_refused(p256dh: str) -> None:
    """p256dh is an uncompressed point on the curve or nothing."""
    with pytest.raises(InvalidKeysError, match="p256dh"):
        encrypt(subscription(p256dh=p256dh), b"hello")


@pytest.mark.parametrize("auth", ["", "=", "A", "no base64!", b64(AUTH[:-1]), b64(AUTH + b"\0")])
def test_a_wrong_secret_is_refused(auth: str) -> None:
    """The auth secret has 16 bytes; pywebpush itself takes others."""
    with pytest.raises(InvalidKeysError, match="auth"):
        encrypt(subscription(auth=auth), b"hello")
