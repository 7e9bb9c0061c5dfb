"""The avatar task: square images of several sizes, the largest first, each smaller one made of the one before."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.image.animation import Frames, Shape, animate, first_frame, need
from processors.media.image.decode import decode, opened
from processors.media.image.preview import facts_of
from processors.media.image.render import cover_scale, crop_area, crop_to, render, upright_size
from processors.media.image.write import Written, save

if TYPE_CHECKING:
    from PIL import Image

    from processors.media.image.opened_image import Animation, OpenedImage
    from processors.sandbox.protocol import Parent

SOURCE = Path("source")


@dataclass(frozen=True, slots=True)
class Options:
    """What to make; AvatarOptions has checked it. `sizes` are in pixels."""

    sizes: list[int]
    formats: list[str]
    crop: str
    background: str
    quality: int
    animation: str


def run(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Make the avatars of the file `source`; returns the report. Raises RefusedError.

    `arguments` are the fields of Options. An upload that is smaller than a size is not enlarged.
    """
    options = Options(**arguments)
    largest = max(options.sizes)
    with opened(SOURCE, parent) as image:
        kind, animation = image.kind, image.animation
        if animation and options.animation == "keep" and "webp" in options.formats:
            return _animated(image, animation, options, parent) | {"animation": "kept", "kind": kind}
        size = upright_size(image.size, image.orientation)
        scale = cover_scale(size, (largest, largest))
        decoded = decode(image, scale, options.formats, parent)
    square = crop_to(render(decoded, scale, options.background), (largest, largest), options.crop)
    files = _stills(square, options, options.formats)
    return _report(files, square) | {"animation": "first-frame" if animation else None, "kind": kind}


def _stills(square: Image.Image, options: Options, formats: list[str]) -> list[Written]:
    files: list[Written] = []
    for side in sorted(options.sizes, reverse=True):
        square = crop_to(square, (side, side), "center") if side < square.width else square
        files += [save(square, str(side), image_format, options.quality) for image_format in formats]
    return files


def _animated(image: OpenedImage, animation: Animation, options: Options, parent: Parent) -> dict[str, Any]:
    """An animated WebP of each size, cropped to the same area as the first frame; JPEGs show that frame only."""
    animation.check(image.size)
    largest = max(options.sizes)
    side = min(largest, *image.size)
    parent.reserve(need(image, (side, side), SOURCE.stat().st_size))
    first = render(first_frame(image), 1.0, options.background)
    square = crop_to(first, (largest, largest), options.crop)
    files = _stills(square, options, [image_format for image_format in options.formats if image_format != "webp"])
    for side in options.sizes:
        frames = Frames(image, animation, Shape(*crop_area(first, (side, side), options.crop)), parent)
        files.append(animate(frames, str(side), options.quality, animation.plays))
    return _report(sorted(files, key=lambda file: (-int(file.variant), options.formats.index(file.format))), square)


def _report(files: list[Written], square: Image.Image) -> dict[str, Any]:
    return {"files": [file.to_json() for file in files]} | facts_of(square)
