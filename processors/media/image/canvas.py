"""Animations that store what changes: each frame a part of the image, laid over or put in place of those before."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from processors.media.image.opened_image import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from processors.media.image.opened_image import Size

CLEAR = (0, 0, 0, 0)
COMPOSED = 25  # bytes of memory for each pixel: the image, a frame, and both where they meet


class Dispose(enum.Enum):
    """What becomes of a part before the next one."""

    KEEP = enum.auto()
    CLEAR = enum.auto()
    RESTORE = enum.auto()


@dataclass(frozen=True, slots=True)
class Part:
    """A frame as it is stored: where it lies, in pixels, and for how many milliseconds it is seen.

    `draw` gives its pixels as RGBA; `over` says whether what is beneath shows through.
    """

    place: tuple[int, int]
    size: Size
    duration: int
    dispose: Dispose
    over: bool
    draw: Callable[[], Image.Image]


def composed(size: Size, parts: Iterable[Part]) -> Iterator[Frame]:
    """Each frame as it is seen. Where nothing has been drawn it is transparent, as in browsers."""
    canvas = Image.new("RGBA", size, CLEAR)
    for part in parts:
        before = canvas.copy() if part.dispose is Dispose.RESTORE else None
        if part.over:
            canvas.alpha_composite(part.draw(), part.place)
        else:
            canvas.paste(part.draw(), part.place)
        yield Frame(canvas, part.duration)
        if part.dispose is Dispose.CLEAR:
            left, top = part.place
            canvas.paste(CLEAR, (left, top, left + part.size[0], top + part.size[1]))
        elif before is not None:
            canvas = before
