"""VAPID (RFC 8292): the server's keys, and the tokens that are signed with them."""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

if TYPE_CHECKING:
    from collections.abc import Callable

# Services refuse tokens that expire in more than 24 hours by their own clock: half of it leaves room for a wrong one.
TOKEN_LIFETIME = 12 * 3600.0
# Apple: not more often than once an hour (https://github.com/web-push-libs/pywebpush/issues/147).
RENEW_AFTER = 6 * 3600.0
# A token that was refused is signed anew, but not for each message of a fan-out: a wrong key stays wrong.
RENEW_AGAIN_AFTER = 60.0
# Windows' and Apple's services have many hosts; a table of invented ones must not fill the memory.
MAX_TOKENS = 1000

_PRIVATE_KEY = re.compile(r"[A-Za-z0-9_-]{43}=?")
_PUBLIC_KEY = re.compile(r"[A-Za-z0-9_-]{87}=?")
_PEM = "-----BEGIN"
_HOW = "make a pair with `npx web-push generate-vapid-keys`"


def parse_private_key(text: str) -> ec.EllipticCurvePrivateKey:
    """Read a private key: base64url as the `web-push` npm package prints it, or PEM.

    Raises ValueError with a sentence that does not repeat the key. py_vapid's own readers skip foreign characters and
    so take typing errors; its `from_file` makes a new key where it finds none.
    """
    text = text.strip()
    key = _pem_private_key(text) if text.startswith(_PEM) else _raw_private_key(text)
    if key is None:
        msg = f"not a VAPID private key (43 characters of base64url, or PEM, on the curve P-256); {_HOW}"
        raise ValueError(msg)
    return key


def parse_public_key(text: str) -> str:
    """Read a public key, base64url or PEM, and return it as the browser takes it: base64url without padding.

    Raises ValueError with a sentence that does not repeat the key.
    """
    text = text.strip()
    key = _pem_public_key(text) if text.startswith(_PEM) else _raw_public_key(text)
    if key is None:
        msg = f"not a VAPID public key (87 characters of base64url, or PEM, on the curve P-256); {_HOW}"
        raise ValueError(msg)
    return encode_public_key(key)


def encode_public_key(key: ec.EllipticCurvePublicKey) -> str:
    """The key as an uncompressed point, in base64url without padding."""
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


def _raw_private_key(text: str) -> ec.EllipticCurvePrivateKey | None:
    if _PRIVATE_KEY.fullmatch(text) is None:
        return None
    try:
        return ec.derive_private_key(int.from_bytes(_decode(text)), ec.SECP256R1())
    except ValueError:
        return None


def _raw_public_key(text: str) -> ec.EllipticCurvePublicKey | None:
    if _PUBLIC_KEY.fullmatch(text) is None:
        return None
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _decode(text))
    except ValueError:
        return None


def _pem_private_key(text: str) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(_pem_bytes(text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1) else None


def _pem_public_key(text: str) -> ec.EllipticCurvePublicKey | None:
    try:
        key = serialization.load_pem_public_key(_pem_bytes(text))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None


def _pem_bytes(text: str) -> bytes:
    # Many dashboards can't hold a line break in a variable, and people write `\n`.
    return text.replace("\\n", "\n").encode()


def _decode(text: str) -> bytes:
    text = text.rstrip("=")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    signed_at: float


class VapidSigner:
    """Signs one token for each push service and keeps it for six hours."""

    def __init__(
        self, private_key: ec.EllipticCurvePrivateKey, subject: str, clock: Callable[[], float] = time.time
    ) -> None:
        """Sign for `subject` (a `mailto:` or an https URL); `clock` gives seconds since the epoch."""
        # py_vapid's own check of the subject refuses `https://example.com/contact` and takes `mailto:a@localhost`.
        self._vapid = Vapid02(private_key, conf={"no-strict": True})
        # As the browser takes it: base64url.
        self.public_key: str = encode_public_key(private_key.public_key())
        self._subject = subject
        self._clock = clock
        self._tokens: dict[str, _Token] = {}

    def header(self, origin: str) -> str:
        """The `Authorization` header for the push service at `origin` (scheme, host, and port if not the default)."""
        now = self._clock()
        token = self._tokens.get(origin)
        # A clock that was set back makes a token look younger than it is; it may then expire too far ahead.
        if token is None or not token.signed_at <= now < token.signed_at + RENEW_AFTER:
            token = self._sign(origin, now)
        return token.header

    def renew(self, origin: str) -> str:
        """The header with a new token, after the push service has refused the last one.

        A token that was signed less than a minute ago is not replaced, but returned once more: with a wrong key or
        subject, a fan-out signs once a minute for a push service, not once for each message.
        """
        now = self._clock()
        token = self._tokens.get(origin)
        if token is None or not token.signed_at <= now < token.signed_at + RENEW_AGAIN_AFTER:
            token = self._sign(origin, now)
        return token.header

    def _sign(self, origin: str, now: float) -> _Token:
        self._tokens.pop(origin, None)
        if len(self._tokens) >= MAX_TOKENS:
            del self._tokens[next(iter(self._tokens))]  # the oldest
        # A new object each time: pywebpush reuses one, and the first service's `aud` sticks to it
        # (https://github.com/web-push-libs/pywebpush/issues/130).
        claims = {"aud": origin, "exp": int(now + TOKEN_LIFETIME), "sub": self._subject}
        token = _Token(self._vapid.sign(claims)["Authorization"], now)
        self._tokens[origin] = token
        return token


def listed(text: str) -> list[str]:
    """The private keys of a list, comma-separated."""
    return [key for key in text.split(",") if key.strip()]


def public_half(private_key: str) -> str:
    """The public key that belongs to a private one. Raises ValueError as parse_private_key does."""
    return encode_public_key(parse_private_key(private_key).public_key())
