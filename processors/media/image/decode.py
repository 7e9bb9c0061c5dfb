"""Opening and decoding: what is taken, up to which size, and no more pixels than the results need."""

from __future__ import annotations

import importlib
import re
import struct
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from processors.media.image.colour import is_srgb
from processors.media.image.original import JPEG_SCAN, jpeg_segments
from processors.media.image.write import ENCODING
from processors.media.sandbox.limits import MEBIBYTE
from processors.media.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from processors.media.sandbox.wire import Parent

# Loaded here, in the process that children are forked from, and not by each of them again.
Image.preinit()
for _plugin in ("AvifImagePlugin", "MpoImagePlugin", "WebPImagePlugin"):
    importlib.import_module(f"PIL.{_plugin}")

Size = tuple[int, int]
Box = tuple[float, float, float, float]

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})
BRANDS = 256  # bytes of a file in which its brands are looked for
MAX_PIXELS = 100_000_000
MAX_SIDE = 32_767  # pixels
# A baseline JPEG has one scan or three, a progressive one about ten. One of 500 takes 26 s in a single call.
MAX_SCANS = 64
# Bytes of memory for each pixel that is decoded, as measured with Pillow 13 (Pillow keeps three copies of a WebP).
BYTES_A_PIXEL = {"JPEG": 4, "PNG": 8, "GIF": 9, "AVIF": 9, "HEIF": 9, "WEBP": 15}
COEFFICIENT = 2  # bytes: of each layer's pixels, in the file, where several scans make up a JPEG
YCBCR = [1, 2, 3]  # a JPEG's numbers for its layers
RENDERING = 9  # bytes for each pixel of the largest result: resized, then turned or put on a background
BASE = 8 * MEBIBYTE  # bytes for everything else

# What hostile bytes lead Python to, in Pillow and in what it calls, beside the errors that it raises on purpose.
MISHAPS = (RuntimeError, ArithmeticError, LookupError, TypeError, AttributeError)
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, *MISHAPS)
# What libwebp, libavif and Pillow say where memory has run out.
NO_MEMORY = re.compile(r"assembling WebP: -3|WebPEncodingError: [12]\b|out of memory", re.IGNORECASE)

ORIENTATION_TAG = 0x0112
UPRIGHT, ORIENTATIONS = 1, range(1, 9)
LYING = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class Source:
    """A decoded picture, still as the camera lay: `box` is the part of `pixels` that the picture fills.

    `full` and `mode` are the file's, of which `pixels` may be a fraction. `profile` is an ICC profile or empty.
    """

    pixels: Image.Image
    box: Box
    full: Size
    mode: str
    orientation: int
    profile: bytes

    @property
    def lying(self) -> bool:
        """Whether width and height change places when the picture is turned upright."""
        return self.orientation in LYING

    @property
    def upright(self) -> Size:
        """The size in the file, turned upright."""
        return self.full[::-1] if self.lying else self.full


@contextmanager
def refusing() -> Iterator[None]:
    """Turn what Pillow says of bad input into RefusedError; a fault of the system (it has a number) stays one.

    Raises MemoryError where a library ran out of it.
    """
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
    except DAMAGE as error:
        if getattr(error, "errno", None) is not None:
            raise
        if NO_MEMORY.search(str(error)):
            raise MemoryError from error
        msg = f"the picture is damaged: {str(error) or type(error).__name__}"
        raise RefusedError(msg) from error


