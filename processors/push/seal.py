"""Our own encryption, for batches alone.

pywebpush does the same with 1.27 times the processor time of a whole push: benchmarks/README.md has the runs. The tests
hold this to it, and to the RFC's example.
"""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_RECORD_SIZE = (4096).to_bytes(4)
_SALT_BYTES = 16
_CURVE = ec.SECP256R1()
_ECDH = ec.ECDH()


def seal(plaintext: bytes, point: bytes, receiver: ec.EllipticCurvePublicKey, secret: bytes) -> bytes:
    """Encrypt for a `receiver` (its key, and that as a `point`) with its `secret`, in one record."""
    return sealed(plaintext, point, receiver, secret, ec.generate_private_key(_CURVE), os.urandom(_SALT_BYTES))


def sealed(
    plaintext: bytes,
    point: bytes,
    receiver: ec.EllipticCurvePublicKey,
    secret: bytes,
    sender: ec.EllipticCurvePrivateKey,
    salt: bytes,
) -> bytes:
    """RFC 8291, section 3.4, with the `sender`'s key pair of this message and its `salt`.

    HKDF (RFC 5869) with outputs of one block is two HMACs.
    """
    ours = sender.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = sender.exchange(_ECDH, receiver)
    key = _hmac(_hmac(secret, shared), b"WebPush: info\0" + point + ours + b"\x01")
    pseudo_random = _hmac(salt, key)
    content_key = _hmac(pseudo_random, b"Content-Encoding: aes128gcm\0\x01")[:16]
    nonce = _hmac(pseudo_random, b"Content-Encoding: nonce\0\x01")[:12]
    text = AESGCM(content_key).encrypt(nonce, plaintext + b"\x02", None)
    return b"".join((salt, _RECORD_SIZE, bytes((len(ours),)), ours, text))


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)
