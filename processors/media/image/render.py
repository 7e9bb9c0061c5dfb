"""From decoded pixels to upright sRGB images of the requested sizes. Nothing is ever enlarged."""

from __future__ import annotations

from PIL import Image
from PIL.Image import Resampling, Transpose

from processors.media.image.decode import ROTATED, DecodedImage
from processors.media.image.opened_image import Box, Size, scaled
from processors.media.image.srgb import to_srgb

UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
# Pixels are averaged two by two first, as long as the sides stay this many times those of the result: it takes half the
# time and costs 0.1 dB.
REDUCING_GAP = 1.4
TRIALS = 24  # positions at which the busiest part is searched
TRIAL_SIZE = 96  # pixels: the longer side of the image that is searched


def fit_scale(size: Size, box: Size) -> float:
    """The scale (at most 1) at which the image fits in the box."""
    return min(1.0, box[0] / size[0], box[1] / size[1])


def cover_scale(size: Size, box: Size) -> float:
    """The smallest scale (at most 1) at which the image covers the box."""
    return min(1.0, max(box[0] / size[0], box[1] / size[1]))


def upright_size(size: Size, orientation: int) -> Size:
    """The size of the upright image. Applied twice, it returns the size in the file."""
    return size[::-1] if orientation in ROTATED else size


def render(decoded: DecodedImage, scale: float, background: str | None = "#ffffff") -> Image.Image:
    """The whole image: resized, converted to sRGB, put on `background` and turned upright, in this order.

    Resizing comes first, so that the other steps have fewer pixels. Without a background, transparency is kept.
    """
    size = scaled(decoded.full, scale)
    frame = decoded.pixels
    if size != decoded.pixels.size or decoded.box != (0, 0, *size):
        frame = _resized(decoded.pixels, size, decoded.box, REDUCING_GAP)
    frame = to_srgb(frame, decoded.profile)
    if background is not None:
        frame = flattened(frame, background)
    return to_upright(frame, decoded.orientation)


def to_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn the image upright."""
    turn = UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _resized(image: Image.Image, size: Size, area: Box, gap: float) -> Image.Image:
    """The part `area` of the image at this size.

    A JPEG encoder keeps one chroma sample for two by two pixels of YCbCr. So chroma is resized to half the size, which
    takes half the time. Not for odd sizes: after a rotation the encoder would pair other pixels.
    """

    def resize(pixels: Image.Image, to: Size) -> Image.Image:
        return pixels.resize(to, Resampling.LANCZOS, box=area, reducing_gap=gap)

    if image.mode != "YCbCr" or size[0] % 2 or size[1] % 2:
        return resize(image, size)
    half = size[0] // 2, size[1] // 2
    brightness = resize(image.getchannel("Y"), size)
    colours = (resize(image.getchannel(name), half).resize(size, Resampling.NEAREST) for name in ("Cb", "Cr"))
    return Image.merge("YCbCr", (brightness, *colours))


def flattened(image: Image.Image, background: str) -> Image.Image:
    """The image without transparency, on a background colour (`#rrggbb`)."""
    if image.mode != "RGBA":
        return image
    ground = Image.new("RGB", image.size, background)
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def crop_to(image: Image.Image, box: Size, crop: str) -> Image.Image:
    """A part of the image with the box's proportions, at most as large as the box; see crop_area."""
    size, area = crop_area(image, box, crop)
    return _resized(image, size, area, 2.0)


def crop_area(image: Image.Image, box: Size, crop: str) -> tuple[Size, Box]:
    """The size of the result, and the part of the image with the box's proportions that it shows.

    `crop`: `center`, `top` (the upper third, where faces are) or `entropy` (the busiest part).
    """
    width, height = part = largest(image.size, box)
    left, top = _crop_offset(image, part, crop)
    area = left, top, min(left + width, image.width), min(top + height, image.height)
    return scaled(box, min(1.0, width / box[0])), area


def largest(size: Size, box: Size) -> tuple[float, float]:
    """Width and height of the largest part of an image with the box's proportions.

    Integers are compared, and one side is taken unchanged: a product with a rounded scale could exceed the image by the
    last bit, and the part would begin before the image does.
    """
    if size[0] * box[1] <= size[1] * box[0]:
        return size[0], size[0] * box[1] / box[0]
    return size[1] * box[0] / box[1], size[1]


def _crop_offset(image: Image.Image, part: tuple[float, float], crop: str) -> tuple[float, float]:
    spare = image.width - part[0], image.height - part[1]
    if crop == "top":
        return spare[0] / 2, spare[1] / 3
    share = _busiest(image, part) if crop == "entropy" else 0.5
    return spare[0] * share, spare[1] * share


def _busiest(image: Image.Image, part: tuple[float, float]) -> float:
    """The position (0 to 1) of the part with the highest entropy; of equal ones the most central."""
    scale = TRIAL_SIZE / max(image.size)
    small = image.convert("L").resize(scaled(image.size, scale), Resampling.BOX)
    width, height = scaled((round(part[0]), round(part[1])), scale)
    spare = small.width - width, small.height - height

    def entropy(share: float) -> tuple[float, float]:
        left, top = round(spare[0] * share), round(spare[1] * share)
        return small.crop((left, top, left + width, top + height)).entropy(), -abs(share - 0.5)

    return max((number / TRIALS for number in range(TRIALS + 1)), key=entropy)
