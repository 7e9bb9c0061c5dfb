"""Which hosts are on the public internet."""

from __future__ import annotations

import socket

import pytest

from processors.public_hosts import AddressRefusedError, is_public_address, is_public_hostname, socket_factory


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses(address: str) -> None:
    """Hosts of the public internet, also written as IPv6."""
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "::10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001:0:53aa:64c:0:0:80ff:fffe",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd12:3456::1",
        "ff02::1",
        "2001:db8::1",
        "localhost",
        "",
    ],
)
def test_other_addresses(address: str) -> None:
    """The machine itself, its network, its cloud's metadata, and the same in any other notation."""
    assert not is_public_address(address)


def info(address: str) -> tuple[int, int, int, str, tuple[str, int]]:
    """What aiohttp hands to the factory."""
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 443))


def test_the_factory_makes_sockets_to_public_addresses_only() -> None:
    """Its error names the address, which is no secret, and what is wrong with it."""
    with socket_factory(loopback=False)(info("8.8.8.8")) as made:
        assert (made.family, made.type) == (socket.AF_INET, socket.SOCK_STREAM)
    for address in ("127.0.0.1", "10.0.0.1"):
        with pytest.raises(AddressRefusedError, match=f"{address}, which is not a public address"):
            socket_factory(loopback=False)(info(address))


def test_loopback_is_this_machine_and_nothing_else() -> None:
    """Development reaches this machine, and not its network."""
    socket_factory(loopback=True)(info("127.0.0.1")).close()
    with pytest.raises(AddressRefusedError):
        socket_factory(loopback=True)(info("192.168.1.1"))


@pytest.mark.parametrize("host", ["example.com", "a.b.example.co.uk", "xn--bcher-kva.example.com", "x.xn--p1ai"])
def test_public_names(host: str) -> None:
    """Two labels or more, in lower case."""
    assert is_public_hostname(host)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "db.internal", "printer.local", "x.home.arpa", "a.test", "com", "127.0.0.1", "0x7f.1", "[::1]"),
        *("Example.com", "-a.com", "a..com", "a.com.", "", "a." * 126 + "com"),
    ],
)
def test_other_names(host: str) -> None:
    """Private names, addresses in any notation, and malformed names."""
    assert not is_public_hostname(host)
