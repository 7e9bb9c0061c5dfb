"""Animations: every frame resized and written as animated WebP, one frame in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.Image import Resampling

from processors.media.image.canvas import COMPOSED
from processors.media.image.decode import Source, is_opaque, resizable
from processors.media.image.opened_image import BASE, UPRIGHT, Box, Frame, Size, scaled
from processors.media.image.render import fit_scale, turned
from processors.media.image.srgb import to_srgb
from processors.media.image.write import Written, encoding, written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.media.image.opened_image import Moving, Upload
    from processors.media.sandbox.protocol import Parent

BYTES_A_PIXEL = {
    "GIF": COMPOSED,
    "PNG": COMPOSED,
    "AVIF": 18,
    "WEBP": 30,
}  # of memory: a frame, and the one that it is made of
OUTPUT_COPIES = 32  # bytes for each pixel of the result: libwebp compares a frame with the last
FLAGS, WEBP_ALPHA = 20, 0b0001_0000  # where in a WebP its flags are, and the one for transparency
TURNED = 4  # bytes for each pixel of a frame that is turned upright
UPLOAD_COPIES = 2  # bytes for each byte of the upload: libwebp keeps all frames, and then copies them into a file


@dataclass(frozen=True, slots=True)
class Shape:
    """What is to be seen of each frame: the part `area` of it when it is upright, at `size`, both in pixels."""

    size: Size
    area: Box


class Frames(Image.Image):
    """The animation as Pillow's encoder walks through it: `seek` renders the frame that is asked for.

    `durations` (milliseconds) fills up on the way; the encoder looks at each after its frame.
    """

    def __init__(self, upload: Upload, moving: Moving, shape: Shape, parent: Parent) -> None:
        """Show the frames of an upload, which is `moving`."""
        super().__init__()
        self.n_frames = moving.count
        self.durations: list[int] = []
        self.is_transparent = False
        self._frames: Iterator[Frame] = moving.frames()
        self._number = -1
        self._shape = shape
        self._parent = parent
        self._upload = upload
        self.seek(0)

    def seek(self, frame: int) -> None:
        """Render a frame: the encoder asks for one after the other, and returns to the first when it is done."""
        if frame > self._number:
            self._number = frame
            self._show(next(self._frames))

    def tell(self) -> int:
        """Where the encoder begins, and returns to."""
        return 0

    def _show(self, frame: Frame) -> None:
        upright = turned(frame.pixels, self._upload.orientation)
        pixels = upright.resize(self._shape.size, Resampling.LANCZOS, box=self._shape.area, reducing_gap=2.0)
        shown = to_srgb(pixels, self._upload.profile)
        self.im, self._mode, self._size = shown.im, shown.mode, shown.size
        self.durations.append(frame.duration)
        self.is_transparent = self.is_transparent or not is_opaque(shown)
        self._parent.progress(100 * self._number / self.n_frames)


def fitted(size: Size, box: Size) -> Shape:
    """All of each frame, inside the box."""
    return Shape(scaled(size, fit_scale(size, box)), (0, 0, *size))


def need(upload: Upload, size: Size, stored: int) -> int:
    """The bytes of memory for an animation of this size, made of `stored` bytes."""
    a_pixel = BYTES_A_PIXEL[upload.kind] + (0 if upload.orientation == UPRIGHT else TURNED)
    frames = upload.size[0] * upload.size[1] * a_pixel + size[0] * size[1] * OUTPUT_COPIES
    return BASE + frames + stored * UPLOAD_COPIES


def animate(frames: Frames, variant: str, quality: int, plays: int) -> Written:
    """Write `<variant>.webp`, to be shown `plays` times (0: for ever)."""
    path = Path(f"{variant}.webp")
    options: dict[str, Any] = {"loop": plays, "quality": quality, "method": 2}
    with encoding("webp", frames.size):
        frames.save(path, "WEBP", save_all=True, duration=frames.durations, background=(0, 0, 0, 0), **options)
    if frames.is_transparent:
        _declare(path)
    return written(path, variant, "webp", frames.size)


def _declare(path: Path) -> None:
    """Say in the file's header (VP8X, RFC 9649) that something of it is transparent.

    libwebp does not where all that it stores is opaque, and what it left out is what is transparent.
    """
    with path.open("r+b") as file:
        head = file.read(FLAGS + 1)
        if head[12:16] == b"VP8X":
            file.seek(FLAGS)
            file.write(bytes([head[FLAGS] | WEBP_ALPHA]))


def first_frame(upload: Upload) -> Source:
    """The first frame as an image of its own."""
    pixels, box = upload.pixels()
    return Source(resizable(pixels), box, upload.size, upload.mode, upload.orientation, upload.profile)
