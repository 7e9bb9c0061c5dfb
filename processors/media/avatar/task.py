"""One upload to square pictures, the largest first and each smaller one from the one before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.image.animation import Frames, Shape, animate, count_frames, first_frame, first_of, loops, need
from processors.media.image.decode import decode, is_animated, kind, opened, orientation_of, refusing
from processors.media.image.facts import facts_of
from processors.media.image.render import cover_scale, cut, part_of, render, upright_size
from processors.media.image.write import Written, save

if TYPE_CHECKING:
    from PIL import Image, ImageFile

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
    animation: str


def run(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Make the avatars from the file `source`. A picture that is smaller than a size is not enlarged for it."""
    wishes = Wishes(**arguments)
    largest = max(wishes.sizes)
    with refusing(), opened(SOURCE) as picture:
        own, moving = kind(picture), is_animated(picture)
        if moving and wishes.animation == "keep" and "webp" in wishes.formats:
            return _moving(picture, wishes, parent) | {"animation": "kept", "kind": own}
        if moving:
            picture.seek(first_of(picture))
        size = upright_size(picture.size, orientation_of(picture))
        scale = cover_scale(size, (largest, largest))
        source = decode(picture, scale, wishes.formats, parent)
    square = cut(render(source, scale, wishes.background), (largest, largest), wishes.crop)
    files = _stills(square, wishes, wishes.formats)
    return _report(files, square) | {"animation": "first-frame" if moving else None, "kind": own}


def _stills(square: Image.Image, wishes: Wishes, formats: list[str]) -> list[Written]:
    files: list[Written] = []
    for side in sorted(wishes.sizes, reverse=True):
        square = cut(square, (side, side), "center") if side < square.width else square
        files += [save(square, str(side), form, wishes.quality) for form in formats]
    return files


def _moving(picture: ImageFile.ImageFile, wishes: Wishes, parent: Parent) -> dict[str, Any]:
    """WebP that moves in each size; what the first frame has there is seen of all. JPEG has that frame alone."""
    largest, count = max(wishes.sizes), count_frames(picture)
    side = min(largest, *picture.size)
    parent.reserve(need(picture, (side, side), SOURCE.stat().st_size))
    first = render(first_frame(picture), 1.0, wishes.background)
    square = cut(first, (largest, largest), wishes.crop)
    files = _stills(square, wishes, [form for form in wishes.formats if form != "webp"])
    for side in wishes.sizes:
        frames = Frames(picture, count, Shape(*part_of(first, (side, side), wishes.crop)), parent)
        files.append(animate(frames, str(side), wishes.quality, loops(picture)))
    return _report(sorted(files, key=lambda file: (-int(file.variant), wishes.formats.index(file.format))), square)


def _report(files: list[Written], square: Image.Image) -> dict[str, Any]:
    return {"files": [file.to_json() for file in files]} | facts_of(square)
