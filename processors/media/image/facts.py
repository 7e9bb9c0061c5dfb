"""What a page wants to know of a picture before it has loaded it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import blurhash
from PIL.Image import Quantize, Resampling

if TYPE_CHECKING:
    from PIL import Image

SMALL = (32, 24)
TINY = (16, 12)  # a BlurHash is computed pixel by pixel in Python: 2 ms
COMPONENTS = (4, 3)
COLOURS = 8


def blurhash_of(picture: Image.Image) -> str:
    """The BlurHash (blurha.sh), 4 by 3 components, of an RGB picture."""
    small = picture.resize(TINY, Resampling.BOX)
    pixels = small.tobytes()
    rows = [
        [pixels[at : at + 3] for at in range(row, row + 3 * TINY[0], 3)] for row in range(0, len(pixels), 3 * TINY[0])
    ]
    return str(blurhash.encode(rows, components_x=COMPONENTS[0], components_y=COMPONENTS[1]))


def dominant_colour(picture: Image.Image) -> str:
    """The most frequent of eight colours that stand for all, as `#rrggbb`, of an RGB picture."""
    small = picture.resize(SMALL, Resampling.BOX).quantize(COLOURS, Quantize.MEDIANCUT)
    counts = small.getcolors() or []
    index = int(str(max(counts)[1]))
    palette = small.getpalette() or []
    return "#{:02x}{:02x}{:02x}".format(*palette[3 * index : 3 * index + 3])
