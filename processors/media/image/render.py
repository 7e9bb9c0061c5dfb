"""From decoded pixels to upright sRGB pictures of the sizes that are wanted. Nothing is ever enlarged."""

from __future__ import annotations

import io

from PIL import Image, ImageCms
from PIL.Image import Resampling, Transpose

from processors.media.image.decode import LYING, Box, Size, Source, scaled

UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
# Pixels are averaged two by two first, if as many as these times the result's are left then: half the time, 0.1 dB.
REDUCING_GAP = 1.4
TRIALS = 24  # places at which the busiest part is looked for
TRIAL_SIZE = 96  # pixels: the longer side of the picture in which it is looked for


def fit_scale(size: Size, box: Size) -> float:
    """How much smaller the picture must be to lie inside the box."""
    return min(1.0, box[0] / size[0], box[1] / size[1])


def cover_scale(size: Size, box: Size) -> float:
    """How much smaller the picture may be and still cover the box."""
    return min(1.0, max(box[0] / size[0], box[1] / size[1]))


def upright_size(size: Size, orientation: int) -> Size:
    """The size, turned upright; turning twice gives it back."""
    return size[::-1] if orientation in LYING else size


def render(source: Source, scale: float, background: str | None = "#ffffff") -> Image.Image:
    """The whole picture: resized, put on `background`, converted to sRGB and turned upright, in that order.

    Resizing comes first, so that the rest works on few pixels. Without a background transparency stays.
    """
    size = scaled(source.full, scale)
    resized = source.pixels
    if size != source.pixels.size or source.box != (0, 0, *size):
        resized = source.pixels.resize(size, Resampling.LANCZOS, box=source.box, reducing_gap=REDUCING_GAP)
    if background is not None:
        resized = flattened(resized, background)
    frame = to_srgb(resized, source.profile)
    turn = UPRIGHT.get(source.orientation)
    return frame if turn is None else frame.transpose(turn)


def flattened(picture: Image.Image, background: str) -> Image.Image:
    """The picture without transparency, on a colour (`#rrggbb`)."""
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGB", picture.size, background)
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """The picture's colours as sRGB, RGB or RGBA. A profile that is damaged or of another kind of picture is left out.

    A profile with sRGB in its name is taken for sRGB: converting would change a colour by one in 255 at most.
    """
    if picture.mode == "RGBA":
        opaque = to_srgb(picture.convert("RGB"), profile)
        opaque.putalpha(picture.getchannel("A"))
        return opaque
    if not profile:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return picture.convert("RGB")
        converted = ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture.convert("RGB")
    return converted or picture


def is_srgb(profile: bytes) -> bool:
    """Whether colours under this profile are sRGB's (no profile: they are)."""
    if not profile:
        return True
    try:
        return "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return False


def cut(picture: Image.Image, box: Size, crop: str) -> Image.Image:
    """A part of the picture in the box's proportions, at most as large as the box; see part_of."""
    size, area = part_of(picture, box, crop)
    return picture.resize(size, Resampling.LANCZOS, box=area, reducing_gap=2.0)


def part_of(picture: Image.Image, box: Size, crop: str) -> tuple[Size, Box]:
    """Which part of the picture has the box's proportions, and the size at which it lies inside the box.

    `crop`: `center`, `top` (the upper third, where faces are) or `entropy` (the busiest part).
    """
    scale = min(picture.width / box[0], picture.height / box[1])
    part = box[0] * scale, box[1] * scale
    left, top = _place(picture, part, crop)
    return scaled(box, min(1.0, scale)), (left, top, left + part[0], top + part[1])


def _place(picture: Image.Image, part: tuple[float, float], crop: str) -> tuple[float, float]:
    spare = picture.width - part[0], picture.height - part[1]
    if crop == "top":
        return spare[0] / 2, spare[1] / 3
    share = _busiest(picture, part) if crop == "entropy" else 0.5
    return spare[0] * share, spare[1] * share


def _busiest(picture: Image.Image, part: tuple[float, float]) -> float:
    """Where along the picture (0 to 1) the part with the highest entropy is; the middle wins a tie."""
    scale = TRIAL_SIZE / max(picture.size)
    small = picture.convert("L").resize(scaled(picture.size, scale), Resampling.BOX)
    width, height = scaled((round(part[0]), round(part[1])), scale)
    spare = small.width - width, small.height - height

    def entropy(share: float) -> tuple[float, float]:
        left, top = round(spare[0] * share), round(spare[1] * share)
        return small.crop((left, top, left + width, top + height)).entropy(), -abs(share - 0.5)

    return max((number / TRIALS for number in range(TRIALS + 1)), key=entropy)
