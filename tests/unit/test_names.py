"""Where a server's name leads: elsewhere after a failover, and to several addresses in turn."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from queue_lib.broker.names import KEPT, LOOK_EVERY, Names

HOST = "redis.example"


class Dns:
    """A name server with the test's answers; a connection follows each move, as redis-py's do."""

    def __init__(self) -> None:
        self.names = Names()
        self.now = time.monotonic() + 10_000  # later than any look-up of the test's own could be
        self.peer = "10.0.0.1"
        self.since = self.now

    def answers(self, *addresses: str) -> bool:
        """Whether the connection has to move; it moves to the first of the addresses."""
        self.now += LOOK_EVERY
        self.names._heard(HOST, self.now, addresses)
        moved = self.names.has_moved(HOST, self.peer, self.since)
        if moved:
            self.peer, self.since = addresses[0], self.now
        return moved


def test_a_name_that_leads_elsewhere() -> None:
    """The first answer without the address moves it; a connection made since then stays."""
    dns = Dns()
    assert [False, False, True, False, False] == [
        dns.answers(*given)
        for given in (["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.2"], ["10.0.0.2"], ["10.0.0.2"])
    ]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_a_name_that_is_answered_in_turn(count: int) -> None:
    """Once an address has come back the connection stays; it moves if its own is missing for ten minutes."""
    dns = Dns()
    addresses = [f"10.0.0.{number + 1}" for number in range(count)]
    moves = [dns.answers(addresses[turn % count]) for turn in range(10 * count)]
    assert not any(moves[count + 1 :])
    gone, left = dns.peer, [address for address in addresses if address != dns.peer] + ["10.0.1.1"]
    waits = [dns.answers(left[turn % count]) for turn in range(2 * KEPT)]
    assert (1, True) == (sum(waits), dns.peer != gone)
    assert KEPT - count <= waits.index(True) <= KEPT


def test_a_failover_and_back() -> None:
    """Each of the first two moves is followed at once."""
    dns = Dns()
    given = ["10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.3"]
    assert [one != other for one, other in pairwise(given)] == [dns.answers(address) for address in given][1:]


def test_an_address_is_no_name() -> None:
    """There is nothing to look up."""
    assert not Names().has_moved("10.0.0.9", "10.0.0.1", 0.0)
