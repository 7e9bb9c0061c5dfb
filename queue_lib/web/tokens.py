"""Bearer tokens: known by their hashes, so that the settings hold none."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BYTES = 32  # random bytes in a token: it can't be guessed, so one round of SHA-256 is enough


@dataclass(frozen=True, slots=True)
class Token:
    """Whose token it is, its SHA-256 in hexadecimal, and whether it may change anything."""

    name: str
    digest: str
    may_write: bool


def make(name: str, *, may_write: bool) -> tuple[str, Token]:
    """A new token, and what the settings know of it."""
    secret = secrets.token_urlsafe(BYTES)
    return secret, Token(name, _digest(secret), may_write)


def entry(token: Token) -> str:
    """The token's entry in API_TOKENS."""
    return f"{token.name}:{'full' if token.may_write else 'read'}:{token.digest}"


def find(tokens: Iterable[Token], secret: str) -> Token | None:
    """The token with this secret. All are compared, each in constant time."""
    digest = _digest(secret)
    found = [token for token in tokens if hmac.compare_digest(token.digest, digest)]
    return found[0] if found else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
