"""The keys of a subscription, and encryption with them."""

from __future__ import annotations

import base64
import os

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pywebpush import WebPusher

from processors.push.delivery import MAX_PLAINTEXT, Message
from processors.push.encrypt import encrypt
from processors.push.keys import InvalidKeysError
from processors.push.seal import sealed
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


def message(body: bytes = b"hello", *, is_batch: bool = False) -> Message:
    """A message with this body."""
    return Message(body, ttl=60, urgency="normal", is_batch=is_batch)


def opened(body: bytes) -> bytes:
    """What the device reads."""
    text: bytes = http_ece.decrypt(body, private_key=KEY, auth_secret=AUTH, version="aes128gcm")
    return text


@pytest.mark.parametrize("is_batch", [False, True])
@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        (b64(POINT), b64(AUTH)),
        (b64(POINT) + "=", b64(AUTH) + "=="),
        (base64.b64encode(POINT).decode(), base64.b64encode(AUTH).decode()),
        (f" {b64(POINT)}\n", b64(AUTH)),
    ],
)
def test_the_device_can_decrypt(*, p256dh: str, auth: str, is_batch: bool) -> None:
    """A device reads what was encrypted for it, whichever base64 its keys were stored in."""
    assert opened(encrypt(subscription(p256dh, auth), message(is_batch=is_batch))) == b"hello"


@pytest.mark.parametrize("is_batch", [False, True])
def test_the_longest_text_makes_the_longest_body(*, is_batch: bool) -> None:
    """3,993 bytes of text become the 4,096 that a push service must accept."""
    assert len(encrypt(subscription(), message(b"x" * MAX_PLAINTEXT, is_batch=is_batch))) == 4096


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
    """p256dh must be an uncompressed point on the curve."""
    with pytest.raises(InvalidKeysError, match="p256dh"):
        encrypt(subscription(p256dh=p256dh), message())


@pytest.mark.parametrize("auth", ["", "=", "A", "no base64!", b64(AUTH[:-1]), b64(AUTH + b"\0")])
def test_a_wrong_secret_is_refused(auth: str) -> None:
    """The auth secret has 16 bytes; pywebpush itself accepts others."""
    with pytest.raises(InvalidKeysError, match="auth"):
        encrypt(subscription(auth=auth), message())


def unb64(text: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_the_example_of_the_rfc() -> None:
    """RFC 8291, appendix A, byte for byte; pywebpush and the tests' own decryption read it, too."""
    sender = ec.derive_private_key(int.from_bytes(unb64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1())
    point = unb64("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)

    body = sealed(
        b"When I grow up, I want to be a watermelon",
        point,
        receiver,
        unb64("BTBZMqHH6r4Tts7J_aSIgg"),
        sender,
        unb64("DGv6ra1nlYgDCS1FRnbzlw"),
    )

    receiver_key = ec.derive_private_key(
        int.from_bytes(unb64("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")), ec.SECP256R1()
    )
    read = http_ece.decrypt(
        body, private_key=receiver_key, auth_secret=unb64("BTBZMqHH6r4Tts7J_aSIgg"), version="aes128gcm"
    )
    assert read == b"When I grow up, I want to be a watermelon"
    assert b64(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A"
        "_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.binary(min_size=1, max_size=MAX_PLAINTEXT), st.booleans())
def test_every_text_comes_back(plaintext: bytes, is_batch: bool) -> None:
    """Encrypted by either, in one record that is 103 bytes longer."""
    body = encrypt(subscription(), message(plaintext, is_batch=is_batch))

    assert opened(body) == plaintext
    assert len(body) == len(plaintext) + 103


@given(st.binary(min_size=1, max_size=MAX_PLAINTEXT))
def test_our_own_encryption_is_pywebpushs(plaintext: bytes) -> None:
    """With the same key pair and salt, both make the same bytes."""
    sender, salt = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)

    ours = sealed(plaintext, POINT, KEY.public_key(), AUTH, sender, salt)

    theirs = http_ece.encrypt(plaintext, salt=salt, private_key=sender, dh=POINT, auth_secret=AUTH, version="aes128gcm")
    assert ours == theirs


def test_pywebpush_encrypts_all_but_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches use our own encryption."""
    told: list[bytes] = []

    def encode(_self: WebPusher, data: bytes) -> dict[str, bytes]:
        told.append(data)
        return {"body": b"theirs"}

    monkeypatch.setattr(WebPusher, "encode", encode)

    assert encrypt(subscription(), message(b"one")) == b"theirs"
    assert opened(encrypt(subscription(), message(b"many", is_batch=True))) == b"many"
    assert told == [b"one"]


@pytest.mark.parametrize("is_batch", [False, True])
def test_no_two_messages_share_a_salt_or_a_key(*, is_batch: bool) -> None:
    """Both are in the header, and new for each message."""
    headers = [encrypt(subscription(), message(is_batch=is_batch))[:86] for _ in range(20)]

    assert len({header[:16] for header in headers}) == len({header[21:] for header in headers}) == 20


@pytest.mark.parametrize("is_batch", [False, True])
def test_a_text_that_needs_two_records_is_refused(*, is_batch: bool) -> None:
    """RFC 8291, section 4, allows one; pywebpush makes two."""
    with pytest.raises(ValueError, match="3,993 bytes, not 3,994"):
        encrypt(subscription(), message(b"x" * 3994, is_batch=is_batch))
