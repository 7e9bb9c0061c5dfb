"""A connection to a mail server that means harm: what it sends is bounded, in memory and in time."""

from __future__ import annotations

import asyncio
import time

import pytest

from processors.email.smtp.dialogue import BrokenConnectionError, Dialogue, Timeouts
from processors.email.smtp.verdicts import without_addresses


class Wire(asyncio.Transport):
    """A connection on which the server's part is played by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.is_aborted = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """The dialogue takes over."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Nobody reads it."""

    def is_closing(self) -> bool:
        """Whether it has ended."""
        return self.is_aborted

    def abort(self) -> None:
        """End it."""
        self.is_aborted = True


@pytest.mark.parametrize(
    ("piece", "most"),
    [
        pytest.param(b"250-\r\n" * 1000, 20, id="lines-without-words"),
        pytest.param(b"250-" + b"a" * 6000 + b"\r\n", 20, id="lines-without-end"),
        pytest.param(b"a" * 6000, 20, id="a-line-without-end"),
        pytest.param(b"hello\r\n", 1, id="no-smtp"),
        pytest.param(b"250 ok\r\n", 2, id="answers-to-nothing"),
    ],
)
async def test_a_server_that_does_not_end_is_hung_up_on(piece: bytes, most: int) -> None:
    """Whether somebody waits for it or not."""
    wire = Wire()
    dialogue = Dialogue(wire, {}, Timeouts())
    asking = asyncio.ensure_future(dialogue.ask(b"NOOP"))
    await asyncio.sleep(0)

    for _ in range(most):
        dialogue.data_received(piece)
    assert wire.is_aborted
    assert not dialogue.is_open
    if not piece.startswith(b"250 "):
        with pytest.raises(BrokenConnectionError):
            await asking
    await asyncio.gather(asking, return_exceptions=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("no <ada@x.example>: ask bob@y.example!", "no <address>: ask <address>", id="addresses"),
        pytest.param("to=<ada@x.example>,<bob@y.example>", "to=<address>,<address>", id="side-by-side"),
        pytest.param("nobody here", "nobody here", id="none"),
    ],
)
def test_no_address_is_left_in_what_a_server_says(text: str, shown: str) -> None:
    """Wherever it stands."""
    assert without_addresses(text) == shown


def test_a_very_long_word_is_read_at_once() -> None:
    """The worker waits for this, and so do all of its jobs: 18 s if each letter of the word may begin an address."""
    begun = time.process_time()
    without_addresses("a" * 32_000)
    assert time.process_time() - begun < 3
