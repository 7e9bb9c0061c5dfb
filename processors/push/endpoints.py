"""Which endpoints may be called. An endpoint is a URL that came from a browser, so it may be hostile."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NoReturn

from yarl import URL

from processors.public_hosts import is_within
from processors.push.services import SERVICES

# Edge on Android gives this host to a subscription that it has ended.
REMOVED_HOST = "permanently-removed.invalid"
MAX_LENGTH = 2048
# What yarl raises for a text that is not a URL; the second for some brackets and labels in the host.
WRONG = (ValueError, IndexError)
_DEFAULT_PORTS = {"https": 443, "http": 80}
# Visible ASCII without the backslash, which some parsers take for a slash.
_CHARACTERS = re.compile(r"[!-\[\]-~]+")
# Not [::1]: py_vapid can't sign a token for it.
_LOOPBACK = re.compile(r"localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}")


class EndpointRefusedError(Exception):
    """The endpoint must not be called; the message says why and names no more of it than its host."""


class EndpointRemovedError(EndpointRefusedError):
    """The browser has ended the subscription for good, and its endpoint says so."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that may be called. The parsed `url` is what goes to the HTTP client: one parser, one meaning."""

    url: URL
    host: str
    origin: str


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """The known push services, `extra` hosts (each with all names under it), and loopback where `local` says so."""

    extra: tuple[str, ...] = ()
    local: bool = False

    def parse(self, endpoint: str) -> Endpoint:
        """Return the endpoint in parts. Raises EndpointRefusedError, or its kind EndpointRemovedError."""
        url = _parse(endpoint)
        host = (url.host or "").lower()
        if host == REMOVED_HOST:
            msg = f"the browser has ended the subscription ({REMOVED_HOST})"
            raise EndpointRemovedError(msg)
        if "@" in url.raw_authority:
            _refuse("the endpoint has a user name in it")
        if not (self.local and _is_loopback(url, host)):
            self._check_public(url, host)
        port = "" if url.port == _DEFAULT_PORTS[url.scheme] else f":{url.port}"
        return Endpoint(url, host, f"{url.scheme}://{host}{port}")

    def _check_public(self, url: URL, host: str) -> None:
        if not any(is_within(host, allowed) for allowed in (*SERVICES, *self.extra)):
            _refuse("the host is not a known push service; PUSH_ALLOWED_HOSTS adds one")
        if url.scheme != "https" or url.port != _DEFAULT_PORTS["https"]:
            _refuse("a push service is called on https and port 443 only")


def _parse(endpoint: str) -> URL:
    if len(endpoint) > MAX_LENGTH or _CHARACTERS.fullmatch(endpoint) is None:
        _refuse("the endpoint is not a URL")
    try:
        # Unchanged: percent-encodings in it are the push service's, and must be sent back as they came.
        url = URL(endpoint, encoded=True)
        _ = url.port, url.host  # yarl parses them at their first use, and raises there
    except WRONG:
        msg = "the endpoint is not a URL"
        raise EndpointRefusedError(msg) from None
    return url


def _is_loopback(url: URL, host: str) -> bool:
    return url.scheme in {"http", "https"} and _LOOPBACK.fullmatch(host) is not None


def _refuse(reason: str) -> NoReturn:
    raise EndpointRefusedError(reason)


def log_fields(endpoint: str) -> dict[str, str]:
    """What may be logged of an endpoint: its host, and eight digits of a hash to tell subscriptions apart."""
    try:
        host = URL(endpoint, encoded=True).host or "?"
    except WRONG:
        host = "?"
    return {"host": host[:253], "endpoint_hash": hashlib.sha256(endpoint.encode(errors="replace")).hexdigest()[:8]}
