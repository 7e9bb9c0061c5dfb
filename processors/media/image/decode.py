"""Opening and decoding: what is taken, up to which size, and no more pixels than the results need."""

from __future__ import annotations

import importlib
import mmap
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from processors.media.image import webp
from processors.media.image.gif import Gif
from processors.media.image.image_kind import kind_of
from processors.media.image.opened_image import loaded
from processors.media.image.png import Png
from processors.media.image.still import open_still
from processors.media.image.write import ENCODING
from processors.media.sandbox.limits import PROBING
from processors.media.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from processors.media.image.opened_image import Box, Size, Upload
    from processors.media.sandbox.protocol import Parent

# Loaded here, in the process that children are forked from, and not by each of them again.
Image.preinit()
for _plugin in ("AvifImagePlugin", "IcoImagePlugin", "MpoImagePlugin", "WebPImagePlugin"):
    importlib.import_module(f"PIL.{_plugin}")

Image.MAX_IMAGE_PIXELS = None  # the limits are here
MAX_PIXELS = 100_000_000
MAX_JPEG_PIXELS = 268_000_000  # is decoded at a fraction, so that phones' 200 megapixels take no more than others
MAX_SIDE = 32_767  # pixels
RENDERING = 9  # bytes for each pixel of the largest result: resized, then turned or put on a background
OPAQUE = 255
LYING = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class Source:
    """A decoded image, still as the camera lay: `box` is the part of `pixels` that the image fills.

    `full` and `mode` are the file's, of which `pixels` may be a fraction. `profile` is an ICC profile or empty.
    """

    pixels: Image.Image
    box: Box
    full: Size
    mode: str
    orientation: int
    profile: bytes

    @property
    def lying(self) -> bool:
        """Whether width and height change places when the image is turned upright."""
        return self.orientation in LYING

    @property
    def upright(self) -> Size:
        """The size in the file, turned upright."""
        return self.full[::-1] if self.lying else self.full


@contextmanager
def opened(path: Path, parent: Parent) -> Iterator[Upload]:
    """The image, its size checked and nothing decoded yet. Raises RefusedError."""
    kind = kind_of(path)
    if kind == "WEBP":
        size = webp.size_of(path)
        _check_size(size, MAX_PIXELS)
        parent.allow(PROBING + size[0] * size[1] * webp.COPIES)
    with ExitStack() as closed:
        upload = _open(path, kind, closed)
        _check_size(upload.size, MAX_JPEG_PIXELS if kind == "JPEG" else MAX_PIXELS)
        yield upload


def _open(path: Path, kind: str, closed: ExitStack) -> Upload:
    if kind in {"GIF", "PNG"}:
        file = closed.enter_context(path.open("rb"))
        data = closed.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return Gif(data) if kind == "GIF" else Png(data)
    if kind in {"TIFF", "SVG"}:
        vips = loaded("processors.media.image.vips", "TIFF and SVG need the packages pyvips and pyvips-binary")
        upload: Upload = (vips.Tiff if kind == "TIFF" else vips.Svg)(path)
        return upload
    still = open_still(path, kind)
    closed.enter_context(still.image)
    return still


def decode(upload: Upload, scale: float, formats: Collection[str], parent: Parent) -> Source:
    """Decode the first frame for results at up to `scale` of it (1: as large as it is), once memory is there.

    `formats` are those of the results.
    """
    rendering = RENDERING + max(ENCODING[form] for form in formats)  # bytes for each pixel of the largest result
    full = upload.size
    parent.reserve(upload.prepare(scale, formats) + round(full[0] * full[1] * scale**2) * rendering)
    pixels, box = upload.pixels()
    return Source(resizable(pixels), box, full, upload.mode, upload.orientation, upload.profile)


def resizable(image: Image.Image) -> Image.Image:
    """The pixels in a mode that can be resampled: L, RGB, YCbCr, RGBA or CMYK. RGBA has something transparent."""
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        return image.convert("RGB") if is_opaque(image) else image
    if image.mode in {"L", "RGB", "YCbCr", "CMYK"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def is_opaque(image: Image.Image) -> bool:
    """Whether nothing of it is transparent."""
    return image.mode != "RGBA" or image.getchannel("A").getextrema()[0] == OPAQUE


def _check_size(size: Size, most: int) -> None:
    if size[0] * size[1] > most:
        msg = f"the image has more than {most // 1_000_000} million pixels"
        raise RefusedError(msg)
    if max(size) > MAX_SIDE:
        msg = f"the image is wider or higher than {MAX_SIDE:,} pixels"
        raise RefusedError(msg)
    if 0 in size:
        msg = "the image has no pixels"
        raise RefusedError(msg)