@contextmanager
def opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """The picture, its size checked and nothing decoded yet. Raises RefusedError and Pillow's errors."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    if path.stat().st_size == 0:
        msg = "the file is empty"
        raise RefusedError(msg)
    with Image.open(path, formats=_formats(path)) as picture:
        _check_size(picture.size)
        if kind(picture) == "JPEG":
            picture.info["scans"] = _count_scans(path)
        yield picture


def kind(picture: ImageFile.ImageFile) -> str:
    """The format. A JPEG that holds further pictures (a gain map, a preview) is a JPEG."""
    return "JPEG" if picture.format == "MPO" else picture.format or ""


def is_animated(picture: ImageFile.ImageFile) -> bool:
    """Whether it has frames that follow each other."""
    return kind(picture) not in {"JPEG", "HEIF"} and bool(getattr(picture, "is_animated", False))


def decode(picture: ImageFile.ImageFile, scale: float, formats: Collection[str], parent: Parent) -> Source:
    """Decode the first frame for results at up to `scale` of it (1: as large as it is), once memory is there.

    `formats` are those of the results.
    """
    full = picture.size
    mode, orientation = picture.mode, orientation_of(picture)
    profile = picture.info.get("icc_profile") or b""
    # Only JPEG has drafts: decoding at 1/2, 1/4 or 1/8 takes a half of the time. Image.thumbnail() asks for twice
    # the target, and so decodes 12 megapixels in full.
    draft = picture.draft("YCbCr" if _is_ycbcr(picture, formats) else None, scaled(full, scale))
    rendering = RENDERING + max(ENCODING[form] for form in formats)  # bytes for each pixel of the largest result
    parent.reserve(_need(picture, full) + round(full[0] * full[1] * scale**2) * rendering)
    picture.load()
    box = draft[1] if draft else (0, 0, *picture.size)
    return Source(resizable(picture), box, full, mode, orientation, profile)


def _is_ycbcr(picture: ImageFile.ImageFile, formats: Collection[str]) -> bool:
    """Whether the picture may stay in brightness and two colours, as a JPEG has them, until it is encoded again.

    It may not where the colours need converting, or where a result (PNG) has more of them than a quarter.
    """
    if not isinstance(picture, JpegImageFile) or "png" in formats or not is_srgb(picture.info.get("icc_profile", b"")):
        return False
    # libjpeg decides by these which colours a JPEG has. Where it would decide for others, decoding would fail.
    return [layer[0] for layer in picture.layer] == YCBCR and picture.info.get("adobe_transform", 1) == 1


def resizable(picture: Image.Image) -> Image.Image:
    """The pixels in a mode that can be resampled: L, RGB, YCbCr, RGBA or CMYK."""
    if picture.mode.startswith("I"):
        # 16 bits of grey: convert() alone takes all above 255 for white.
        return picture.point(lambda value: value / 256).convert("L")
    if picture.has_transparency_data:
        return picture if picture.mode == "RGBA" else picture.convert("RGBA")
    if picture.mode in {"L", "RGB", "YCbCr", "CMYK"}:
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")


def orientation_of(picture: Image.Image) -> int:
    """EXIF's number of how the camera lay, 1 to 8."""
    try:
        orientation = int(picture.getexif().get(ORIENTATION_TAG, UPRIGHT))
    except DAMAGE:
        return UPRIGHT  # damaged EXIF data is no reason to refuse the picture
    return orientation if orientation in ORIENTATIONS else UPRIGHT


def scaled(size: Size, scale: float) -> Size:
    """The size times `scale`, no side less than a pixel."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _formats(path: Path) -> tuple[str, ...]:
    if not _is_heic(path):
        return FORMATS
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ModuleNotFoundError as error:
        msg = "HEIC pictures need the package pillow-heif; it comes with pushmill's extra `heic`"
        raise RefusedError(msg) from error
    return ("HEIF", *FORMATS)


def _is_heic(path: Path) -> bool:
    """Whether the file names itself HEIC. An AVIF may bear the general brand that HEIC has as well, beside its own."""
    with path.open("rb") as file:
        head = file.read(BRANDS)
    length, name, brand = int.from_bytes(head[:4]), head[4:8], head[8:12]
    compatible = {head[place : place + 4] for place in range(16, min(length, len(head)), 4)}
    return name == b"ftyp" and brand in HEIC_BRANDS and not AVIF_BRANDS & compatible


def _check_size(size: Size) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise RefusedError(_too_large())
    if max(size) > MAX_SIDE:
        msg = f"the picture is wider or higher than {MAX_SIDE:,} pixels"
        raise RefusedError(msg)
    if 0 in size:
        msg = "the picture has no pixels"
        raise RefusedError(msg)


def _too_large() -> str:
    return f"the picture has more than {MAX_PIXELS // 1_000_000} million pixels"


def _count_scans(path: Path) -> int:
    scans = sum(marker == JPEG_SCAN for marker, _, _ in jpeg_segments(path.read_bytes()))
    if scans > MAX_SCANS:
        msg = f"the picture is stored in more than {MAX_SCANS} scans"
        raise RefusedError(msg)
    return scans


def _need(picture: ImageFile.ImageFile, full: Size) -> int:
    """Bytes that decoding takes. `picture` has its draft size by now."""
    need = BASE + picture.width * picture.height * BYTES_A_PIXEL[kind(picture)]
    if isinstance(picture, JpegImageFile) and (picture.info.get("progressive") or picture.info.get("scans", 1) > 1):
        need += round(full[0] * full[1] * COEFFICIENT * _layers(picture))
    return need


def _layers(picture: JpegImageFile) -> float:
    """How many layers of full size those of a JPEG amount to: 1.5 where colours are kept for two by two pixels."""
    shares = [across * down for _, across, down, _ in picture.layer]
    full = max(across for _, across, _, _ in picture.layer) * max(down for _, _, down, _ in picture.layer)
    return sum(shares) / max(1, full)
