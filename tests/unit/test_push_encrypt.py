"""The keys of a subscription, and encryption with them."""

from __future__ import annotations

import base64
import os

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from pywebpush import WebPusher

from processors.push.delivery import MAX_PLAINTEXT
from processors.push.encrypt import InvalidKeysError, encrypt, seal
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


def unb64(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_example_of_the_rfc() -> None:
    """RFC 8291, appendix A, byte for byte."""
    sender = ec.derive_private_key(int.from_bytes(unb64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1())
    point = unb64("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)

    body = seal(
        b"When I grow up, I want to be a watermelon",
        point,
        receiver,
        unb64("BTBZMqHH6r4Tts7J_aSIgg"),
        sender,
        unb64("DGv6ra1nlYgDCS1FRnbzlw"),
    )

    assert b64(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A"
        "_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.binary(min_size=1, max_size=MAX_PLAINTEXT))
@settings(max_examples=50, deadline=None)
def test_every_text_comes_back(plaintext: bytes) -> None:
    """Ours and pywebpush's bodies decrypt to the same, and ours are 103 bytes longer than the text."""
    ours = encrypt(subscription(), plaintext)
    theirs = WebPusher({"endpoint": "https://example.com/", "keys": {"p256dh": b64(POINT), "auth": b64(AUTH)}}).encode(
        plaintext
    )["body"]

    for body in (ours, theirs):
        assert http_ece.decrypt(body, private_key=KEY, auth_secret=AUTH, version="aes128gcm") == plaintext
    assert len(ours) == len(plaintext) + 103


def test_no_two_messages_share_a_salt_or_a_key() -> None:
    """Both are in the header, and new for each message."""
    headers = [encrypt(subscription(), b"hello")[:86] for _ in range(20)]

    assert len({header[:16] for header in headers}) == len({header[21:] for header in headers}) == 20


def test_a_text_that_needs_two_records_is_refused() -> None:
    """RFC 8291, section 4, allows one; pywebpush makes two."""
    with pytest.raises(ValueError, match="3,993 bytes, not 3,994"):
        encrypt(subscription(), b"x" * 3994)
