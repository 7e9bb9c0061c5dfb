"""Names of hosts that exist on the public internet."""

from __future__ import annotations

import re

# The last label has to be letters, so that no form of an IP address passes.
_HOSTNAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})")
_MAX_LENGTH = 253
# RFC 2606, RFC 6762, RFC 8375 and custom: names that no public server has.
_PRIVATE = ("localhost", "invalid", "test", "example", "local", "internal", "lan", "home", "home.arpa", "localdomain")


def is_public_hostname(host: str) -> bool:
    """Whether `host` is a lower-case domain name of two labels or more, and not an address or a private name."""
    return (
        len(host) <= _MAX_LENGTH
        and _HOSTNAME.fullmatch(host) is not None
        and not any(is_within(host, private) for private in _PRIVATE)
    )


def is_within(host: str, domain: str) -> bool:
    """Whether `host` is `domain` or a name under it."""
    return host == domain or host.endswith(f".{domain}")
