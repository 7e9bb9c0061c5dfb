"""PNG, still and animated, split into its chunks.

Pillow decodes the pixels from a new file that has only the chunks that are needed. So a damaged text or time does not
make an image unreadable. The frames of an animation are composed here, because Pillow does it wrong for palettes.
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
from processors.media.image.canvas import COMPOSED, Dispose, Part, compose
from processors.media.image.opened_image import (
    BASE,
    Animation,
    Box,
    Bytes,
    OpenedImage,
    Size,
    damaged,
    frame_duration,
    orientation_of,
    refuse_damage,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BYTES_A_PIXEL = 8  # of memory
NEEDED = frozenset({b"IHDR", b"PLTE"})  # to decode the pixels: a wrong checksum is damage
BESIDE = frozenset(
    {b"tRNS", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"acTL"}
)  # here a wrong checksum drops the chunk
LARGEST_PROFILE = 4 * 1024 * 1024  # bytes
GREY, RGB, PALETTE = 0, 2, 3  # colour types; plus 4 with an alpha channel
DISPOSES = {0: Dispose.KEEP, 1: Dispose.CLEAR, 2: Dispose.RESTORE}
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stored:
    """A frame of an animation as it is stored: its control chunk, and where its pixels are in the file."""

    control: bytes
    data: list[Range]


class Chunks:
    """The chunks of a file: small ones by name, and where the pixels of the still image and of the frames are."""

    def __init__(self, data: Bytes) -> None:
        """Read `data`, the whole file. Raises RefusedError."""
        self.small: dict[bytes, bytes] = {}
        self.still: list[Range] = []
        self.frames: list[Stored] = []
        for name, start, end in _chunks(data):
            if name == b"IDAT":
                self.still.append((start, end))
                if self.frames:
                    self.frames[-1].data.append((start, end))
            elif name == b"fdAT" and self.frames:
                self.frames[-1].data.append((start + 4, end))  # after its sequence number
            elif name == b"fcTL":
                self.frames.append(Stored(data[start:end], []))
            elif name in NEEDED or name in BESIDE:
                self._keep(name, data, start, end)
        if len(self.small.get(b"IHDR", b"")) != 13 or not self.still:  # noqa: PLR2004 -- its length
            damaged("it has no header or no pixels")

    def _keep(self, name: bytes, data: Bytes, start: int, end: int) -> None:
        body = data[start:end]
        if zlib.crc32(name + body) == int.from_bytes(data[end : end + 4]):
            if name == b"eXIf" or not self.still:  # chunks about colours must come before the pixels
                self.small.setdefault(name, body)
        elif name in NEEDED:
            damaged(f"the checksum of {name.decode()} is wrong")


def _chunks(data: Bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk up to IEND. The last one may be cut off."""
    offset = len(SIGNATURE)
    while offset + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        if name == b"IEND":
            return
        yield name, offset + 8, min(offset + 8 + length, len(data))
        offset += 12 + length


