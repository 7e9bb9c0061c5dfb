"""PNG, still and animated, taken apart into its chunks.

Pillow decodes the pixels, of a file that is made of what they need. So nothing that is only told beside them, a text
or a time, makes an image unreadable; and the frames of an animation are put together here, since Pillow does it wrong
where they have a palette.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image

from processors.media.image import cicp
from processors.media.image.canvas import COMPOSED, Dispose, Part, composed
from processors.media.image.opened_image import (
    BASE,
    Box,
    Bytes,
    Moving,
    Size,
    Upload,
    damaged,
    lasting,
    orientation_of,
    refusing,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BYTES_A_PIXEL = 8  # of memory
NEEDED = frozenset({b"IHDR", b"PLTE"})  # to read the pixels: a wrong checksum is damage
BESIDE = frozenset({b"tRNS", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"acTL"})  # elsewhere it is left out
LARGEST_PROFILE = 4 * 1024 * 1024  # bytes
GREY, RGB, PALETTE = 0, 2, 3  # kinds of colours; with 4 for transparency in each pixel
DISPOSES = {0: Dispose.KEEP, 1: Dispose.CLEAR, 2: Dispose.RESTORE}
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stored:
    """A frame of an animation as it stands in the file: its control chunk, and where its pixels are."""

    control: bytes
    data: list[Range]


class Chunks:
    """What is known of a file: small chunks by name, and where the pixels of the still image and the frames are."""

    def __init__(self, data: Bytes) -> None:
        """Read `data`, the file. Raises RefusedError."""
        self.small: dict[bytes, bytes] = {}
        self.still: list[Range] = []
        self.frames: list[Stored] = []
        for name, start, end in _chunks(data):
            if name == b"IDAT":
                self.still.append((start, end))
                if self.frames:
                    self.frames[-1].data.append((start, end))
            elif name == b"fdAT" and self.frames:
                self.frames[-1].data.append((start + 4, end))  # behind its number
            elif name == b"fcTL":
                self.frames.append(Stored(data[start:end], []))
            elif name in NEEDED or name in BESIDE:
                self._keep(name, data, start, end)
        if len(self.small.get(b"IHDR", b"")) != 13 or not self.still:  # noqa: PLR2004 -- its length
            damaged("it has no header or no pixels")

    def _keep(self, name: bytes, data: Bytes, start: int, end: int) -> None:
        body = data[start:end]
        if zlib.crc32(name + body) == int.from_bytes(data[end : end + 4]):
            if name == b"eXIf" or not self.still:  # what is told of colours holds for pixels that come after it
                self.small.setdefault(name, body)
        elif name in NEEDED:
            damaged(f"the checksum of {name.decode()} is wrong")


def _chunks(data: Bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, beginning and end of each, up to the one that ends the image. One may be cut off with the file."""
    place = len(SIGNATURE)
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if name == b"IEND":
            return
        yield name, place + 8, min(place + 8 + length, len(data))
        place += 12 + length


