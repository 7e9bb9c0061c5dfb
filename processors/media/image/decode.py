"""Opening and decoding an upload: within the limits of size, and to no more pixels than the results need."""

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
from processors.media.image.opened_image import optional_module
from processors.media.image.png import Png
from processors.media.image.still import open_still
from processors.media.image.write import ENCODING
from processors.sandbox.limits import PROBING
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from processors.media.image.opened_image import Box, OpenedImage, Size
    from processors.sandbox.protocol import Parent

# Loaded here, in the process that children are forked from, so that no child has to load them again.
Image.preinit()
for _plugin in ("AvifImagePlugin", "IcoImagePlugin", "MpoImagePlugin", "WebPImagePlugin"):
    importlib.import_module(f"PIL.{_plugin}")

Image.MAX_IMAGE_PIXELS = None  # the limits below hold instead
MAX_PIXELS = 100_000_000
MAX_JPEG_PIXELS = 268_000_000  # a JPEG is decoded at a fraction, so that 200 megapixels of a phone take no more memory
MAX_SIDE = 32_767  # pixels
RENDERING = 9  # bytes for each pixel of the largest result: to resize it, then to rotate it or put it on a background
OPAQUE = 255
ROTATED = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """A decoded image, not yet rotated upright. `box` is the part of `pixels` that the image fills.

    `full` (the size) and `mode` are those of the file; `pixels` may have a fraction of them. `orientation` is EXIF's,
    `profile` an ICC profile or empty.
    """

    pixels: Image.Image
    box: Box
    full: Size
    mode: str
    orientation: int
    profile: bytes

    @property
    def rotated(self) -> bool:
        """Whether width and height are exchanged when the image is turned upright."""
        return self.orientation in ROTATED

    @property
    def upright(self) -> Size:
        """The size in the file, turned upright."""
        return self.full[::-1] if self.rotated else self.full


@contextmanager
def opened(path: Path, parent: Parent) -> Iterator[OpenedImage]:
    """Open the image and check its size, without decoding it. Raises RefusedError."""
    kind = kind_of(path)
    if kind == "WEBP":
        size = webp.size_of(path)
        _check_size(size, MAX_PIXELS)
        parent.allow(PROBING + size[0] * size[1] * webp.COPIES)
    with ExitStack() as closed:
        image = _open(path, kind, closed)
        _check_size(image.size, MAX_JPEG_PIXELS if kind == "JPEG" else MAX_PIXELS)
        yield image


def _open(path: Path, kind: str, closed: ExitStack) -> OpenedImage:
    if kind in {"GIF", "PNG"}:
        file = closed.enter_context(path.open("rb"))
        data = closed.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return Gif(data) if kind == "GIF" else Png(data)
    if kind in {"TIFF", "SVG"}:
        vips = optional_module("processors.media.image.vips", "TIFF and SVG need the packages pyvips and pyvips-binary")
        image: OpenedImage = (vips.Tiff if kind == "TIFF" else vips.Svg)(path)
        return image
    still = open_still(path, kind)
    closed.enter_context(still.image)
    return still


def decode(image: OpenedImage, scale: float, formats: Collection[str], parent: Parent) -> DecodedImage:
    """Reserve memory, then decode the first frame for results at up to `scale` of its size (1: in full).

    `formats` are those of the results.
    """
    rendering = RENDERING + max(map(ENCODING.__getitem__, formats))  # bytes for each pixel of the largest result
    full = image.size
    parent.reserve(image.prepare(scale, formats) + round(full[0] * full[1] * scale**2) * rendering)
    pixels, box = image.pixels()
    return DecodedImage(resizable(pixels), box, full, image.mode, image.orientation, image.profile)


def resizable(image: Image.Image) -> Image.Image:
    """The pixels in a mode that can be resampled: L, RGB, YCbCr, CMYK, or RGBA if something is transparent."""
    if image.has_transparency_data:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        return image.convert("RGB") if is_opaque(image) else image
    if image.mode in {"L", "RGB", "YCbCr", "CMYK"}:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def is_opaque(image: Image.Image) -> bool:
    """Whether no pixel is transparent."""
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
