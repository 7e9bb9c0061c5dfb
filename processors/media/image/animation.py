"""Animations: each frame is resized and written into an animated WebP, with one frame in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.Image import Resampling

from processors.media.image.canvas import COMPOSED
from processors.media.image.decode import DecodedImage, is_opaque, resizable
from processors.media.image.opened_image import BASE, UPRIGHT, Box, Frame, Size, scaled
from processors.media.image.render import fit_scale, to_upright
from processors.media.image.srgb import to_srgb
from processors.media.image.write import Written, encoding, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.media.image.opened_image import Animation, OpenedImage
    from processors.sandbox.protocol import Parent

BYTES_A_PIXEL = {
    "GIF": COMPOSED,
    "PNG": COMPOSED,
    "AVIF": 18,
    "WEBP": 30,
}  # of memory: a frame, and the one from which it is made
OUTPUT_COPIES = 32  # bytes for each pixel of the result: libwebp compares a frame with the last
FLAGS, WEBP_ALPHA = 20, 0b0001_0000  # the offset of a WebP's flags, and the flag for transparency
TURNED = 4  # bytes for each pixel of a frame that is turned upright
UPLOAD_COPIES = 2  # bytes for each byte of the upload: libwebp keeps all frames, then copies them into a file


@dataclass(frozen=True, slots=True)
class Shape:
    """What each frame of the result shows: the part `area` of the upright frame, at `size`, both in pixels."""

    size: Size
    area: Box


class Frames(Image.Image):
    """The animation as Pillow's encoder reads it: `seek` renders a frame.

    `durations` (milliseconds) grows with each frame; the encoder reads a duration after its frame.
    """

    def __init__(self, image: OpenedImage, animation: Animation, shape: Shape, parent: Parent) -> None:
        super().__init__()
        self.n_frames = animation.count
        self.durations: list[int] = []
        self.is_transparent = False
        self._frames: Iterator[Frame] = animation.frames()
        self._number = -1
        self._shape = shape
        self._parent = parent
        self._image = image
        self.seek(0)

    def seek(self, frame: int) -> None:
        """Render a frame. The encoder reads frames in order, and seeks the first one again when it is done."""
        if frame > self._number:
            self._number = frame
            self._show(next(self._frames))

    def tell(self) -> int:
        """The frame at which the encoder begins, and to which it returns."""
        return 0

    def _show(self, frame: Frame) -> None:
        upright = to_upright(frame.pixels, self._image.orientation)
        pixels = upright.resize(self._shape.size, Resampling.LANCZOS, box=self._shape.area, reducing_gap=2.0)
        shown = to_srgb(pixels, self._image.profile)
        self.im, self._mode, self._size = shown.im, shown.mode, shown.size
        self.durations.append(frame.duration)
        self.is_transparent = self.is_transparent or not is_opaque(shown)
        self._parent.progress(100 * self._number / self.n_frames)


def fitted(size: Size, box: Size) -> Shape:
    """The whole frame, reduced until it fits in the box."""
    return Shape(scaled(size, fit_scale(size, box)), (0, 0, *size))


def need(image: OpenedImage, size: Size, stored: int) -> int:
    """Bytes of memory for a result of this size; the upload has `stored` bytes."""
    a_pixel = BYTES_A_PIXEL[image.kind] + (0 if image.orientation == UPRIGHT else TURNED)
    frames = image.size[0] * image.size[1] * a_pixel + size[0] * size[1] * OUTPUT_COPIES
    return BASE + frames + stored * UPLOAD_COPIES


def animate(frames: Frames, variant: str, quality: int, plays: int) -> Written:
    """Write `<variant>.webp`, which is shown `plays` times (0: for ever)."""
    path = Path(f"{variant}.webp")
    options: dict[str, Any] = {"loop": plays, "quality": quality, "method": 2}
    with encoding("webp", frames.size):
        frames.save(path, "WEBP", save_all=True, duration=frames.durations, background=(0, 0, 0, 0), **options)
    if frames.is_transparent:
        _declare(path)
    return written(path, variant, "webp", frames.size)


def _declare(path: Path) -> None:
    """Set the flag for transparency in the header (VP8X, RFC 9649).

    libwebp does not set it if all that it stores is opaque, even if what it leaves out is transparent.
    """
    with path.open("r+b") as file:
        head = file.read(FLAGS + 1)
        if head[12:16] == b"VP8X":
            file.seek(FLAGS)
            file.write(bytes([head[FLAGS] | WEBP_ALPHA]))


def first_frame(image: OpenedImage) -> DecodedImage:
    """The first frame as a still image."""
    pixels, box = image.pixels()
    return DecodedImage(resizable(pixels), box, image.size, image.mode, image.orientation, image.profile)
