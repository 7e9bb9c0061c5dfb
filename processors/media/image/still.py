"""Images that Pillow opens as they are: JPEG, WebP, AVIF, HEIC, BMP and ICO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from processors.media.image import avif_boxes, cicp
from processors.media.image.opened_image import (
    BASE,
    Box,
    Frame,
    Moving,
    Upload,
    lasting,
    loaded,
    orientation_of,
    refusing,
    scaled,
)
from processors.media.image.srgb import is_srgb
from processors.media.image.strip_metadata import JPEG_SCAN, jpeg_segments
from processors.media.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

# A baseline JPEG has one scan or three, a progressive one about ten. One of 500 takes 26 s in a single call.
MAX_SCANS = 64
# Bytes of memory for each pixel that is decoded, as measured with Pillow 13 (Pillow keeps three copies of a WebP).
BYTES_A_PIXEL = {"JPEG": 4, "AVIF": 9, "HEIF": 9, "WEBP": 15, "BMP": 8, "ICO": 8}
DEEP_HEIF, BITS = 16, 8  # the same where a HEIF has more bits than these, as cameras write them
COEFFICIENT = 2  # bytes: of each layer's pixels, in the file, where several scans make up a JPEG
YCBCR = [1, 2, 3]  # a JPEG's numbers for its layers


class Still(Upload):
    """An image as Pillow opens it."""

    def __init__(self, image: ImageFile.ImageFile, kind: str, path: Path) -> None:
        """`image` is the file at `path`, opened."""
        self.kind = kind
        self.size, self.mode = image.size, image.mode
        self.profile = image.info.get("icc_profile") or b""
        self.orientation = orientation_of(image.info.get("exif"))
        self.image = image
        is_deep = kind == "HEIF" and image.info.get("bit_depth", BITS) > BITS
        self._bytes_a_pixel = DEEP_HEIF if is_deep else BYTES_A_PIXEL[kind]
        if kind in {"WEBP", "AVIF"} and getattr(image, "n_frames", 1) > 1:
            plays = image.info.get("loop", 1) if kind == "WEBP" else avif_boxes.plays(path)
            self.moving = Moving(getattr(image, "n_frames", 1), plays, self._frames)

    def prepare(self, scale: float, formats: Collection[str]) -> int:  # noqa: ARG002 -- there is no smaller decoding
        """See Upload."""
        return BASE + self.size[0] * self.size[1] * self._bytes_a_pixel

    def pixels(self) -> tuple[Image.Image, Box]:
        """See Upload."""
        with refusing():
            self.image.load()
        return self.image, (0, 0, *self.image.size)

    def _frames(self) -> Iterator[Frame]:
        for number in range(getattr(self.image, "n_frames", 1)):
            with refusing():
                self.image.seek(number)
                pixels = self.image.convert("RGBA")
            yield Frame(pixels, lasting(self.image.info.get("duration") or 0))


class Jpeg(Still):
    """A JPEG. One that holds further images (a gain map, a preview) is a JPEG."""

    def __init__(self, image: ImageFile.ImageFile, kind: str, path: Path) -> None:
        """See Still."""
        super().__init__(image, kind, path)
        self._scans = _count_scans(path)
        self._box: Box = (0, 0, *self.size)

    def prepare(self, scale: float, formats: Collection[str]) -> int:
        """See Upload. Decoding at 1/2, 1/4 or 1/8 takes a half of the time, and an image may be as large as it likes.

        Image.thumbnail() asks for twice the target, and so decodes 12 megapixels in full.
        """
        with refusing():
            draft = self.image.draft("YCbCr" if self._is_ycbcr(formats) else None, scaled(self.size, scale))
        self._box = draft[1] if draft else (0, 0, *self.image.size)
        need = BASE + self.image.width * self.image.height * BYTES_A_PIXEL["JPEG"]
        if self.image.info.get("progressive") or self._scans > 1:
            need += round(self.size[0] * self.size[1] * COEFFICIENT * self._layers())
        return need

    def pixels(self) -> tuple[Image.Image, Box]:
        """See Upload."""
        return super().pixels()[0], self._box

    def _is_ycbcr(self, formats: Collection[str]) -> bool:
        """Whether the image may stay in brightness and two colours, as it has them, until it is encoded again.

        It may not where the colours need converting, or where a result (PNG) has more of them than a quarter.
        """
        image = self.image
        if not isinstance(image, JpegImageFile) or "png" in formats or not is_srgb(self.profile):
            return False
        # libjpeg decides by these which colours a JPEG has. Where it would decide for others, decoding would fail.
        return [layer[0] for layer in image.layer] == YCBCR and image.info.get("adobe_transform", 1) == 1

    def _layers(self) -> float:
        """How many layers of full size those of it amount to: 1.5 where colours are kept for two by two pixels."""
        layers = self.image.layer if isinstance(self.image, JpegImageFile) else []
        shares = [across * down for _, across, down, _ in layers]
        full = max((across for _, across, _, _ in layers), default=0) * max((down for *_, down, _ in layers), default=0)
        return sum(shares) / max(1, full)


def _count_scans(path: Path) -> int:
    return sum(marker == JPEG_SCAN for marker, _, _ in jpeg_segments(path.read_bytes()))


def open_still(path: Path, kind: str) -> Still:
    """The image, nothing decoded yet. Raises RefusedError."""
    if kind == "JPEG" and _count_scans(path) > MAX_SCANS:
        msg = f"the image is stored in more than {MAX_SCANS} scans"
        raise RefusedError(msg)
    if kind == "HEIF":
        loaded("pillow_heif", "HEIC images need the package pillow-heif").register_heif_opener()
    with refusing():
        # A MPO is a JPEG with others behind it, which Pillow finds out for itself.
        image = Image.open(path, formats=(kind,))
    still = (Jpeg if kind == "JPEG" else Still)(image, kind, path)
    if not still.profile and (numbers := _numbers(image, kind, path)):
        still.profile = cicp.of_numbers(numbers[0], cicp.SRGB_TRANSFER if numbers[1] in cicp.VIDEO else numbers[1])
    return still


def _numbers(image: Image.Image, kind: str, path: Path) -> tuple[int, int] | None:
    """The coding points of primaries and transfer. Browsers take the video ones of the latter for sRGB's in these."""
    if kind == "AVIF":
        return avif_boxes.colours(path)
    named = image.info.get("nclx_profile") if kind == "HEIF" else None
    return (named["color_primaries"], named["transfer_characteristics"]) if named else None
