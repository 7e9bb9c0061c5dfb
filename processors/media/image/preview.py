"""What a page can show before an image has loaded: a BlurHash and the dominant colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import blurhash
from PIL.Image import Quantize, Resampling

if TYPE_CHECKING:
    from PIL import Image

SMALL = (32, 24)
TINY = (16, 12)  # Python computes a BlurHash pixel by pixel: 2 ms
COMPONENTS = (4, 3)
COLOURS = 8


def facts_of(image: Image.Image) -> dict[str, str]:
    """The BlurHash and the dominant colour, as fields of a report."""
    small = image.resize(SMALL, Resampling.BOX, reducing_gap=2.0).convert("RGB")
    return {"blurhash": _blurhash(small), "dominantColor": _dominant_colour(small)}


def _blurhash(small: Image.Image) -> str:
    """The BlurHash (https://blurha.sh) of 4 by 3 components."""
    pixels = small.resize(TINY, Resampling.BOX).tobytes()
    rows = [
        [pixels[at : at + 3] for at in range(row, row + 3 * TINY[0], 3)] for row in range(0, len(pixels), 3 * TINY[0])
    ]
    return str(blurhash.encode(rows, components_x=COMPONENTS[0], components_y=COMPONENTS[1]))


def _dominant_colour(small: Image.Image) -> str:
    """The most frequent colour as `#rrggbb`, after the image was reduced to eight colours."""
    poor = small.quantize(COLOURS, Quantize.MEDIANCUT)
    counts = poor.getcolors() or []
    index = int(str(max(counts)[1]))
    palette = poor.getpalette() or []
    return "#{:02x}{:02x}{:02x}".format(*palette[3 * index : 3 * index + 3])
