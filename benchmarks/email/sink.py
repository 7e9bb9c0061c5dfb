"""A mail server that takes everything and keeps nothing, in a process of its own: `sink.py <milliseconds>`.

It answers after so many milliseconds, and prints its port first. Its end of standard input is its end.
"""

from __future__ import annotations

import asyncio
import sys

HELLO = "250-sink\r\n{}250-SIZE 40000000\r\n250 8BITMIME\r\n"
ANSWERS = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """A connection."""

    def __init__(self, delay: float, hello: bytes) -> None:
        """`delay`: seconds until each answer. `hello` answers EHLO."""
        self._delay, self._hello = delay, hello
        self._buffer = bytearray()
        self._is_content = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._answer(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Answer all that has come, at once."""
        self._buffer += data
        answers = b""
        while (answer := self._next()) is not None:
            answers += answer
        if answers:
            self._answer(answers)

    def _next(self) -> bytes | None:
        if self._is_content:
            end = self._buffer.find(END)
            if end < 0:
                return None
            del self._buffer[: end + len(END)]
            self._is_content = False
            return b"250 taken\r\n"
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        command = bytes(self._buffer[:4]).upper()
        del self._buffer[: end + 2]
        self._is_content = command == b"DATA"
        return self._hello if command == b"EHLO" else ANSWERS.get(command, b"250 fine\r\n")

    def _answer(self, answer: bytes) -> None:
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


async def main(milliseconds: str, *options: str) -> None:
    """Serve until standard input ends."""
    hello = HELLO.format("" if "one-by-one" in options else "250-PIPELINING\r\n").encode()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(int(milliseconds) / 1000, hello), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
