"""GIF, split into its frames. Pillow decodes each frame as a file of its own.

Pillow could also compose the frames, but it fills what a frame leaves free with a colour of the palette.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image

from processors.media.image.canvas import COMPOSED, Dispose, Part, compose
from processors.media.image.opened_image import (
    BASE,
    Animation,
    Box,
    Bytes,
    OpenedImage,
    damaged,
    frame_duration,
    refuse_damage,
)

if TYPE_CHECKING:
    from collections.abc import Collection

BYTES_A_PIXEL = 11  # of memory
LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")  # application blocks that say how often the animation is repeated
EXTENSION, IMAGE = 0x21, 0x2C
CONTROL, APPLICATION = 0xF9, 0xFF
HAS_PALETTE, INTERLACED = 0x80, 0x40
DISPOSES = {2: Dispose.CLEAR, 3: Dispose.RESTORE}
GREYS = bytes(value for value in range(256) for _ in range(3))  # the palette of an image that has none
WIDEST = 0xFFFF


@dataclass(slots=True)
class Reader:
    """The position in the file, and what it has said so far about the next frame."""

    data: Bytes
    offset: int
    palette: bytes
    control: bytes = bytes(4)
    plays: int = 1
    parts: list[Part] = field(default_factory=list)

    def blocks(self) -> bytes:
        """Skip the data blocks up to the empty one; returns the first, without its length."""
        first, start = b"", self.offset
        while length := self.data[self.offset]:
            first = first or self.data[start + 1 : start + 1 + length]
            self.offset += 1 + length
        self.offset += 1
        return first

    def palette_of(self, flags: int) -> bytes:
        """The palette that follows; empty if there is none."""
        if not flags & HAS_PALETTE:
            return b""
        start, self.offset = self.offset, self.offset + (6 << (flags & 7))
        return self.data[start : self.offset]


class Gif(OpenedImage):
    """A GIF."""

    kind = "GIF"
    mode = "P"

    def __init__(self, data: Bytes) -> None:
        """Find the frames in `data`, the whole file. Raises RefusedError."""
        with refuse_damage():
            width, height, flags = struct.unpack_from("<HHB", data, 6)
            reader = Reader(data, 13, GREYS)
            reader.palette = reader.palette_of(flags) or GREYS
            _read(reader)
        if not reader.parts:
            damaged("it has no frame")
        first = reader.parts[0]
        self.size = max(width, first.position[0] + first.size[0]), max(height, first.position[1] + first.size[1])
        self._parts = reader.parts
        if len(self._parts) > 1:
            self.animation = Animation(len(self._parts), reader.plays, lambda: compose(self.size, self._parts))

    def prepare(self, scale: float, formats: Collection[str]) -> int:  # noqa: ARG002 -- there is no smaller decoding
        """See OpenedImage."""
        bytes_a_pixel = BYTES_A_PIXEL if self._parts[0].size == self.size else COMPOSED
        return BASE + self.size[0] * self.size[1] * bytes_a_pixel

    def pixels(self) -> tuple[Image.Image, Box]:
        """See OpenedImage."""
        first = self._parts[0]
        seen = first.draw() if first.size == self.size else next(compose(self.size, self._parts)).pixels
        return seen, (0, 0, *self.size)


def _read(reader: Reader) -> None:
    """Read all blocks. A file may lack the byte that ends it."""
    data = reader.data
    while reader.offset < len(data):
        kind = data[reader.offset]
        reader.offset += 1
        if kind == EXTENSION:
            _extension(reader)
        elif kind == IMAGE:
            _image(reader)
        elif kind:  # the end, or garbage; zeros between blocks are skipped
            return


def _extension(reader: Reader) -> None:
    label = reader.data[reader.offset]
    reader.offset += 1
    if label == APPLICATION and reader.data[reader.offset + 1 : reader.offset + 12] in LOOPS:
        reader.offset += 12
        block = reader.blocks()
        if len(block) >= 3 and block[0] == 1:  # noqa: PLR2004 -- its number, and how often
            again = int.from_bytes(block[1:3], "little")
            reader.plays = min(again + 1, WIDEST) if again else 0
        return
    block = reader.blocks()
    if label == CONTROL and len(block) >= len(reader.control):
        reader.control = block


def _image(reader: Reader) -> None:
    left, top, width, height, flags = struct.unpack_from("<HHHHB", reader.data, reader.offset)
    reader.offset += 9
    palette = reader.palette_of(flags) or reader.palette
    start = reader.offset
    reader.offset += 1
    reader.blocks()
    control, reader.control = reader.control, bytes(4)
    if not width * height:
        return
    screen = struct.pack("<HHBBB", width, height, HAS_PALETTE | _bits(palette), 0, 0)
    shape = struct.pack("<BHHHHB", IMAGE, 0, 0, width, height, flags & INTERLACED)
    transparent = b"\x21\xf9\x04\x01\0\0" + control[3:4] + b"\0" if control[0] & 1 else b""
    draw = partial(
        _drawn, b"".join((b"GIF89a", screen, palette, transparent, shape)), reader.data, start, reader.offset
    )
    delay = 10 * int.from_bytes(control[1:3], "little")
    dispose = DISPOSES.get(control[0] >> 2 & 7, Dispose.KEEP)
    reader.parts.append(Part((left, top), (width, height), frame_duration(delay), dispose, over=True, draw=draw))


def _bits(palette: bytes) -> int:
    """The palette's length as a header writes it: log2 of the number of colours, minus 1."""
    return (len(palette) // 3).bit_length() - 2


def _drawn(head: bytes, data: Bytes, start: int, end: int) -> Image.Image:
    file = io.BytesIO(b"".join((head, data[start:end], b";")))
    with refuse_damage(), Image.open(file, formats=("GIF",)) as image:
        return image.convert("RGBA")
