"""The ports of the example app."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from demo.example.ports import HOST, held_port


def test_two_examples_get_two_ports() -> None:
    """Even before one of them has bound its own."""
    with held_port() as usual:
        pass
    with ExitStack() as stack:
        ports = [stack.enter_context(held_port(usual)) for _ in range(10)]

        assert usual == ports[0]
        assert 10 == len(set(ports))
        with socket.socket() as server:
            server.bind((HOST, usual))  # the port itself is free for the process
    with held_port(usual) as again:
        assert usual == again


def test_a_port_that_is_taken_is_left_alone() -> None:
    """By any other program."""
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        taken = server.getsockname()[1]
        with held_port(taken) as port:
            assert taken != port
