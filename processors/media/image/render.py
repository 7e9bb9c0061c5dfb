"""From decoded pixels to upright sRGB images of the sizes that are wanted. Nothing is ever enlarged."""

from __future__ import annotations

from PIL import Image
from PIL.Image import Resampling, Transpose

from processors.media.image.decode import LYING, Source
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
# Pixels are averaged two by two first, if as many as these times the result's are left then: half the time, 0.1 dB.
REDUCING_GAP = 1.4
TRIALS = 24  # places at which the busiest part is looked for
TRIAL_SIZE = 96  # pixels: the longer side of the image in which it is looked for


def fit_scale(size: Size, box: Size) -> float:
    """How much smaller the image must be to lie inside the box."""
    return min(1.0, box[0] / size[0], box[1] / size[1])


def cover_scale(size: Size, box: Size) -> float:
    """How much smaller the image may be and still cover the box."""
    return min(1.0, max(box[0] / size[0], box[1] / size[1]))


def upright_size(size: Size, orientation: int) -> Size:
    """The size, turned upright; turning twice gives it back."""
    return size[::-1] if orientation in LYING else size


def render(source: Source, scale: float, background: str | None = "#ffffff") -> Image.Image:
    """The whole image: resized, converted to sRGB, put on `background` and turned upright, in that order.

    Resizing comes first, so that the rest works on few pixels. Without a background transparency stays.
    """
    size = scaled(source.full, scale)
    frame = source.pixels
    if size != source.pixels.size or source.box != (0, 0, *size):
        frame = _resized(source.pixels, size, source.box, REDUCING_GAP)
    frame = to_srgb(frame, source.profile)
    if background is not None:
        frame = flattened(frame, background)
    return turned(frame, source.orientation)


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """The image upright."""
    turn = UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _resized(image: Image.Image, size: Size, area: Box, gap: float) -> Image.Image:
    """The part `area` of the image at this size.

    Of the colours of YCbCr an encoder keeps one for two by two pixels. So they are resized to that, which takes half of
    the time. An odd size has all of them: turned over, its squares would not be the encoder's.
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
    """The image without transparency, on a colour (`#rrggbb`)."""
    if image.mode != "RGBA":
        return image
    ground = Image.new("RGB", image.size, background)
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def cut(image: Image.Image, box: Size, crop: str) -> Image.Image:
    """A part of the image in the box's proportions, at most as large as the box; see part_of."""
    size, area = part_of(image, box, crop)
    return _resized(image, size, area, 2.0)


def part_of(image: Image.Image, box: Size, crop: str) -> tuple[Size, Box]:
    """Which part of the image has the box's proportions, and the size at which it lies inside the box.

    `crop`: `center`, `top` (the upper third, where faces are) or `entropy` (the busiest part).
    """
    width, height = part = largest(image.size, box)
    left, top = _place(image, part, crop)
    area = left, top, min(left + width, image.width), min(top + height, image.height)
    return scaled(box, min(1.0, width / box[0])), area


def largest(size: Size, box: Size) -> tuple[float, float]:
    """Width and height of the largest part of an image that has the box's proportions.

    Compared as integers, and one side taken as it is: what a rounded scale is multiplied with may come out larger than
    the image by the last bit, and so begin before it.
    """
    if size[0] * box[1] <= size[1] * box[0]:
        return size[0], size[0] * box[1] / box[0]
    return size[1] * box[0] / box[1], size[1]


def _place(image: Image.Image, part: tuple[float, float], crop: str) -> tuple[float, float]:
    spare = image.width - part[0], image.height - part[1]
    if crop == "top":
        return spare[0] / 2, spare[1] / 3
    share = _busiest(image, part) if crop == "entropy" else 0.5
    return spare[0] * share, spare[1] * share


def _busiest(image: Image.Image, part: tuple[float, float]) -> float:
    """Where along the image (0 to 1) the part with the highest entropy is; the middle wins a tie."""
    scale = TRIAL_SIZE / max(image.size)
    small = image.convert("L").resize(scaled(image.size, scale), Resampling.BOX)
    width, height = scaled((round(part[0]), round(part[1])), scale)
    spare = small.width - width, small.height - height

    def entropy(share: float) -> tuple[float, float]:
        left, top = round(spare[0] * share), round(spare[1] * share)
        return small.crop((left, top, left + width, top + height)).entropy(), -abs(share - 0.5)

    return max((number / TRIALS for number in range(TRIALS + 1)), key=entropy)
