"""Where the server's name leads: after a failover it may have another address, while old connections stay open."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

LOOK_EVERY = 15.0  # seconds between two look-ups of a name
KEPT = 40  # answers: those of ten minutes


@dataclass(frozen=True, slots=True)
class _Answer:
    asked_at: float  # monotonic seconds
    addresses: frozenset[str]


Answers = tuple[_Answer, ...]  # of one name, the oldest first


class Names:
    """Looks names up in the background, each at most once in fifteen seconds for all connections."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.demoted_at = 0.0  # monotonic seconds: the last answer of a server that was no primary
        self._answers: dict[str, Answers] = {}
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()

    def has_moved(self, host: str, peer: str, since: float) -> bool:
        """Whether `host` no longer leads to `peer`, by a look-up after the monotonic second `since`. Never waits.

        A look-up that fails changes nothing. If the name rotates through several addresses, all those of the last ten
        minutes count.
        """
        if _is_address(host):
            return False
        with self._lock:
            now = time.monotonic()
            if now - self._asked.get(host, since) >= LOOK_EVERY:
                self._asked[host] = now
                threading.Thread(target=self._look_up, args=(host, now), name="names", daemon=True).start()
        answers = self._answers.get(host, ())
        if not answers or answers[-1].asked_at <= since or peer in answers[-1].addresses:
            return False
        return not (_rotates(answers) and _had(answers, peer))

    def _look_up(self, host: str, asked_at: float) -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            return
        self._heard(host, asked_at, {str(entry[4][0]) for entry in found})

    def _heard(self, host: str, asked_at: float, addresses: Collection[str]) -> None:
        answer = _Answer(asked_at, frozenset(addresses))
        self._answers[host] = (*self._answers.get(host, ()), answer)[-KEPT:]


def _rotates(answers: Answers) -> bool:
    """Whether an address was missing from an answer and is in a later one again."""
    known: set[str] = set()
    missing: set[str] = set()
    for answer in answers:
        if missing & answer.addresses:
            return True
        known |= answer.addresses
        missing = known - answer.addresses
    return False


def _had(answers: Answers, address: str) -> bool:
    """Whether it was in any of them."""
    return any(address in answer.addresses for answer in answers)


@lru_cache(maxsize=16)  # asked before each command
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
