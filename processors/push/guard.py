"""Which addresses may be connected to: the second wall, behind the list of hosts.

A name that is on the list may still lead to this machine or its network, by a rebound or poisoned DNS. aiohttp asks
the factory below for a socket to the very address that it is about to connect to.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# `is_global` says yes to these: they stand for IPv4 addresses, or are nobody's.
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_TUNNELS = (ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32"))


class AddressRefusedError(OSError):
    """The address must not be connected to."""


def is_public(address: str) -> bool:
    """Whether a numeric address is a single host's on the public internet."""
    try:
        return _is_public(ipaddress.ip_address(address))
    except ValueError:
        return False


def socket_factory(*, local: bool) -> Callable[[AddressInfo], socket.socket]:
    """Make aiohttp's sockets; raises AddressRefusedError for addresses that are not public (or, with `local`, ours)."""

    def make(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, place = info
        if not (is_public(place[0]) or (local and _is_loopback(place[0]))):
            msg = f"the name of the push service leads to {place[0]}, which is not a public address"
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
