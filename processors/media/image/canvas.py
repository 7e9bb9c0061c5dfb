"""Animations that store changes only: each frame is a part that is drawn over, or replaces, the image before it."""

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
COMPOSED = 25  # bytes of memory for each pixel: the canvas, a frame, and both combined


class Dispose(enum.Enum):
    """What happens to a part before the next one is drawn."""

    KEEP = enum.auto()
    CLEAR = enum.auto()
    RESTORE = enum.auto()


@dataclass(frozen=True, slots=True)
class Part:
    """A frame as it is stored: `position` and `size` in pixels, `duration` in milliseconds.

    `draw` returns its pixels as RGBA. `over`: it is blended with what is beneath; otherwise it replaces that.
    """

    position: tuple[int, int]
    size: Size
    duration: int
    dispose: Dispose
    over: bool
    draw: Callable[[], Image.Image]


def compose(size: Size, parts: Iterable[Part]) -> Iterator[Frame]:
    """Each frame as it is shown. Where nothing has been drawn it is transparent, as in browsers."""
    canvas = Image.new("RGBA", size, CLEAR)
    for part in parts:
        before = canvas.copy() if part.dispose is Dispose.RESTORE else None
        if part.over:
            canvas.alpha_composite(part.draw(), part.position)
        else:
            canvas.paste(part.draw(), part.position)
        yield Frame(canvas, part.duration)
        if part.dispose is Dispose.CLEAR:
            left, top = part.position
            canvas.paste(CLEAR, (left, top, left + part.size[0], top + part.size[1]))
        elif before is not None:
            canvas = before
