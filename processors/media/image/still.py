"""Images that Pillow opens directly: JPEG, WebP, AVIF, HEIC, BMP and ICO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from processors.media.image import avif_boxes, cicp
from processors.media.image.opened_image import (
    BASE,
    Animation,
    Box,
    Frame,
    OpenedImage,
    frame_duration,
    optional_module,
    orientation_of,
    refuse_damage,
    scaled,
)
from processors.media.image.srgb import is_srgb
from processors.media.image.strip_metadata import JPEG_SCAN, jpeg_segments
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

# A baseline JPEG has one scan or three, a progressive one about ten. 500 scans take 26 s in a single call.
MAX_SCANS = 64
# Bytes of memory for each decoded pixel, measured with Pillow 13 (it keeps three copies of a WebP).
BYTES_A_PIXEL = {"JPEG": 4, "AVIF": 9, "HEIF": 9, "WEBP": 15, "BMP": 8, "ICO": 8}
DEEP_HEIF, BITS = 16, 8  # the same for a HEIF with more than BITS bits, as cameras write them
COEFFICIENT = 2  # bytes for each pixel of each component, if a JPEG has several scans
YCBCR = [1, 2, 3]  # the component ids of a YCbCr JPEG


class Still(OpenedImage):
    """An image that Pillow opens."""

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
            self.animation = Animation(getattr(image, "n_frames", 1), plays, self._frames)

    def prepare(self, scale: float, formats: Collection[str]) -> int:  # noqa: ARG002 -- there is no smaller decoding
        """See OpenedImage."""
        return BASE + self.size[0] * self.size[1] * self._bytes_a_pixel

    def pixels(self) -> tuple[Image.Image, Box]:
        """See OpenedImage."""
        with refuse_damage():
            self.image.load()
        return self.image, (0, 0, *self.image.size)

    def _frames(self) -> Iterator[Frame]:
        for number in range(getattr(self.image, "n_frames", 1)):
            with refuse_damage():
                self.image.seek(number)
                pixels = self.image.convert("RGBA")
            yield Frame(pixels, frame_duration(self.image.info.get("duration") or 0))


class Jpeg(Still):
    """A JPEG, also one that holds further images (a gain map, a preview)."""

    def __init__(self, image: ImageFile.ImageFile, kind: str, path: Path) -> None:
        """See Still."""
        super().__init__(image, kind, path)
        self._scans = _count_scans(path)
        self._box: Box = (0, 0, *self.size)

    def prepare(self, scale: float, formats: Collection[str]) -> int:
        """See OpenedImage. Decoding at 1/2, 1/4 or 1/8 takes half the time, and little memory for large images.

        Image.thumbnail() would ask for twice the size of the result, and so decode 12 megapixels in full.
        """
        with refuse_damage():
            draft = self.image.draft("YCbCr" if self._is_ycbcr(formats) else None, scaled(self.size, scale))
        self._box = draft[1] if draft else (0, 0, *self.image.size)
        need = BASE + self.image.width * self.image.height * BYTES_A_PIXEL["JPEG"]
        if self.image.info.get("progressive") or self._scans > 1:
            need += round(self.size[0] * self.size[1] * COEFFICIENT * self._layers())
        return need

    def pixels(self) -> tuple[Image.Image, Box]:
        """See OpenedImage."""
        return super().pixels()[0], self._box

    def _is_ycbcr(self, formats: Collection[str]) -> bool:
        """Whether the image may stay in YCbCr until it is encoded again.

        Not if its colours must be converted, and not for PNG, which stores full chroma.
        """
        image = self.image
        if not isinstance(image, JpegImageFile) or "png" in formats or not is_srgb(self.profile):
            return False
        # libjpeg detects the colour model by these. If it detected another one, decoding would fail.
        return [layer[0] for layer in image.layer] == YCBCR and image.info.get("adobe_transform", 1) == 1

    def _layers(self) -> float:
        """The number of samples for each pixel: 1.5 with one chroma sample for two by two pixels."""
        layers = self.image.layer if isinstance(self.image, JpegImageFile) else []
        shares = [across * down for _, across, down, _ in layers]
        full = max((across for _, across, _, _ in layers), default=0) * max((down for *_, down, _ in layers), default=0)
        return sum(shares) / max(1, full)


def _count_scans(path: Path) -> int:
    return sum(marker == JPEG_SCAN for marker, _, _ in jpeg_segments(path.read_bytes()))


def open_still(path: Path, kind: str) -> Still:
    """Open the image without decoding it. Raises RefusedError."""
    if kind == "JPEG" and _count_scans(path) > MAX_SCANS:
        msg = f"the image is stored in more than {MAX_SCANS} scans"
        raise RefusedError(msg)
    if kind == "HEIF":
        optional_module("pillow_heif", "HEIC images need the package pillow-heif").register_heif_opener()
    with refuse_damage():
        # Pillow detects by itself that a JPEG is an MPO, with further images after the first.
        image = Image.open(path, formats=(kind,))
    still = (Jpeg if kind == "JPEG" else Still)(image, kind, path)
    # In images, browsers treat the transfers of video as sRGB's.
    if not still.profile and (numbers := _numbers(image, kind, path)):
        still.profile = cicp.of_numbers(numbers[0], cicp.SRGB_TRANSFER if numbers[1] in cicp.VIDEO else numbers[1])
    return still


def _numbers(image: Image.Image, kind: str, path: Path) -> tuple[int, int] | None:
    """The coding points of primaries and transfer."""
    if kind == "AVIF":
        return avif_boxes.colours(path)
    named = image.info.get("nclx_profile") if kind == "HEIF" else None
    return (named["color_primaries"], named["transfer_characteristics"]) if named else None
