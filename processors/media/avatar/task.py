"""One upload to square pictures, the largest first and each smaller one from the one before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.image.decode import decode, is_animated, kind, opened, orientation_of, refusing
from processors.media.image.facts import blurhash_of, dominant_colour
from processors.media.image.render import cover_scale, cut, render, upright_size
from processors.media.image.write import ENCODING, Written, save

if TYPE_CHECKING:
    from PIL import Image

    from processors.media.sandbox.wire import Parent

SOURCE = Path("source")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to be made; see AvatarOptions, which has checked it. `sizes` are in pixels."""

    sizes: list[int]
    formats: list[str]
    crop: str
    background: str
    quality: int


def run(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Make the avatars from the file `source`. A picture that is smaller than a size is not enlarged for it."""
    wishes = Wishes(**arguments)
    largest = max(wishes.sizes)
    with refusing(), opened(SOURCE) as picture:
        own, moving = kind(picture), is_animated(picture)
        size = upright_size(picture.size, orientation_of(picture))
        scale = cover_scale(size, (largest, largest))
        source = decode(picture, scale, max(ENCODING[form] for form in wishes.formats), parent)
    square = cut(render(source, scale, wishes.background), (largest, largest), wishes.crop)
    files: list[Written] = []
    for side in sorted(wishes.sizes, reverse=True):
        square = cut(square, (side, side), "center") if side < square.width else square
        files += _saved(square, side, wishes)
    return {
        "files": [file.to_json() for file in files],
        "blurhash": blurhash_of(square),
        "dominantColor": dominant_colour(square),
        "animation": "first-frame" if moving else None,
        "kind": own,
    }


def _saved(square: Image.Image, side: int, wishes: Wishes) -> list[Written]:
    return [save(square, str(side), form, wishes.quality) for form in wishes.formats]
