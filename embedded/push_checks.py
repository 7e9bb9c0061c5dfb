"""What a push service asks of a request before it takes a message: as strict as the real services."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY = 4096
MAX_TOKEN_AGE = 24 * 3600


class WrongPushError(Exception):
    """A push that is refused, with the status of the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def check_token(headers: Mapping[str, str], public_key: str, origin: str) -> dict[str, Any]:
    """The token's claims (RFC 8292): signed with the subscription's key, for this origin, for at most 24 hours."""
    token, key = _vapid_parts(headers.get("Authorization", ""))
    if key != public_key:
        raise WrongPushError(403, "VapidPkHashMismatch")
    claims = _verified_claims(token, key)
    if claims.get("aud") != origin:
        raise WrongPushError(403, "aud is another origin")
    if not 0 < claims.get("exp", 0) - time.time() <= MAX_TOKEN_AGE:
        raise WrongPushError(403, "exp is past or more than 24 hours ahead")
    if not str(claims.get("sub", "")).startswith(("mailto:", "https://")):
        raise WrongPushError(403, "BadJwtToken: sub")
    return claims


def check_message(headers: Mapping[str, str], body: bytes) -> None:
    """Check the message's own headers (RFC 8030, RFC 8188) and its size."""
    if not headers.get("TTL", "").isdecimal():
        raise WrongPushError(400, "no TTL")
    if headers.get("Content-Encoding") != "aes128gcm":
        raise WrongPushError(400, "not aes128gcm")
    if headers.get("Urgency", "normal") not in {"very-low", "low", "normal", "high"}:
        raise WrongPushError(400, "BadUrgency")
    if len(body) > MAX_BODY:
        raise WrongPushError(413, "PayloadTooLarge")


def _vapid_parts(authorization: str) -> tuple[str, str]:
    scheme, _, rest = authorization.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme != "vapid" or not {"t", "k"} <= parts.keys():
        raise WrongPushError(401, "no VAPID token")
    return parts["t"], parts["k"]


def _verified_claims(token: str, key: str) -> dict[str, Any]:
    try:
        header, claims, signature = token.split(".")
        raw = _unbase64url(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _unbase64url(key))
        public.verify(der, f"{header}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        if json.loads(_unbase64url(header))["alg"] != "ES256":
            raise WrongPushError(403, "BadJwtToken: alg")
        return dict(json.loads(_unbase64url(claims)))
    except (ValueError, KeyError, InvalidSignature) as error:
        raise WrongPushError(403, "BadJwtToken") from error


def make_vapid_keys() -> tuple[str, str]:
    """A private and a public key, in the form of `npx web-push generate-vapid-keys`."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_numbers().private_value.to_bytes(32)
    return base64url(private), base64url(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def base64url(data: bytes) -> str:
    """As the Web's APIs write bytes: without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
