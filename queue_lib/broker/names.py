"""Where the server's name leads: after a failover it may have another address, while old connections stay open."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from dataclasses import dataclass

LOOK_EVERY = 15.0  # seconds between two look-ups of a name


@dataclass(frozen=True, slots=True)
class _Answer:
    asked_at: float  # monotonic seconds
    addresses: frozenset[str]


class Names:
    """Looks names up in the background, each at most once in fifteen seconds for all connections."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._answers: dict[str, _Answer] = {}
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()

    def has_moved(self, host: str, peer: str, since: float) -> bool:
        """Whether a look-up after the monotonic second `since` says that `host` leads to `peer` no more. Never waits.

        A look-up that fails says nothing.
        """
        if _is_address(host):
            return False
        with self._lock:
            now = time.monotonic()
            if now - self._asked.get(host, since) >= LOOK_EVERY:
                self._asked[host] = now
                threading.Thread(target=self._look_up, args=(host, now), name="names", daemon=True).start()
        answer = self._answers.get(host)
        return answer is not None and answer.asked_at > since and peer not in answer.addresses

    def _look_up(self, host: str, asked_at: float) -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            return
        self._answers[host] = _Answer(asked_at, frozenset(str(entry[4][0]) for entry in found))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
