"""A mail server, as the environment or a URL names it."""

from __future__ import annotations

import enum
import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

IMPLICIT_PORT, SUBMISSION_PORT, RELAY_PORT = 465, 587, 25  # RFC 8314, RFC 6409, RFC 5321
STARTTLS_PORTS = frozenset({SUBMISSION_PORT, RELAY_PORT})
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")


class Tls(enum.Enum):
    """How a connection is encrypted."""

    IMPLICIT = "from the start"
    REQUIRED = "by STARTTLS"
    OFFERED = "by STARTTLS where the server offers it"
    NEVER = "not at all"


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server, and how we sign in there; `user` is empty if we do not."""

    host: str
    port: int
    tls: Tls
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """Its name in the log and on the board."""
        return f"{self.host}:{self.port}"


def parse_url(text: str) -> Server:
    """`smtp://user:password@host:port`, or `smtps://` for TLS from the start. Raises ValueError, without its text."""
    parts, port = _split(text)
    if parts.path.strip("/") or parts.query or parts.fragment:
        msg = "has more than user, password, host and port: encode special characters of the password, as in %40 for @"
        raise ValueError(msg)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password):
        msg = "has a user without a password, or a password without a user"
        raise ValueError(msg)
    is_secure = parts.scheme == "smtps"
    if is_secure and port in STARTTLS_PORTS:
        msg = f"port {port} wants STARTTLS: write smtp://, or use port {IMPLICIT_PORT}"
        raise ValueError(msg)
    port = port or (IMPLICIT_PORT if is_secure else SUBMISSION_PORT)
    tls = Tls.IMPLICIT if is_secure or port == IMPLICIT_PORT else Tls.OFFERED
    return Server(check_host(parts.hostname or ""), port, tls, user, password)


def _split(text: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:  # its message repeats what it could not read
        msg = "can't be read: write smtp://user:password@host:587, with special characters encoded, as in %40 for @"
        raise ValueError(msg) from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        msg = "no URL of a mail server: write smtp://user:password@host:587, or smtps:// for TLS from the start"
        raise ValueError(msg)
    return parts, port


def check_host(host: str) -> str:
    """A host name or an address, without brackets. Raises ValueError."""
    bare = host.strip().removeprefix("[").removesuffix("]")
    if not _HOST.fullmatch(bare) and not _is_address(bare):
        msg = "no host name: write the name alone, as in smtp.example.com, without smtp:// and without the port"
        raise ValueError(msg)
    return bare


def is_loopback(host: str) -> bool:
    """Whether the server is on this machine."""
    return host.lower() == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
