"""An image that is open and not decoded yet: what is known of it, whatever its format."""

from __future__ import annotations

import importlib
import re
import struct
import warnings
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from mmap import mmap
from typing import TYPE_CHECKING, NoReturn

from PIL import Image, UnidentifiedImageError

from processors.media.sandbox.limits import MEBIBYTE
from processors.media.sandbox.protocol import ASKED_WRONG, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import ModuleType

Bytes = bytes | mmap  # of a file
Size = tuple[int, int]
Box = tuple[float, float, float, float]

BASE = 8 * MEBIBYTE  # bytes of memory for all that is not pixels
MAX_FRAMES = 1000
MAX_FRAME_PIXELS = 300_000_000  # of all frames together
SHORTEST, DEFAULT_DURATION = 10, 100  # milliseconds: browsers take a frame of no more than the one for the other
LONGEST = 0x7FFFFFFF // MAX_FRAMES  # the same, some 35 minutes: libwebp's clock has 31 bits for all frames

# What hostile bytes lead Python to, in Pillow and in what it calls, beside the errors that it raises on purpose.
MISHAPS = (RuntimeError, ArithmeticError, LookupError, TypeError, AttributeError)
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, *MISHAPS)
# What libwebp, libavif, libheif and Pillow say where memory has run out.
NO_MEMORY = re.compile(
    r"assembling WebP: -3|WebPEncodingError: [12]\b|out of memory|memory allocation error", re.IGNORECASE
)

UPRIGHT, ORIENTATIONS = 1, range(1, 9)
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True)
class Frame:
    """All that is to be seen (RGBA) for `duration` milliseconds. The pixels are the next frame's after it."""

    pixels: Image.Image
    duration: int


@dataclass(frozen=True, slots=True)
class Moving:
    """An animation of `count` frames, shown `plays` times (0: for ever). `frames` begins with the first each time."""

    count: int
    plays: int
    frames: Callable[[], Iterator[Frame]]

    def check(self, size: Size) -> None:
        """Raise RefusedError if the frames, of this size, are too many or too large."""
        if self.count > MAX_FRAMES or self.count * size[0] * size[1] > MAX_FRAME_PIXELS:
            millions = MAX_FRAME_PIXELS // 1_000_000
            msg = f"the animation has more than {MAX_FRAMES} frames or {millions} million pixels"
            raise RefusedError(msg)


class Upload(ABC):
    """An open image. `size` and `mode` (Pillow's word for what a pixel is) are the file's.

    `orientation` is EXIF's number of how the camera lay, `profile` an ICC profile or empty (sRGB), `moving` is set for
    an animation, of which `pixels` is the first frame.
    """

    kind: str
    size: Size
    mode: str
    orientation: int = UPRIGHT
    profile: bytes = b""
    moving: Moving | None = None

    @abstractmethod
    def prepare(self, scale: float, formats: Collection[str]) -> int:
        """Get ready for results at up to `scale` of the size, in these formats; returns bytes that decoding takes."""

    @abstractmethod
    def pixels(self) -> tuple[Image.Image, Box]:
        """Decode, as prepared: what was decoded, and the part of it that the image fills."""


@contextmanager
def refusing() -> Iterator[None]:
    """Where foreign code reads foreign bytes: turn what it raises into RefusedError. Our own code stays outside.

    A fault of the system (it has a number) stays one, unless the bytes have led to a wrong question. Raises MemoryError
    where a library ran out of it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except DAMAGE as error:
        if getattr(error, "errno", None) not in ASKED_WRONG:
            raise
        if NO_MEMORY.search(str(error)):
            raise MemoryError from error
        words = "its header can't be read" if isinstance(error, UnidentifiedImageError) else str(error)
        msg = f"the image is damaged: {words or type(error).__name__}"
        raise RefusedError(msg) from error


def loaded(module: str, words: str) -> ModuleType:
    """A module that an operator may have left out, for its licence; RefusedError with these words where it is not."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise RefusedError(words) from error


def damaged(words: str) -> NoReturn:
    """Refuse what our own code has found to be wrong."""
    msg = f"the image is damaged: {words}"
    raise RefusedError(msg)


def scaled(size: Size, scale: float) -> Size:
    """The size times `scale`, no side less than a pixel."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def lasting(milliseconds: float) -> int:
    """How long browsers show a frame, up to LONGEST."""
    return round(min(milliseconds, LONGEST)) if milliseconds > SHORTEST else DEFAULT_DURATION


def orientation_of(exif: object) -> int:
    """EXIF's number of how the camera lay, 1 to 8. XMP has one as well, which no browser heeds."""
    if not isinstance(exif, bytes):
        return UPRIGHT
    tags = Image.Exif()
    try:
        tags.load(exif)
        orientation = int(tags.get(ORIENTATION_TAG, UPRIGHT))
    except DAMAGE:
        return UPRIGHT  # damaged EXIF data is no reason to refuse the image
    return orientation if orientation in ORIENTATIONS else UPRIGHT
