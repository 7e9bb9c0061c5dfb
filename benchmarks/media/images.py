"""Photo-like images in the sizes of phones, made from the demo's photo without a download."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageChops

if TYPE_CHECKING:
    from collections.abc import Iterator

PHOTO = Path(__file__).resolve().parents[2] / "demo" / "photo.jpg"
NOISE = 14  # of a sensor: about 2 bits a pixel as a JPEG of quality 92
KINDS: dict[str, tuple[tuple[int, int], str, dict[str, Any]]] = {
    "JPEG, 12 MP": ((4032, 3024), "JPEG", {"quality": 92}),
    "JPEG, 24 MP": ((6000, 4000), "JPEG", {"quality": 93}),
    "progressive JPEG, 12 MP": ((4032, 3024), "JPEG", {"quality": 92, "progressive": True}),
    "PNG, 12 MP": ((4032, 3024), "PNG", {"compress_level": 6}),
    "WebP, 12 MP": ((4032, 3024), "WEBP", {"quality": 90, "method": 2}),
}


def make(folder: Path) -> Iterator[tuple[str, Path]]:
    """The images, as (title, file)."""
    with Image.open(PHOTO) as photo:
        photo.load()
        for number, (title, (size, kind, options)) in enumerate(KINDS.items()):
            path = folder / f"{number}.{kind.lower()}"
            _scene(photo, size).save(path, kind, **options)
            yield title, path


def _scene(photo: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The photo twice side by side, with sharp detail and noise at pixel scale."""
    half = size[0] // 2, size[1]
    scene = Image.new("RGB", size)
    scene.paste(photo.convert("RGB").resize(half, Image.Resampling.LANCZOS), (0, 0))
    scene.paste(photo.convert("RGB").rotate(180).resize(half, Image.Resampling.LANCZOS), (half[0], 0))
    noise = Image.merge("RGB", [Image.effect_noise(size, NOISE) for _ in range(3)])
    return ImageChops.add(scene, noise, 1.0, -128)
