"""A desktop that shows notifications, for a browser without a window: the part of D-Bus that Chromium talks to.

It stands in for both the session bus and the service `org.freedesktop.Notifications` on it. Nothing else needs to be
installed. https://dbus.freedesktop.org/doc/dbus-specification.html,
https://specifications.freedesktop.org/notification-spec/
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVICE = "org.freedesktop.Notifications"
CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
# Fields of a message's head: their numbers, and the types of their values.
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_TO, TO, FROM, SIGNATURE = range(1, 9)
TYPES = {PATH: "o", REPLY_TO: "u", SIGNATURE: "g"}
OWNER, CLIENT = ":1.0", ":1.1"
HEAD = 16  # bytes before the fields
GREETINGS = {b"AUTH": b"OK " + b"0" * 32, b"NEGOTIATE_UNIX_FD": b"ERROR"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A notification on the screen. `actions`: names and labels in turn; `default` is a click on it."""

    id: int
    title: str
    body: str
    actions: tuple[str, ...]


class Desktop:
    """The screen. `address` is the value of DBUS_SESSION_BUS_ADDRESS."""

    def __init__(self, folder: Path) -> None:
        """Nothing listens before `start`."""
        self._path = folder / "bus"
        self._numbers = itertools.count(1)
        self._connections: dict[int, asyncio.StreamWriter] = {}  # by notification
        self.address = f"unix:path={self._path}"
        self.shown: dict[int, Shown] = {}

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def stop(self) -> None:
        """Listen no more."""
        self._server.close()
        await self._server.wait_closed()

    def click(self, notification: Shown, action: str = "default") -> None:
        """Click on a notification, or on one of its actions."""
        head = {PATH: "/org/freedesktop/Notifications", INTERFACE: SERVICE, MEMBER: "ActionInvoked"}
        values = [notification.id, action]
        self._connections[notification.id].write(_message(SIGNAL, next(self._numbers), head, values))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await _greet(reader, writer)
            while True:
                await self._answer(*await _read(reader), writer)
        writer.close()

    async def _answer(self, serial: int, head: dict[int, Any], body: _Reader, writer: asyncio.StreamWriter) -> None:
        answer = self._called(head.get(MEMBER, ""), head.get(TO, ""), body, writer)
        reply = {REPLY_TO: serial, TO: CLIENT}
        if answer is None:
            name = {ERROR_NAME: "org.freedesktop.DBus.Error.ServiceUnknown"}
            writer.write(_message(ERROR, next(self._numbers), reply | name, []))
        else:
            writer.write(_message(RETURN, next(self._numbers), reply, answer))
        await writer.drain()

    def _called(self, member: str, to: str, body: _Reader, writer: asyncio.StreamWriter) -> list[Any] | None:
        """What a method returns; None for what this desktop has not."""
        match member:
            case "Hello":
                return [CLIENT]
            case "AddMatch" | "RemoveMatch":
                return []
            case "NameHasOwner":
                return [body.text() == SERVICE]
            case "GetNameOwner":
                return [OWNER] if body.text() == SERVICE else None
        return self._shown(member, body, writer) if to in {SERVICE, OWNER} else None

    def _shown(self, member: str, body: _Reader, writer: asyncio.StreamWriter) -> list[Any] | None:
        match member:
            case "GetCapabilities":
                return [["actions", "body"]]
            case "GetServerInformation":
                return ["desktop", "tests", "1", "1.2"]
            case "CloseNotification":
                self.shown.pop(body.number(), None)
                return []
            case "Notify":
                body.text()
                number = body.number() or next(self._numbers)
                body.text()
                self.shown[number] = Shown(number, body.text(), body.text(), tuple(body.texts()))
                self._connections[number] = writer
                return [number]
        return None


class _Reader:
    """Values of a message, one after the other. They are aligned to their size."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def number(self, size: int = 4) -> int:
        self.align(size)
        self.at += size
        return int.from_bytes(self._data[self.at - size : self.at], "little")

    def text(self, size: int = 4) -> str:
        """A text; with `size` 1 a signature."""
        length = self.number(size)
        self.at += length + 1
        return self._data[self.at - length - 1 : self.at - 1].decode()

    def texts(self) -> list[str]:
        length = self.number()
        end = self.at + length
        found = []
        while self.at < end:
            found.append(self.text())
        return found

    def align(self, size: int) -> None:
        self.at += -self.at % size


async def _greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let anyone in who can reach the socket."""
    while (line := await reader.readuntil(b"\r\n")).strip(b"\0\r\n") != b"BEGIN":
        writer.write(GREETINGS.get(line.strip(b"\0\r\n").split(b" ")[0], b"ERROR") + b"\r\n")


async def _read(reader: asyncio.StreamReader) -> tuple[int, dict[int, Any], _Reader]:
    """The next message: its serial number, the fields of its head, and its values."""
    start = await reader.readexactly(HEAD)
    length, serial, fields = struct.unpack("<4xIII", start)
    rest = await reader.readexactly(fields + -fields % 8 + length)
    head, values = _Reader(rest[:fields]), {}
    while head.at < fields:
        head.align(8)
        number = head.number(1)
        kind = head.text(1)
        values[number] = head.number() if kind == "u" else head.text(1 if kind == "g" else 4)
    return serial, values, _Reader(rest[fields + -fields % 8 :])


def _message(kind: int, serial: int, head: dict[int, Any], values: list[Any]) -> bytes:
    body = b""
    for value in values:
        body = _written(body, value)
    fields = b""
    signature = "".join(map(_type, values))
    for number, value in {**head, FROM: OWNER, **({SIGNATURE: signature} if values else {})}.items():
        fields += bytes(-len(fields) % 8)
        type_ = TYPES.get(number, "s")
        fields = bytes([*fields, number, 1, ord(type_), 0])
        fields = bytes([*fields, len(value), *value.encode(), 0]) if type_ == "g" else _written(fields, value)
    start = struct.pack("<BBBBIII", ord("l"), kind, 1, 1, len(body), serial, len(fields))
    return start + fields + bytes(-len(fields) % 8) + body


def _type(value: Any) -> str:
    return (
        "b" if isinstance(value, bool) else "u" if isinstance(value, int) else "s" if isinstance(value, str) else "as"
    )


def _written(before: bytes, value: Any) -> bytes:
    """Bytes with a value added, aligned."""
    before += bytes(-len(before) % 4)
    if isinstance(value, int):
        return before + struct.pack("<I", value)
    if isinstance(value, str):
        return before + struct.pack("<I", len(value.encode())) + value.encode() + b"\0"
    texts = b""
    for text in value:
        texts = _written(texts, text)
    return before + struct.pack("<I", len(texts)) + texts


@pytest.fixture
async def desktop() -> AsyncIterator[Desktop]:
    """A desktop without notifications. A socket's path must be short."""
    with tempfile.TemporaryDirectory() as folder:
        screen = Desktop(Path(folder))
        await screen.start()
        yield screen
        await screen.stop()
