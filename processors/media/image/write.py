"""Results as files: pixels and nothing else."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.image.opened_image import NO_MEMORY
from processors.media.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

# Pillow's name, file extension, content type
KINDS = {
    "jpeg": ("JPEG", "jpg", "image/jpeg"),
    "webp": ("WEBP", "webp", "image/webp"),
    "avif": ("AVIF", "avif", "image/avif"),
    "png": ("PNG", "png", "image/png"),
    "gif": ("GIF", "gif", "image/gif"),
}
# Bytes of memory for each pixel, as measured with Pillow 13; 4 for a JPEG if it is progressive.
ENCODING = {"jpeg": 4, "png": 1, "webp": 20, "avif": 32}
LARGEST_WEBP = 16_383  # pixels
OPTIONS: dict[str, dict[str, Any]] = {"webp": {"method": 4}, "avif": {"speed": 8}, "png": {"optimize": True}}


@dataclass(frozen=True, slots=True)
class Written:
    """One result: a file in the task's folder. `bytes` is its size, `width` and `height` are in pixels."""

    variant: str
    name: str
    format: str
    content_type: str
    width: int
    height: int
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        values = asdict(self)
        return values | {"contentType": values.pop("content_type")}


def save(image: Image.Image, variant: str, form: str, quality: int, **options: Any) -> Written:
    """Write `<variant>.<extension>` with the encoder for `form` (jpeg, webp, avif, png)."""
    encoder, extension, _ = KINDS[form]
    path = Path(f"{variant}.{extension}")
    if image.mode == "YCbCr" and form != "jpeg":
        image = image.convert("RGB")
    image.info = {}  # Pillow writes a comment, a resolution and a profile that it finds there
    quality_of = {} if form == "png" else {"quality": quality}
    with encoding(form, image.size):
        image.save(path, encoder, **quality_of, **OPTIONS.get(form, {}), **options)
    return written(path, variant, form, image.size)


@contextmanager
def encoding(form: str, size: tuple[int, int]) -> Iterator[None]:
    """Where an encoder works. Raises RefusedError for a size that the format has not, MemoryError where it ran out."""
    if form == "webp" and max(size) > LARGEST_WEBP:
        msg = f"a WebP is at most {LARGEST_WEBP:,} pixels wide and high"
        raise RefusedError(msg)
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        if NO_MEMORY.search(str(error)):
            raise MemoryError from error
        raise


def written(path: Path, variant: str, form: str, size: tuple[int, int]) -> Written:
    """What has been written."""
    return Written(variant, path.name, form, KINDS[form][2], *size, path.stat().st_size)
