"""Which hosts are on the public internet: by their name, and by the address that the name leads to.

A name that looks public may still lead to this machine or its network, by a rebound or poisoned DNS. So the address is
checked as well, at the moment of connecting: aiohttp asks the factory below for a socket to that very address.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# The last label has to be letters, so that no form of an IP address passes.
_HOSTNAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})")
_MAX_LENGTH = 253
# RFC 2606, RFC 6762, RFC 8375 and custom: names that no public server has.
_PRIVATE = ("localhost", "invalid", "test", "example", "local", "internal", "lan", "home", "home.arpa", "localdomain")
# `is_global` is true for these networks, but they stand for IPv4 addresses, or are assigned to no host.
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_TUNNELS = (ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32"))


class AddressRefusedError(OSError):
    """The address must not be connected to."""


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


def is_public_address(address: str) -> bool:
    """Whether a numeric address belongs to a single host on the public internet."""
    try:
        return _is_public(ipaddress.ip_address(address))
    except ValueError:
        return False


def socket_factory(*, loopback: bool) -> Callable[[AddressInfo], socket.socket]:
    """Make a factory of aiohttp's sockets. It raises AddressRefusedError for an address that is not public.

    `loopback`: addresses of this machine are allowed as well.
    """

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, (address, *_) = info
        if not (is_public_address(address) or (loopback and _is_loopback(address))):
            msg = f"the host's name leads to {address}, which is not a public address"
            raise AddressRefusedError(msg)
        return socket.socket(family, kind, protocol)

    return make


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if any(address in network for network in (*_NAT64, _IPV4_COMPATIBLE)):
            return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(address in network for network in _TUNNELS) or address.scope_id is not None:
            return False
    return address.is_global and not address.is_multicast


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
