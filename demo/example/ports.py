"""Ports for the example's processes, of which no two examples get the same."""

from __future__ import annotations

import random
import socket
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from embedded.redis_server import PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"


@contextmanager
def held_port(*wanted: int) -> Iterator[int]:
    """The first wanted TCP port that is free, or another one.

    A process binds its port only seconds after the port was chosen. Until the end the UDP port of the same number is
    bound here, which tells other examples that this one is taken.
    """
    for port in chain(wanted, random.sample(PORTS, k=100)):
        with socket.socket(type=socket.SOCK_DGRAM) as mark:
            if _can_bind(mark, port) and _is_free(port):
                yield port
                return
    msg = f"none of 100 ports in {PORTS} is free"
    raise RuntimeError(msg)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # it may just have been in use
        return _can_bind(probe, port)


def _can_bind(end: socket.socket, port: int) -> bool:
    try:
        end.bind((HOST, port))
    except OSError:
        return False
    return True
