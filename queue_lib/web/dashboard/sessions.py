"""Sessions: a cookie that every web process can check without storing it.

Its key is made of the token's hash, so that a revoked token's sessions end, and of a secret that all web processes
share (Redis's URL), so that an entry of API_TOKENS alone forges none.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itsdangerous import BadSignature, Signer, TimestampSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from queue_lib.web.tokens import Token

LIFETIME = 12 * 3600  # seconds
LONGEST = 300  # characters of a cookie


@dataclass(frozen=True, slots=True)
class Session:
    """A token's holder, signed in. `csrf` is what each form of theirs must carry.

    `is_proxied`: an app has signed the request with its token, so there is no cookie, and nothing to sign out of.
    """

    token: Token
    csrf: str
    is_proxied: bool = False


class Sessions:
    """Opens sessions and knows them again."""

    def __init__(self, tokens: Sequence[Token], secret: str, clock: Callable[[], float] = time.time) -> None:
        """`secret` is the same in all web processes; `clock` gives seconds since the epoch."""
        self._tokens = {token.name: token for token in tokens}
        self._secret = secret.encode()
        self._clock = clock

    def open(self, token: Token) -> str:
        """The cookie of a new session."""
        return self._signer(token).sign(f"{token.name}.{secrets.token_urlsafe(16)}").decode()

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None if it is expired, forged, or its token revoked."""
        token = self._tokens.get(cookie.partition(".")[0])
        if token is None or len(cookie) > LONGEST:
            return None
        try:
            self._signer(token).unsign(cookie, max_age=LIFETIME)
        except BadSignature:
            return None
        return Session(token, self._form_signer(token).get_signature(cookie).decode())

    def of_app(self, token: Token) -> Session:
        """The session of a request that an app has signed with its token."""
        return Session(token, self._form_signer(token).get_signature("app").decode(), is_proxied=True)

    def _signer(self, token: Token) -> TimestampSigner:
        signer = _Clocked(self._key(token), salt="session", key_derivation="hmac", digest_method=hashlib.sha256)
        signer.clock = self._clock
        return signer

    def _form_signer(self, token: Token) -> Signer:
        return Signer(self._key(token), salt="form", key_derivation="hmac", digest_method=hashlib.sha256)

    def _key(self, token: Token) -> bytes:
        return hmac.digest(self._secret, token.digest.encode(), "sha256")


class _Clocked(TimestampSigner):
    """A signer whose clock tests may set."""

    clock: Callable[[], float]

    def get_timestamp(self) -> int:
        """Seconds since the epoch."""
        return int(self.clock())
