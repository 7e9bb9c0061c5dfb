"""One upload to square images, the largest first and each smaller one from the one before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.image.animation import Frames, Shape, animate, first_frame, need
from processors.media.image.decode import decode, opened
from processors.media.image.preview import facts_of
from processors.media.image.render import cover_scale, cut, part_of, render, upright_size
from processors.media.image.write import Written, save

if TYPE_CHECKING:
    from PIL import Image

    from processors.media.image.opened_image import Moving, Upload
    from processors.media.sandbox.protocol import Parent

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
    """Make the avatars from the file `source`. An image that is smaller than a size is not enlarged for it."""
    wishes = Wishes(**arguments)
    largest = max(wishes.sizes)
    with opened(SOURCE, parent) as upload:
        own, moving = upload.kind, upload.moving
        if moving and wishes.animation == "keep" and "webp" in wishes.formats:
            return _moving(upload, moving, wishes, parent) | {"animation": "kept", "kind": own}
        size = upright_size(upload.size, upload.orientation)
        scale = cover_scale(size, (largest, largest))
        source = decode(upload, scale, wishes.formats, parent)
    square = cut(render(source, scale, wishes.background), (largest, largest), wishes.crop)
    files = _stills(square, wishes, wishes.formats)
    return _report(files, square) | {"animation": "first-frame" if moving else None, "kind": own}


def _stills(square: Image.Image, wishes: Wishes, formats: list[str]) -> list[Written]:
    files: list[Written] = []
    for side in sorted(wishes.sizes, reverse=True):
        square = cut(square, (side, side), "center") if side < square.width else square
        files += [save(square, str(side), form, wishes.quality) for form in formats]
    return files


def _moving(upload: Upload, moving: Moving, wishes: Wishes, parent: Parent) -> dict[str, Any]:
    """WebP that moves in each size; what the first frame has there is seen of all. JPEG has that frame alone."""
    moving.check(upload.size)
    largest = max(wishes.sizes)
    side = min(largest, *upload.size)
    parent.reserve(need(upload, (side, side), SOURCE.stat().st_size))
    first = render(first_frame(upload), 1.0, wishes.background)
    square = cut(first, (largest, largest), wishes.crop)
    files = _stills(square, wishes, [form for form in wishes.formats if form != "webp"])
    for side in wishes.sizes:
        frames = Frames(upload, moving, Shape(*part_of(first, (side, side), wishes.crop)), parent)
        files.append(animate(frames, str(side), wishes.quality, moving.plays))
    return _report(sorted(files, key=lambda file: (-int(file.variant), wishes.formats.index(file.format))), square)


def _report(files: list[Written], square: Image.Image) -> dict[str, Any]:
    return {"files": [file.to_json() for file in files]} | facts_of(square)
