"""One upload to two JPEGs: a compressed one and a thumbnail. Runs in a child process, by the sandbox.

    python -m processors.media.image SOURCE COMPRESSED THUMBNAIL

prints JSON: the compressed picture's size in pixels, or with exit status 65 why the picture is refused. It imports
Pillow and little else, to start fast.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.Image import Resampling, Transpose

from processors.media.refusal import REFUSED_STATUS, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
# Hardening of this limit (by format: a pixel of WebP costs four times one of PNG) is a later issue.
MAX_PIXELS = 50_000_000
COMPRESSED, COMPRESSED_QUALITY = (1920, 1080), 85
THUMBNAIL, THUMBNAIL_QUALITY = (320, 240), 75

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_LYING = frozenset({5, 6, 7, 8})

Size = tuple[int, int]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Source:
    """A decoded picture, still as the camera lay: `box` is the part of `pixels` that the picture fills.

    `full` is the size in the file, of which `pixels` may be a fraction. `profile` is an ICC profile or empty.
    """

    pixels: Image.Image
    box: Box
    full: Size
    orientation: int
    profile: bytes

    @property
    def lying(self) -> bool:
        """Whether width and height change places when the picture is turned upright."""
        return self.orientation in _LYING


def encode(source: Path, compressed: Path, thumbnail: Path) -> Size:
    """Write both JPEGs; returns the compressed one's size in pixels. Raises RefusedError.

    Nothing is enlarged. The result is upright, in sRGB, on white, and holds no metadata.
    """
    with _refusing():
        picture = decode(source)
    frame = render(picture, fitted(picture))
    save(frame, compressed, COMPRESSED_QUALITY)
    save(cut(_large_enough(picture, frame)), thumbnail, THUMBNAIL_QUALITY)
    return frame.size


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what Pillow says of bad input into RefusedError; a fault of the system (it has a number) stays one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except UnidentifiedImageError as error:
        msg = f"not a picture in one of the formats {', '.join(FORMATS)}"
        raise RefusedError(msg) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise RefusedError(_too_large()) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        if getattr(error, "errno", None) is not None:
            raise
        msg = f"the picture is damaged: {error}"
        raise RefusedError(msg) from error


def _too_large() -> str:
    return f"the picture has more than {MAX_PIXELS // 1_000_000} million pixels"


def decode(path: Path) -> Source:
    """Decode the first frame, no larger than the results need. Raises RefusedError and Pillow's errors."""
    with Image.open(path, formats=FORMATS) as picture:
        full = picture.size
        _check_size(full)
        orientation = _orientation(picture)
        profile = picture.info.get("icc_profile") or b""
        # Only JPEG has drafts: decoding at 1/2, 1/4 or 1/8 takes a half of the time. Image.thumbnail() asks for twice
        # the target, and so decodes 12 megapixels in full.
        scale = max(_fit_scale(full, orientation), _cover_scale(full, orientation))
        draft = picture.draft(None, _scaled(full, scale))
        picture.load()
        box = draft[1] if draft else (0, 0, *picture.size)
        return Source(_resizable(picture), box, full, orientation, profile)


def _check_size(size: Size) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise RefusedError(_too_large())
    if 0 in size:
        msg = "the picture has no pixels"
        raise RefusedError(msg)


def _orientation(picture: Image.Image) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except (SyntaxError, ValueError, TypeError, KeyError, struct.error):
        return 1  # damaged EXIF data is no reason to refuse the picture


def _resizable(picture: Image.Image) -> Image.Image:
    """The pixels in a mode that can be resampled: L, RGB, RGBA or CMYK."""
    if picture.mode.startswith("I"):
        # 16 bits of grey: convert() alone takes all above 255 for white.
        return picture.point(lambda value: value / 256).convert("L")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if picture.mode in {"L", "RGB", "CMYK"}:
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _fit_scale(full: Size, orientation: int) -> float:
    width, height = _target(COMPRESSED, orientation)
    return min(1.0, width / full[0], height / full[1])


def _cover_scale(full: Size, orientation: int) -> float:
    width, height = _target(THUMBNAIL, orientation)
    return min(1.0, max(width / full[0], height / full[1]))


def _target(size: Size, orientation: int) -> Size:
    return size[::-1] if orientation in _LYING else size


def _scaled(size: Size, scale: float) -> Size:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def fitted(picture: Source) -> Size:
    """The size (lying as the source does) at which the upright picture fits inside 1920x1080, never enlarged."""
    return _scaled(picture.full, _fit_scale(picture.full, picture.orientation))


def render(picture: Source, size: Size) -> Image.Image:
    """The whole picture at `size`: resized, put on white, converted to sRGB and turned upright, in that order.

    Resizing comes first, so that the rest works on few pixels.
    """
    resized = picture.pixels.resize(size, Resampling.LANCZOS, box=picture.box)
    frame = to_srgb(_on_white(resized), picture.profile)
    turn = _UPRIGHT.get(picture.orientation)
    return frame if turn is None else frame.transpose(turn)


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The picture's colours as sRGB. A profile that is damaged or of another kind of picture is left out."""
    if not profile:
        return picture.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return picture.convert("RGB")
        converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture.convert("RGB")
    return converted or picture


def _large_enough(picture: Source, frame: Image.Image) -> Image.Image:
    """What the thumbnail is cut from: the frame, unless the picture is so long that the frame is too narrow."""
    size = _scaled(picture.full, _cover_scale(picture.full, picture.orientation))
    needed = size[::-1] if picture.lying else size
    return frame if frame.width >= needed[0] and frame.height >= needed[1] else render(picture, size)


def cut(picture: Image.Image) -> Image.Image:
    """The middle of the picture in the thumbnail's proportions, at most 320x240 and never enlarged."""
    scale = min(picture.width / THUMBNAIL[0], picture.height / THUMBNAIL[1])
    width, height = THUMBNAIL[0] * scale, THUMBNAIL[1] * scale
    left, top = (picture.width - width) / 2, (picture.height - height) / 2
    size = _scaled(THUMBNAIL, min(1.0, scale))
    return picture.resize(size, Resampling.LANCZOS, box=(left, top, left + width, top + height), reducing_gap=2.0)


def save(picture: Image.Image, path: Path, quality: int) -> None:
    """Write a JPEG that holds pixels and nothing else."""
    picture.info = {}  # Pillow writes a comment and a resolution that it finds there
    picture.save(path, "JPEG", quality=quality)


def main(arguments: list[str]) -> int:
    """Encode, and report on stdout; returns the exit status."""
    source, compressed, thumbnail = map(Path, arguments)
    try:
        width, height = encode(source, compressed, thumbnail)
    except RefusedError as error:
        json.dump({"refused": " ".join(str(error).split())}, sys.stdout)
        return REFUSED_STATUS
    json.dump({"width": width, "height": height}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
