"""Writing results: files that hold pixels and nothing else."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.image.opened_image import NO_MEMORY
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

# format -> Pillow's name, file extension, content type
KINDS = {
    "jpeg": ("JPEG", "jpg", "image/jpeg"),
    "webp": ("WEBP", "webp", "image/webp"),
    "avif": ("AVIF", "avif", "image/avif"),
    "png": ("PNG", "png", "image/png"),
    "gif": ("GIF", "gif", "image/gif"),
}
# Bytes of memory for each pixel, measured with Pillow 13. A JPEG needs its 4 only if it is progressive.
ENCODING = {"jpeg": 4, "png": 1, "webp": 20, "avif": 32}
LARGEST_WEBP = 16_383  # pixels
OPTIONS: dict[str, dict[str, Any]] = {"webp": {"method": 4}, "avif": {"speed": 8}, "png": {"optimize": True}}


@dataclass(frozen=True, slots=True)
class Written:
    """A result: a file in the task's folder. `bytes` is its size, `width` and `height` are in pixels."""

    variant: str
    name: str
    format: str
    content_type: str
    width: int
    height: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """As it stands in the report."""
        values = asdict(self)
        return values | {"contentType": values.pop("content_type")}


def save(image: Image.Image, variant: str, image_format: str, quality: int, **options: Any) -> Written:
    """Write `<variant>.<extension>` with the encoder for `image_format` (jpeg, webp, avif, png)."""
    encoder, extension, _ = KINDS[image_format]
    path = Path(f"{variant}.{extension}")
    if image.mode == "YCbCr" and image_format != "jpeg":
        image = image.convert("RGB")
    image.info = {}  # Pillow would write the comment, resolution and profile that are in it
    quality_of = {} if image_format == "png" else {"quality": quality}
    with encoding(image_format, image.size):
        image.save(path, encoder, **quality_of, **OPTIONS.get(image_format, {}), **options)
    return written(path, variant, image_format, image.size)


@contextmanager
def encoding(image_format: str, size: tuple[int, int]) -> Iterator[None]:
    """Around an encoder. Raises RefusedError for a size that the format can't have, MemoryError if memory ran out."""
    if image_format == "webp" and max(size) > LARGEST_WEBP:
        msg = f"a WebP is at most {LARGEST_WEBP:,} pixels wide and high"
        raise RefusedError(msg)
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        if NO_MEMORY.search(str(error)):
            raise MemoryError from error
        raise


def written(path: Path, variant: str, image_format: str, size: tuple[int, int]) -> Written:
    """Describe a file that has been written."""
    return Written(variant, path.name, image_format, KINDS[image_format][2], *size, path.stat().st_size)
