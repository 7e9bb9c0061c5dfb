"""What Pillow does not tell of an AVIF: its colours, and how often it is shown. ISO/IEC 14496-12, boxes in boxes."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 4 * 1024 * 1024  # bytes of a box that is looked into
HOLDERS = {  # box -> the bytes in it before its boxes
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
DEEPEST = 8  # boxes in boxes
REPEATS = 1  # flag of an edit list
MOST_PLAYS = 0xFFFF  # what a WebP has room for
ENDLESS = {4: 0xFFFFFFFF, 8: 0xFFFFFFFFFFFFFFFF}  # a duration that is not known, by its length


def colours(path: Path) -> tuple[int, int] | None:
    """The coding points of primaries and transfer, if there are any."""
    for name, body in _boxes(path):
        if name == b"colr" and body[:4] == b"nclx" and len(body) >= 8:  # noqa: PLR2004 -- both numbers
            primaries, transfer = struct.unpack_from(">HH", body, 4)
            return primaries, transfer
    return None


def plays(path: Path) -> int:
    """How often an animation is shown, 0 for ever, as libavif reckons and browsers show it.

    The first track's edit list tells how long it is once, and its header how long in all.
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
        return 0  # damaged: it moves, and how often nobody knows
    return 0


def _number(body: bytes, place: int, length: int) -> int:
    """A duration; one that is not known is 0."""
    number: int = struct.unpack_from(">I" if length == 4 else ">Q", body, place)[0]  # noqa: PLR2004 -- bytes
    return 0 if number == ENDLESS[length] else number


def _times(whole: int, once: int) -> int:
    return 0 if not whole or not once else min(-(-whole // once), MOST_PLAYS)


def _boxes(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The boxes that may hold what is looked for, each after the one that it is in."""
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
            file.seek(min(start + length - 8, end))  # it may claim to be longer than a file can be


def _within(name: bytes, body: bytes, depth: int = 0) -> Iterator[tuple[bytes, bytes]]:
    yield name, body
    place = HOLDERS.get(name, len(body)) if depth < DEEPEST else len(body)
    while place + 8 <= len(body):
        length, inner = struct.unpack_from(">I4s", body, place)
        if length < 8:  # noqa: PLR2004 -- of 64 bits, or none
            return
        yield from _within(inner, body[place + 8 : place + length], depth + 1)
        place += length