class Png(OpenedImage):
    """A PNG."""

    kind = "PNG"

    def __init__(self, data: Bytes) -> None:
        """Read the chunks of `data`, the whole file. Raises RefusedError."""
        self._data = data
        self._chunks = chunks = Chunks(data)
        width, height, self._depth, self._colours = struct.unpack_from(">IIBB", chunks.small[b"IHDR"])
        self.size = width, height
        with refuse_damage(), self._opened(self.size, []) as image:
            self.mode = image.mode
        self.orientation = orientation_of(chunks.small.get(b"eXIf"))
        self.profile = _profile(chunks.small)
        # A broken animation is shown as its default image, as in browsers.
        parts = [self._part(frame) for frame in chunks.frames if frame.data] if b"acTL" in chunks.small else []
        if len(parts) > 1 and all(part is not None for part in parts):
            self._parts = [part for part in parts if part is not None]
            plays = int.from_bytes(chunks.small[b"acTL"][4:8])
            self.animation = Animation(len(parts), min(plays, 0xFFFF), lambda: compose(self.size, self._parts))

    def prepare(self, scale: float, formats: Collection[str]) -> int:  # noqa: ARG002 -- there is no smaller decoding
        """See OpenedImage."""
        stored = sum(end - start for start, end in self._chunks.still)
        bytes_a_pixel = COMPOSED if self.animation or self.mode.startswith("I") else BYTES_A_PIXEL
        return BASE + self.size[0] * self.size[1] * bytes_a_pixel + stored

    def pixels(self) -> tuple[Image.Image, Box]:
        """See OpenedImage."""
        box = (0, 0, *self.size)
        if self.animation is not None:
            return next(self.animation.frames()).pixels, box
        return self._decoded(self.size, self._chunks.still), box

    def _part(self, frame: Stored) -> Part | None:
        """The frame; None if it lies outside the image."""
        try:
            width, height, left, top, number, per, dispose, over = struct.unpack_from(">4I2H2B", frame.control, 4)
        except struct.error:
            return None
        if not width * height or left + width > self.size[0] or top + height > self.size[1]:
            return None
        size, lasts = (width, height), frame_duration(1000 * number / (per or 100))
        draw = partial(self._drawn, size, frame.data)
        return Part((left, top), size, lasts, DISPOSES.get(dispose, Dispose.KEEP), over=over == 1, draw=draw)

    def _drawn(self, size: Size, data: Sequence[Range]) -> Image.Image:
        return self._decoded(size, data).convert("RGBA")

    def _opened(self, size: Size, data: Sequence[Range]) -> Image.Image:
        """An image file of these pixels only, opened."""
        small = self._chunks.small
        head = struct.pack(">II", *size) + small[b"IHDR"][8:]
        chunks = [_chunk(b"IHDR", head), _chunk(b"PLTE", small[b"PLTE"]) if b"PLTE" in small else b""]
        if self._colours == PALETTE and b"tRNS" in small:
            chunks.append(_chunk(b"tRNS", small[b"tRNS"]))
        pixels = b"".join(self._data[start:end] for start, end in data)
        file = io.BytesIO(b"".join((SIGNATURE, *chunks, _chunk(b"IDAT", pixels), _chunk(b"IEND", b""))))
        return Image.open(file, formats=("PNG",))

    def _decoded(self, size: Size, data: Sequence[Range]) -> Image.Image:
        with refuse_damage():
            image = self._opened(size, data)
            image.load()
            if image.mode.startswith("I"):
                image = image.convert("I")  # the mode in which more than eight bits can be processed
        key = self._chunks.small.get(b"tRNS", b"")
        if self._colours == GREY and len(key) >= 2:  # noqa: PLR2004 -- bytes of one number
            return _without_grey(image, self._depth, int.from_bytes(key[:2]))
        if self._colours == RGB and len(key) >= 6:  # noqa: PLR2004 -- bytes of three
            return _without_colour(image, self._depth, struct.unpack_from(">3H", key))
        if self._colours == GREY and self.profile and b"iCCP" not in self._chunks.small:
            return _eight(image).convert("RGB")  # the profile that was made of numbers is for RGB
        return _eight(image)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _eight(image: Image.Image) -> Image.Image:
    """Grey of 16 bits as eight; everything else unchanged. convert() would turn all above 255 white."""
    return image.point([value >> 8 for value in range(65536)], "L") if image.mode == "I" else image


def _without_grey(image: Image.Image, depth: int, key: int) -> Image.Image:
    """Grey in which the value `key` (with `depth` bits) is transparent."""
    if image.mode == "I":
        alpha = image.point([0 if value == key else 255 for value in range(65536)], "L")
    else:
        shown = key * 255 // ((1 << depth) - 1)
        alpha = image.convert("L").point([0 if value == shown else 255 for value in range(256)])
    return Image.merge("RGBA", (*_eight(image).convert("RGB").split(), alpha))


def _without_colour(image: Image.Image, depth: int, key: tuple[int, ...]) -> Image.Image:
    """Colours of which `key` is transparent. Of 16 bits the upper eight are compared."""
    image.info["transparency"] = tuple(value >> 8 if depth > 8 else value for value in key)  # noqa: PLR2004 -- bits
    return image.convert("RGBA")


def _profile(small: dict[bytes, bytes]) -> bytes:
    """The ICC profile by the first of these chunks that is there (PNG, third edition, 4.3)."""
    if len(name := small.get(b"cICP", b"")) == 4 and name[2] == 0:  # noqa: PLR2004 -- numbers; the third is RGB's
        return cicp.of_numbers(name[0], name[1])
    if profile := _unpacked(small.get(b"iCCP", b"")):
        return profile
    if b"sRGB" in small or len(small.get(b"gAMA", b"")) != 4:  # noqa: PLR2004 -- its length
        return b""
    gamma, points = int.from_bytes(small[b"gAMA"]) / 100_000, _points(small.get(b"cHRM", b""))
    return b"" if cicp.is_srgb(gamma, points) else cicp.of_gamma(gamma, points)


def _points(chromaticities: bytes) -> tuple[tuple[float, float], ...] | None:
    """Red, green, blue and white; in the file, white comes first."""
    if len(chromaticities) != 32:  # noqa: PLR2004 -- its length
        return None
    numbers = [number / 100_000 for number in struct.unpack(">8I", chromaticities)]
    white, *colours = zip(numbers[::2], numbers[1::2], strict=True)
    return (*colours, white)


def _unpacked(profile: bytes) -> bytes:
    """An ICC profile, which is compressed and follows a name; empty if it is damaged or too large."""
    packed = profile.partition(b"\0")[2][1:]
    try:
        unpacker = zlib.decompressobj()
        whole = unpacker.decompress(packed, LARGEST_PROFILE)
    except zlib.error:
        return b""
    return whole if unpacker.eof else b""