class Png(Upload):
    """A PNG."""

    kind = "PNG"

    def __init__(self, data: Bytes) -> None:
        """Read the chunks of `data`, the file. Raises RefusedError."""
        self._data = data
        self._chunks = chunks = Chunks(data)
        width, height, self._depth, self._colours = struct.unpack_from(">IIBB", chunks.small[b"IHDR"])
        self.size = width, height
        with refusing(), self._opened(self.size, []) as image:
            self.mode = image.mode
        self.orientation = orientation_of(chunks.small.get(b"eXIf"))
        self.profile = _profile(chunks.small)
        # What is no animation after all is the image that is there as well, as in browsers.
        parts = [self._part(frame) for frame in chunks.frames if frame.data] if b"acTL" in chunks.small else []
        if len(parts) > 1 and all(part is not None for part in parts):
            self._parts = [part for part in parts if part is not None]
            plays = int.from_bytes(chunks.small[b"acTL"][4:8])
            self.moving = Moving(len(parts), min(plays, 0xFFFF), lambda: composed(self.size, self._parts))

    def prepare(self, scale: float, formats: Collection[str]) -> int:  # noqa: ARG002 -- there is no smaller decoding
        """See Upload."""
        stored = sum(end - start for start, end in self._chunks.still)
        bytes_a_pixel = COMPOSED if self.moving or self.mode.startswith("I") else BYTES_A_PIXEL
        return BASE + self.size[0] * self.size[1] * bytes_a_pixel + stored

    def pixels(self) -> tuple[Image.Image, Box]:
        """See Upload."""
        box = (0, 0, *self.size)
        if self.moving is not None:
            return next(self.moving.frames()).pixels, box
        return self._decoded(self.size, self._chunks.still), box

    def _part(self, frame: Stored) -> Part | None:
        """The frame, or None if it lies outside the image."""
        try:
            width, height, left, top, number, per, dispose, over = struct.unpack_from(">4I2H2B", frame.control, 4)
        except struct.error:
            return None
        if not width * height or left + width > self.size[0] or top + height > self.size[1]:
            return None
        size, lasts = (width, height), lasting(1000 * number / (per or 100))
        draw = partial(self._drawn, size, frame.data)
        return Part((left, top), size, lasts, DISPOSES.get(dispose, Dispose.KEEP), over=over == 1, draw=draw)

    def _drawn(self, size: Size, data: Sequence[Range]) -> Image.Image:
        return self._decoded(size, data).convert("RGBA")

    def _opened(self, size: Size, data: Sequence[Range]) -> Image.Image:
        """An image of these pixels and no more."""
        small = self._chunks.small
        head = struct.pack(">II", *size) + small[b"IHDR"][8:]
        chunks = [_chunk(b"IHDR", head), _chunk(b"PLTE", small[b"PLTE"]) if b"PLTE" in small else b""]
        if self._colours == PALETTE and b"tRNS" in small:
            chunks.append(_chunk(b"tRNS", small[b"tRNS"]))
        pixels = b"".join(self._data[start:end] for start, end in data)
        file = io.BytesIO(b"".join((SIGNATURE, *chunks, _chunk(b"IDAT", pixels), _chunk(b"IEND", b""))))
        return Image.open(file, formats=("PNG",))

    def _decoded(self, size: Size, data: Sequence[Range]) -> Image.Image:
        with refusing():
            image = self._opened(size, data)
            image.load()
            if image.mode.startswith("I"):
                image = image.convert("I")  # what more than eight bits can be worked on as
        key = self._chunks.small.get(b"tRNS", b"")
        if self._colours == GREY and len(key) >= 2:  # noqa: PLR2004 -- bytes of one number
            return _without_grey(image, self._depth, int.from_bytes(key[:2]))
        if self._colours == RGB and len(key) >= 6:  # noqa: PLR2004 -- bytes of three
            return _without_colour(image, self._depth, struct.unpack_from(">3H", key))
        if self._colours == GREY and self.profile and b"iCCP" not in self._chunks.small:
            return _eight(image).convert("RGB")  # a profile that is made for colours tells of grey as well
        return _eight(image)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _eight(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as eight; all else as it is. convert() alone takes what is above 255 for white."""
    return image.point([value >> 8 for value in range(65536)], "L") if image.mode == "I" else image


def _without_grey(image: Image.Image, depth: int, key: int) -> Image.Image:
    """Grey in which the number `key`, as the file stores numbers, is transparent."""
    if image.mode == "I":
        alpha = image.point([0 if value == key else 255 for value in range(65536)], "L")
    else:
        shown = key * 255 // ((1 << depth) - 1)
        alpha = image.convert("L").point([0 if value == shown else 255 for value in range(256)])
    return Image.merge("RGBA", (*_eight(image).convert("RGB").split(), alpha))


def _without_colour(image: Image.Image, depth: int, key: tuple[int, ...]) -> Image.Image:
    """Colours of which one is transparent. Of 16 bits the upper half is left, and tells it well enough."""
    image.info["transparency"] = tuple(value >> 8 if depth > 8 else value for value in key)  # noqa: PLR2004 -- bits
    return image.convert("RGBA")


def _profile(small: dict[bytes, bytes]) -> bytes:
    """What the colours mean, by the first of these that is there (PNG's third edition, 4.3)."""
    if len(name := small.get(b"cICP", b"")) == 4 and name[2] == 0:  # noqa: PLR2004 -- numbers; the third is RGB's
        return cicp.of_numbers(name[0], name[1])
    if profile := _unpacked(small.get(b"iCCP", b"")):
        return profile
    if b"sRGB" in small or len(small.get(b"gAMA", b"")) != 4:  # noqa: PLR2004 -- its length
        return b""
    gamma, points = int.from_bytes(small[b"gAMA"]) / 100_000, _points(small.get(b"cHRM", b""))
    return b"" if cicp.is_srgb(gamma, points) else cicp.of_gamma(gamma, points)


def _points(chromaticities: bytes) -> tuple[tuple[float, float], ...] | None:
    """Red, green, blue and white, which come first in the file."""
    if len(chromaticities) != 32:  # noqa: PLR2004 -- its length
        return None
    numbers = [number / 100_000 for number in struct.unpack(">8I", chromaticities)]
    white, *colours = zip(numbers[::2], numbers[1::2], strict=True)
    return (*colours, white)


def _unpacked(profile: bytes) -> bytes:
    """An ICC profile, which has a name before it and is packed; empty if that fails, or it is too large."""
    packed = profile.partition(b"\0")[2][1:]
    try:
        unpacker = zlib.decompressobj()
        whole = unpacker.decompress(packed, LARGEST_PROFILE)
    except zlib.error:
        return b""
    return whole if unpacker.eof else b""
