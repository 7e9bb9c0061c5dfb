"""An image that is open but not decoded yet: what all formats have in common."""

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

from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import ASKED_WRONG, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import ModuleType

Bytes = bytes | mmap  # of a file
Size = tuple[int, int]
Box = tuple[float, float, float, float]

BASE = 8 * MEBIBYTE  # bytes of memory for everything but pixels
MAX_FRAMES = 1000
MAX_FRAME_PIXELS = 300_000_000  # of all frames together
SHORTEST, DEFAULT_DURATION = 10, 100  # milliseconds: browsers show a frame of SHORTEST or less for DEFAULT_DURATION
LONGEST = 0x7FFFFFFF // MAX_FRAMES  # milliseconds, some 35 minutes: libwebp counts all frames in 31 bits

# What hostile bytes cause in Pillow and its libraries, beside the errors that they raise on purpose.
MISHAPS = (RuntimeError, ArithmeticError, LookupError, TypeError, AttributeError)
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, *MISHAPS)
# What libwebp, libavif, libheif and Pillow say when memory has run out.
NO_MEMORY = re.compile(
    r"assembling WebP: -3|WebPEncodingError: [12]\b|out of memory|memory allocation error", re.IGNORECASE
)

UPRIGHT, ORIENTATIONS = 1, range(1, 9)
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True)
class Frame:
    """The image (RGBA) that is shown for `duration` milliseconds. Its pixels are overwritten by the next frame."""

    pixels: Image.Image
    duration: int


@dataclass(frozen=True, slots=True)
class Animation:
    """An animation of `count` frames, played `plays` times (0: for ever). Each call of `frames` begins anew."""

    count: int
    plays: int
    frames: Callable[[], Iterator[Frame]]

    def check(self, size: Size) -> None:
        """Raise RefusedError if there are too many frames, or too many pixels in frames of this size."""
        if self.count > MAX_FRAMES or self.count * size[0] * size[1] > MAX_FRAME_PIXELS:
            millions = MAX_FRAME_PIXELS // 1_000_000
            msg = f"the animation has more than {MAX_FRAMES} frames or {millions} million pixels"
            raise RefusedError(msg)


class OpenedImage(ABC):
    """An open image. `size` (pixels) and `mode` (Pillow's) are those of the file.

    `orientation` is EXIF's (1 to 8), `profile` an ICC profile or empty (sRGB). `animation` is None for a still image.
    `pixels` decodes the first frame of an animation.
    """

    kind: str
    size: Size
    mode: str
    orientation: int = UPRIGHT
    profile: bytes = b""
    animation: Animation | None = None

    @abstractmethod
    def prepare(self, scale: float, formats: Collection[str]) -> int:
        """Prepare for results at up to `scale` of the size, in these formats; returns the bytes that decoding takes."""

    @abstractmethod
    def pixels(self) -> tuple[Image.Image, Box]:
        """Decode as prepared; returns the pixels, and the part of them that the image fills."""


@contextmanager
def refuse_damage() -> Iterator[None]:
    """Turn what a library raises for damaged bytes into RefusedError. Keep our own code out of it.

    An error of the system (with an errno) is raised as it is, unless hostile bytes cause it (ASKED_WRONG). Raises
    MemoryError if a library ran out of memory.
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


def optional_module(module: str, words: str) -> ModuleType:
    """Import a module that may not be installed, because of its licence. Raises RefusedError with `words` if so."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise RefusedError(words) from error


def damaged(words: str) -> NoReturn:
    """Raise RefusedError for damage that our own code has found."""
    msg = f"the image is damaged: {words}"
    raise RefusedError(msg)


def scaled(size: Size, scale: float) -> Size:
    """The size times `scale`; each side has at least one pixel."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def frame_duration(milliseconds: float) -> int:
    """Milliseconds for which browsers show a frame, at most LONGEST."""
    return round(min(milliseconds, LONGEST)) if milliseconds > SHORTEST else DEFAULT_DURATION


def orientation_of(exif: object) -> int:
    """EXIF's orientation, 1 to 8. XMP has one as well, which browsers ignore."""
    if not isinstance(exif, bytes):
        return UPRIGHT
    tags = Image.Exif()
    try:
        tags.load(exif)
        orientation = int(tags.get(ORIENTATION_TAG, UPRIGHT))
    except DAMAGE:
        return UPRIGHT  # damaged EXIF data is no reason to refuse an image
    return orientation if orientation in ORIENTATIONS else UPRIGHT
