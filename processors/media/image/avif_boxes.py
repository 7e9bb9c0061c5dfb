"""What Pillow does not say about an AVIF: its colours, and how often it is played. See ISO/IEC 14496-12."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 4 * 1024 * 1024  # bytes of a box that is read
HOLDERS = {  # a box that holds boxes -> the bytes before the first of them
    b"meta": 4,
    b"iprp": 0,
    b"ipco": 0,
    b"moov": 0,
    b"trak": 0,
    b"edts": 0,
    b"mdia": 0,
    b"minf": 0,
    b"stbl": 0,
    b"stsd": 8,
    b"av01": 78,
}
DEEPEST = 8  # levels of boxes in boxes
REPEATS = 1  # flag of an edit list
MOST_PLAYS = 0xFFFF  # the most that a WebP can say
ENDLESS = {4: 0xFFFFFFFF, 8: 0xFFFFFFFFFFFFFFFF}  # an unknown duration, by its length in bytes


def colours(path: Path) -> tuple[int, int] | None:
    """The coding points of primaries and transfer; None if the file has none."""
    for name, body in _boxes(path):
        if name == b"colr" and body[:4] == b"nclx" and len(body) >= 8:  # noqa: PLR2004 -- both numbers
            primaries, transfer = struct.unpack_from(">HH", body, 4)
            return primaries, transfer
    return None


def plays(path: Path) -> int:
    """How often an animation is played (0: for ever), by the rules of libavif and browsers.

    The first track's edit list has the duration of one play, and its header the total duration.
    """
    whole = 0
    try:
        for name, body in _boxes(path):
            if name == b"tkhd":
                whole = _number(body, 20 if body[0] == 0 else 28, 4 if body[0] == 0 else 8)
            elif name == b"elst":
                once = _number(body, 8, 4 if body[0] == 0 else 8)
                return _times(whole, once) if body[3] & REPEATS else 1
    except (IndexError, struct.error):
        return 0  # damaged: play it for ever
    return 0


def _number(body: bytes, offset: int, length: int) -> int:
    """A duration; 0 if it is unknown."""
    number: int = struct.unpack_from(">I" if length == 4 else ">Q", body, offset)[0]  # noqa: PLR2004 -- bytes
    return 0 if number == ENDLESS[length] else number


def _times(whole: int, once: int) -> int:
    return 0 if not whole or not once else min(-(-whole // once), MOST_PLAYS)


def _boxes(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The boxes that are worth reading, each after the box that holds it: name and body."""
    end = path.stat().st_size
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:  # noqa: PLR2004 -- length and name
            length, name = struct.unpack(">I4s", head)
            start = file.tell()
            if length == 1:
                length, start = int.from_bytes(file.read(8)) - 8, start + 8
            if length < 8:  # noqa: PLR2004 -- the last one, or none
                return
            if name in HOLDERS and length <= LARGEST:
                file.seek(start)
                yield from _within(name, file.read(length - 8))
            file.seek(min(start + length - 8, end))  # its length may be more than a file can have


def _within(name: bytes, body: bytes, depth: int = 0) -> Iterator[tuple[bytes, bytes]]:
    yield name, body
    offset = HOLDERS.get(name, len(body)) if depth < DEEPEST else len(body)
    while offset + 8 <= len(body):
        length, inner = struct.unpack_from(">I4s", body, offset)
        if length < 8:  # noqa: PLR2004 -- of 64 bits, or none
            return
        yield from _within(inner, body[offset + 8 : offset + length], depth + 1)
        offset += length
