"""Which part of an image a result shows, for images of all sizes. No pixels are made."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.media.image.make_images import COMPRESSED, THUMBNAIL
from processors.media.image.opened_image import Size, scaled
from processors.media.image.render import cover_scale, crop_area, fit_scale, largest

if TYPE_CHECKING:
    from PIL import Image

SIDES = st.integers(1, 4100)
SIZES = st.tuples(SIDES, SIDES)
AVATARS = st.lists(st.integers(16, 2048), min_size=1, max_size=5)


@dataclass(frozen=True, slots=True)
class Blank:
    """An image with a size and without pixels."""

    size: Size

    @property
    def width(self) -> int:
        """In pixels."""
        return self.size[0]

    @property
    def height(self) -> int:
        """In pixels."""
        return self.size[1]


def check(size: Size, box: Size, crop: str) -> Size:
    """Crop an image of this size as Pillow would; returns the size of the crop."""
    result, (left, top, right, bottom) = crop_area(cast("Image.Image", Blank(size)), box, crop)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert (right - left) / (bottom - top) == pytest.approx(box[0] / box[1])
    assert right - left == size[0] or bottom - top == size[1]
    assert 1 <= result[0] <= min(box[0], max(1, size[0]))
    assert 1 <= result[1] <= min(box[1], max(1, size[1]))
    return result


@given(size=SIZES, crop=st.sampled_from(["center", "top"]))
@example(size=(1500, 1000), crop="center")
@example(size=(750, 500), crop="top")
def test_a_thumbnail_lies_inside_the_image(size: Size, crop: str) -> None:
    """It is a part of an image of any size, or of that image fitted into 1920x1080."""
    fitted = scaled(size, fit_scale(size, COMPRESSED))
    assert fitted[0] <= COMPRESSED[0]
    assert fitted[1] <= COMPRESSED[1]
    for whole in (size, fitted, scaled(size, cover_scale(size, THUMBNAIL))):
        check(whole, THUMBNAIL, crop)


@given(size=SIZES, sides=AVATARS, crop=st.sampled_from(["center", "top"]))
@example(size=(245, 245), sides=[400, 200, 100], crop="center")
def test_an_avatar_lies_inside_the_image(size: Size, sides: list[int], crop: str) -> None:
    """For any size: the first is cut from the image, the others from the one before."""
    square = check(scaled(size, cover_scale(size, (max(sides), max(sides)))), (max(sides), max(sides)), crop)
    for side in sorted(sides, reverse=True):
        square = check(square, (side, side), "center") if side < square[0] else square
        assert square[0] == square[1] <= side


def test_no_size_of_a_result_is_left_out() -> None:
    """All widths and heights of a compressed image, next to its largest ones."""
    for size in itertools.chain(
        ((1920, height) for height in range(1, 1081)), ((width, 1080) for width in range(1, 1921))
    ):
        width, height = largest(size, THUMBNAIL)
        assert width <= size[0]
        assert height <= size[1]
        check(size, THUMBNAIL, "center")
