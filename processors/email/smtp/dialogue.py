"""An open connection to a mail server: commands and their replies, and a mail's content in pieces.

aiosmtplib has opened it, but sends one command at a time, buffers a whole mail, and does not say whether a connection
broke before or after the final dot. Where the server offers PIPELINING (RFC 2920), a mail takes two round trips here.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PIECE = 64 * 1024  # bytes of a mail's content that are written at once
LONGEST = 32 * 1024  # bytes of a reply
GOOD = 2  # hundreds of a reply
CLOSING = 421  # to any command: the server ends the connection
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)")  # RFC 3463
_LINE_END = re.compile(rb"\r\n|\r|\n")


class BrokenConnectionError(Exception):
    """The connection was lost, or can't be used any more. The message says why."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a reply, for a piece of the content to leave, and for the answer to the final dot.

    The last two are those of RFC 5321, 4.5.3.2: who gives up earlier sends mails twice.
    """

    reply: float = 60.0
    piece: float = 180.0
    final: float = 600.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said: SMTP's `code`, RFC 3463's `enhanced` code or "", and the rest in one line."""

    code: int
    enhanced: str
    message: str

    @classmethod
    def of(cls, code: int, lines: Sequence[str]) -> Reply:
        """From its lines, without the codes of SMTP. Each of them may begin with the enhanced code."""
        found = _ENHANCED.match(lines[0])
        enhanced = found[0] if found else ""
        text = " ".join(line.removeprefix(enhanced).strip() for line in lines)
        return cls(code, enhanced, "".join(c if c.isprintable() else " " for c in text).strip())

    @property
    def is_good(self) -> bool:
        """Whether the server did what it was asked."""
        return self.code // 100 == GOOD

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.message)))


class Dialogue(asyncio.Protocol):
    """The connection. `extensions` are what the server answered to EHLO, in lower case.

    `is_clean`: no mail is under way, so it can be used again. `is_sending`, `is_sent`: a part of the last mail's
    content, or all of it, was handed to the connection.
    """

    def __init__(self, transport: asyncio.Transport, extensions: Mapping[str, str], timeouts: Timeouts) -> None:
        """Take over a connection on which nothing is under way."""
        self._transport, self._timeouts = transport, timeouts
        self._buffer = bytearray()
        self._lines: list[str] = []  # of a reply that has more of them
        self._size = 0  # bytes of these
        self._replies: deque[Reply] = deque()
        self._expected = 0
        self._broken = ""
        self._woken = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.extensions = extensions
        self.mails = 0
        self.is_clean = True
        self.is_sending = self.is_sent = False
        transport.set_protocol(self)

    @property
    def is_open(self) -> bool:
        """Whether the server may still be asked."""
        return not self._broken and not self._transport.is_closing()

    async def ask(self, *commands: bytes) -> list[Reply]:
        """The replies to commands that are sent together; 421 is the last one. Raises BrokenConnectionError."""
        self._expected += len(commands)
        self._write(b"".join(command + b"\r\n" for command in commands))
        replies: list[Reply] = []
        while len(replies) < len(commands) and not (replies and replies[-1].code == CLOSING):
            replies.append(await self._reply(self._timeouts.reply))
        return replies

    async def send_content(self, content: bytes) -> Reply:
        """Send a mail's content and the final dot, and wait for the answer. Raises BrokenConnectionError."""
        self.is_sending, self._expected = True, self._expected + 1
        view = memoryview(content)
        for start in range(0, len(content), PIECE):
            if self._replies:  # the server does not want the rest
                self.close()
                return self._replies.popleft()
            self._write(view[start : start + PIECE])
            await self._written()
        self._write(b".\r\n")
        self.is_sent = True
        return await self._reply(self._timeouts.final)

    def close(self) -> None:
        """Close the connection; if no mail is under way, with QUIT, whose answer is not waited for."""
        if self.is_open and self.is_clean:
            self._transport.write(b"QUIT\r\n")
            self._transport.close()
        else:
            self._transport.abort()
        self._break("it is closed")

    def _write(self, data: bytes | memoryview) -> None:
        if not self.is_open:
            raise BrokenConnectionError(self._broken or "it is closed")
        self._transport.write(data)

    async def _written(self) -> None:
        await self._within(self._timeouts.piece, self._writable, "the server does not read what it is sent")
        if self._broken and not self._replies:
            raise BrokenConnectionError(self._broken)

    async def _reply(self, seconds: float) -> Reply:
        while not self._replies:
            if self._broken:
                raise BrokenConnectionError(self._broken)
            self._woken.clear()
            await self._within(seconds, self._woken, f"no answer within {seconds:g} s")
        self._expected -= 1
        return self._replies.popleft()

    async def _within(self, seconds: float, event: asyncio.Event, reason: str) -> None:
        if event.is_set():
            return
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            self._give_up(reason)
            raise BrokenConnectionError(reason) from None

    def _break(self, reason: str) -> None:
        self._broken = self._broken or reason
        self._woken.set()
        self._writable.set()

    def _give_up(self, reason: str) -> None:
        """End a connection that is of no use: the server might send on and on."""
        self._break(reason)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read lines, and make replies of them."""
        if self._broken:
            return
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0 and not self._broken:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            self._read(line)
        if len(self._buffer) + self._size > LONGEST:
            self._give_up("the server's answer has no end")

    def _read(self, line: bytes) -> None:
        if not line[:3].isdigit() or line[3:4] not in {b"", b" ", b"-"}:
            self._give_up("the server's answer is no SMTP")
            return
        self._lines.append(line[4:].decode(errors="replace"))
        self._size += len(line) + 1
        if line[3:4] == b"-":
            return
        if len(self._replies) >= self._expected:
            self._give_up("the server spoke without being asked")
        else:
            self._replies.append(Reply.of(int(line[:3]), self._lines))
        self._lines, self._size = [], 0
        self._woken.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake up who waits."""
        self._break("the server closed the connection" if exc is None else f"the connection broke: {exc}")

    def pause_writing(self) -> None:
        """Too much is buffered."""
        if not self._broken:
            self._writable.clear()

    def resume_writing(self) -> None:
        """What was buffered has left."""
        self._writable.set()


def as_sent(content: bytes) -> bytes:
    """The content as SMTP sends it: each line ends with CRLF, and a dot at its start is doubled (RFC 5321, 4.5.2).

    A CR or LF alone would let a mail end early at some servers, and another begin.
    """
    ends = content.count(b"\r\n")
    if not ends == content.count(b"\r") == content.count(b"\n"):
        content = _LINE_END.sub(b"\r\n", content)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    content = content.replace(b"\r\n.", b"\r\n..")
    return b"." + content if content.startswith(b".") else content
