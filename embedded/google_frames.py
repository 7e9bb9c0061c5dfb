"""What Google's push service and Chromium say to each other: fields of protobuf, in frames of a connection.

The messages are those of Chromium's google_apis/gcm/protocol (checkin.proto, mcs.proto).
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    Value = int | bytes

VERSION = 41  # each side's first byte on a connection
MAX_FRAME = 64 * 1024
MORE = 0x80  # this bit of a byte says that the number goes on in the next one
VARINT, FIXED64, BYTES = 0, 1, 2


class Tag(IntEnum):
    """What a frame holds."""

    PING = 0
    PONG = 1
    LOGIN = 2
    LOGGED_IN = 3
    DATA = 8


def number(value: int) -> bytes:
    """A varint."""
    written = bytearray()
    while value >= MORE:
        written.append(value % MORE | MORE)
        value //= MORE
    return bytes([*written, value])


def field(tag: int, value: int | bytes | str) -> bytes:
    """A field of a message; texts are in UTF-8."""
    if isinstance(value, int):
        return number(tag << 3 | VARINT) + number(value)
    data = value.encode() if isinstance(value, str) else value
    return number(tag << 3 | BYTES) + number(len(data)) + data


def fixed(tag: int, value: int) -> bytes:
    """A field of eight bytes."""
    return number(tag << 3 | FIXED64) + struct.pack("<Q", value)


def texts(message: bytes, tag: int) -> list[str]:
    """The texts of a field. Raises ValueError for what is no message."""
    return [value.decode() for each, value in fields(message) if each == tag and isinstance(value, bytes)]


def fields(message: bytes) -> Iterable[tuple[int, Value]]:
    """The fields of a message that are numbers, texts or bytes. Raises ValueError for what is no message."""
    rest = message
    while rest:
        key, rest = _number(rest)
        match key % 8:
            case 0:
                value, rest = _number(rest)
                yield key >> 3, value
            case 1:
                rest = rest[8:]
            case 2:
                length, rest = _number(rest)
                yield key >> 3, rest[:length]
                rest = rest[length:]
            case kind:
                msg = f"a field of kind {kind}"
                raise ValueError(msg)


def _number(data: bytes) -> tuple[int, bytes]:
    value = 0
    for place, byte in enumerate(data):
        value |= byte % MORE << 7 * place
        if byte < MORE:
            return value, data[place + 1 :]
    msg = "a number without an end"
    raise ValueError(msg)


def frame(tag: Tag, message: bytes) -> bytes:
    """A message as it is sent."""
    return bytes([tag]) + number(len(message)) + message


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next frame. Raises ValueError if it is too long, and IncompleteReadError at the end."""
    tag = (await reader.readexactly(1))[0]
    size = bytearray(await reader.readexactly(1))
    while size[-1] & MORE:
        size += await reader.readexactly(1)
    length, _ = _number(bytes(size))
    if length > MAX_FRAME:
        raise ValueError(length)
    return tag, await reader.readexactly(length)
