"""Results as files: pixels and nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def save(picture: Image.Image, variant: str, form: str, quality: int, **options: Any) -> Written:
    """Write `<variant>.<extension>` with the encoder for `form` (jpeg, webp, avif, png)."""
    encoder, extension, _ = KINDS[form]
    path = Path(f"{variant}.{extension}")
    if picture.mode == "YCbCr" and form != "jpeg":
        picture = picture.convert("RGB")
    picture.info = {}  # Pillow writes a comment, a resolution and a profile that it finds there
    picture.save(path, encoder, **({"quality": quality} if form != "png" else {}), **OPTIONS.get(form, {}), **options)
    return written(path, variant, form, picture.size)


def written(path: Path, variant: str, form: str, size: tuple[int, int]) -> Written:
    """What has been written."""
    return Written(variant, path.name, form, KINDS[form][2], *size, path.stat().st_size)
