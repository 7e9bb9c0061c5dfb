"""Animations: every frame resized and written as animated WebP, one frame in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.Image import Resampling

from processors.media.image.colour import to_srgb
from processors.media.image.decode import BASE, BYTES_A_PIXEL, Box, Size, Source, kind, scaled
from processors.media.image.render import fit_scale
from processors.media.image.write import Written, written
from processors.media.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from PIL import ImageFile

    from processors.media.sandbox.wire import Parent

MAX_FRAMES = 1000
MAX_PIXELS = 300_000_000  # of all frames together
DEFAULT_DURATION = 100  # milliseconds, as browsers take a frame without one
OUTPUT_COPIES = 32  # bytes for each pixel of the result: libwebp compares a frame with the last
UPLOAD_COPIES = 2  # bytes for each byte of the upload: libwebp keeps all frames, and then copies them into a file


@dataclass(frozen=True, slots=True)
class Shape:
    """What is to be seen of each frame: the part `area` of it, at `size`, both in pixels."""

    size: Size
    area: Box


class Frames(Image.Image):
    """The animation as Pillow's encoder walks through it: `seek` renders the frame that is asked for.

    `durations` (milliseconds) fills up on the way; the encoder looks at each after its frame.
    """

    def __init__(self, picture: ImageFile.ImageFile, count: int, shape: Shape, parent: Parent) -> None:
        """Show `count` frames of the picture."""
        super().__init__()
        self.n_frames = count
        self.durations: list[int] = []
        self._picture = picture
        self._first = first_of(picture)
        self._shape = shape
        self._parent = parent
        self._profile = picture.info.get("icc_profile") or b""
        self._show(0)

    def seek(self, frame: int) -> None:
        """Render a frame."""
        self._show(frame)

    def tell(self) -> int:
        """Where the encoder begins, and returns to."""
        return 0

    def _show(self, number: int) -> None:
        self._picture.seek(self._first + number)
        size, area = self._shape.size, self._shape.area
        frame = self._picture.convert("RGBA").resize(size, Resampling.LANCZOS, box=area, reducing_gap=2.0)
        shown = to_srgb(frame, self._profile)
        self.im, self._mode, self._size = shown.im, shown.mode, shown.size
        if number == len(self.durations):
            self.durations.append(int(self._picture.info.get("duration") or DEFAULT_DURATION))
            self._parent.progress(100 * number / self.n_frames)


def fitted(picture: ImageFile.ImageFile, box: Size) -> Shape:
    """All of each frame, inside the box."""
    return Shape(scaled(picture.size, fit_scale(picture.size, box)), (0, 0, *picture.size))


def need(picture: ImageFile.ImageFile, size: Size, upload: int) -> int:
    """The bytes of memory for an animation of this size, made of `upload` bytes."""
    frames = picture.width * picture.height * 2 * BYTES_A_PIXEL[kind(picture)] + size[0] * size[1] * OUTPUT_COPIES
    return BASE + frames + upload * UPLOAD_COPIES


def animate(frames: Frames, variant: str, quality: int, loop: int) -> Written:
    """Write `<variant>.webp`, to be shown `loop` times (0: for ever)."""
    path = Path(f"{variant}.webp")
    options: dict[str, Any] = {"loop": loop, "quality": quality, "method": 2}
    frames.save(path, "WEBP", save_all=True, duration=frames.durations, background=(0, 0, 0, 0), **options)
    return written(path, variant, "webp", frames.size)


def loops(picture: ImageFile.ImageFile) -> int:
    """How often it is shown; 0: for ever."""
    return int(picture.info.get("loop", 1))


def first_of(picture: ImageFile.ImageFile) -> int:
    """The number of the first frame. A PNG may have a picture before it, for those who can't show it move."""
    return 1 if getattr(picture, "default_image", False) else 0


def first_frame(picture: ImageFile.ImageFile) -> Source:
    """The first frame as a picture of its own."""
    picture.seek(first_of(picture))
    profile = picture.info.get("icc_profile") or b""
    return Source(picture.convert("RGBA"), (0, 0, *picture.size), picture.size, picture.mode, 1, profile)


def count_frames(picture: ImageFile.ImageFile) -> int:
    """How many frames there are. Raises RefusedError if they are too many or too large."""
    area = picture.width * picture.height
    first, count = first_of(picture), 1
    try:
        while True:
            picture.seek(first + count)
            count += 1
            if count > MAX_FRAMES or count * area > MAX_PIXELS:
                msg = f"the animation has more than {MAX_FRAMES} frames or {MAX_PIXELS // 1_000_000} million pixels"
                raise RefusedError(msg)
    except EOFError:
        picture.seek(0)
        return count
