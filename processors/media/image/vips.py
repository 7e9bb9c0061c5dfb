"""What libvips opens: TIFF, of which Pillow knows fewer kinds, and SVG, which librsvg draws.

libvips is not preloaded: a child that needs it loads it in a tenth of a second. The loaders are called by name, so that
no other loader of libvips reads the bytes. An SVG is drawn from memory and has no base URL: librsvg reads no file and
calls no server for it, and its XML parser expands only the file's own entities.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyvips
from PIL import Image

from processors.media.image.opened_image import BASE, UPRIGHT, Box, OpenedImage
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

LARGEST_SVG = 4 * MEBIBYTE  # bytes; in memory it becomes many times as large
SIDE = 2048  # pixels: the longer side of an SVG, which has no pixels of its own
SVG_BASE, SVG_PIXEL = 48 * MEBIBYTE, 24  # bytes of memory: for elements and fonts, and for each drawn pixel
TIFF_BASE, TIFF_PIXEL = 24 * MEBIBYTE, 12  # the same; the latter for each pixel after shrinking
ALPHA = 4  # bands of an image with transparency
FORMATS = {"uchar": 1, "char": 1, "ushort": 2, "short": 2, "uint": 4, "int": 4, "float": 4}  # bytes of a number


class Tiff(OpenedImage):
    """The first page of a TIFF, shrunk while it is read."""

    kind = "TIFF"
    mode = "TIFF"

    def __init__(self, path: Path) -> None:
        """Read the header. Raises RefusedError."""
        self._path = path
        with refuse_damage("the image is damaged"):
            opened = self._opened()
            self.size = opened.width, opened.height
            self.orientation = opened.get("orientation") if opened.get_typeof("orientation") else UPRIGHT
            self._bytes: int = opened.width * opened.height * opened.bands * FORMATS.get(opened.format, 8)
        self._shrink = 1

    def prepare(self, scale: float, formats: Collection[str]) -> int:  # noqa: ARG002 -- results are all alike
        """See OpenedImage. A file may store all pixels in one strip, which is unpacked as a whole."""
        self._shrink = max(1, int(1 / scale))
        left = self.size[0] * self.size[1] // self._shrink**2
        return BASE + TIFF_BASE + self._bytes + left * TIFF_PIXEL

    def pixels(self) -> tuple[Image.Image, Box]:
        """See OpenedImage."""
        with refuse_damage("the image is damaged"):
            image = _shown(self._opened())
            if self._shrink > 1:
                image = _shrunk(image, self._shrink)
            return _to_pillow(image)

    def _opened(self) -> pyvips.Image:
        """Open the file to be read once, from top to bottom."""
        return pyvips.Image.tiffload(str(self._path), access="sequential", fail_on="error")


class Svg(OpenedImage):
    """An SVG."""

    kind = "SVG"
    mode = "SVG"

    def __init__(self, path: Path) -> None:
        """Parse it, without drawing. Raises RefusedError."""
        if path.stat().st_size > LARGEST_SVG:
            msg = f"the SVG is larger than {LARGEST_SVG // MEBIBYTE} MiB"
            raise RefusedError(msg)
        self._data = path.read_bytes()
        with refuse_damage("the SVG can't be drawn"):
            own = pyvips.Image.svgload_buffer(self._data)
            self._whole = SIDE / max(own.width, own.height)
            self.size = max(1, round(own.width * self._whole)), max(1, round(own.height * self._whole))
        self._scale = self._whole

    def prepare(self, scale: float, formats: Collection[str]) -> int:  # noqa: ARG002 -- results are all alike
        """See OpenedImage."""
        self._scale = self._whole * scale
        return BASE + SVG_BASE + round(self.size[0] * self.size[1] * scale**2) * SVG_PIXEL

    def pixels(self) -> tuple[Image.Image, Box]:
        """See OpenedImage."""
        with refuse_damage("the SVG can't be drawn"):
            return _to_pillow(pyvips.Image.svgload_buffer(self._data, scale=self._scale))


@contextmanager
def refuse_damage(words: str) -> Iterator[None]:
    """Turn libvips' errors into RefusedError; `words` begin the reason."""
    try:
        yield
    except pyvips.Error as error:
        said = (error.detail or error.message).strip()
        msg = f"{words}: {said.splitlines()[0] if said else type(error).__name__}"  # libvips repeats the same line
        raise RefusedError(msg) from error


def _shown(image: pyvips.Image) -> pyvips.Image:
    """The image in sRGB with eight bits."""
    own = {"input_profile": "cmyk"} if image.interpretation == "cmyk" else {}  # for CMYK without a profile
    if own or image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True, intent="perceptual", **own)
    return image.colourspace("srgb").cast("uchar")


def _shrunk(image: pyvips.Image, factor: int) -> pyvips.Image:
    """Shrunk by averaging, with colours weighted by alpha so that hidden ones don't bleed."""
    if not image.hasalpha():
        return image.shrink(factor, factor)
    return image.premultiply().shrink(factor, factor).unpremultiply().cast("uchar")


def _to_pillow(image: pyvips.Image) -> tuple[Image.Image, Box]:
    mode = "RGBA" if image.bands >= ALPHA else "RGB"
    image = image[: len(mode)]
    size = image.width, image.height
    return Image.frombuffer(mode, size, image.write_to_memory(), "raw", mode, 0, 1), (0, 0, *size)
