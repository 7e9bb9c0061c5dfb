"""Making avatars, on images that Pillow makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import ValidationError

from processors.media.image import make_avatars
from processors.media.payload import AvatarPayload
from processors.media.settings import MediaSettings
from tests.support.images import GREEN, RED, close, fallback_png, opened, swapped_profile
from tests.support.media import FakeParent

MEBIBYTE = 1024 * 1024


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


def avatar_options(**changes: Any) -> dict[str, Any]:
    """The task's arguments for a job that keeps animations."""
    options = {"sizes": [64], "formats": ["webp", "jpeg"], "crop": "center", "background": "#ffffff", "quality": 80}
    return {**options, "animation": "keep", **changes}


def test_no_memory_for_pixels_that_won_t_be_there() -> None:
    """An animation is not enlarged, so a large size reserves memory for its own size only."""
    Image.new("L", (100, 120)).save("source", "GIF", save_all=True, append_images=[Image.new("L", (100, 120), 255)])
    needs = []
    for sizes in ([64, 2048], [100]):
        parent = FakeParent()
        make_avatars.run(avatar_options(sizes=sizes), parent)
        needs += parent.reserved

    assert needs[0] == needs[1] < 16 * MEBIBYTE


@pytest.mark.parametrize(("size", "taken"), [(2048, True), (2049, False), (15, False)])
def test_jobs_and_settings_take_the_same_sizes(size: int, *, taken: bool) -> None:
    """A size that AVATAR_SIZES refuses is refused in jobs, and the other way round."""
    job = {"userId": 1, "filePath": "a.png", "options": {"sizes": [size]}}
    faults = []
    for check in (lambda: AvatarPayload.model_validate(job), lambda: MediaSettings(avatar_sizes=str(size))):
        try:
            check()
        except ValidationError as error:
            faults.append(error)

    assert len(faults) == (0 if taken else 2)


@pytest.mark.parametrize("animation", ["keep", "first-frame"])
def test_the_default_image_of_an_animated_png_is_no_avatar(animation: str) -> None:
    """The first frame is shown, in either format."""
    Path("source").write_bytes(fallback_png())

    make_avatars.run(avatar_options(animation=animation), FakeParent())

    for name in ("64.jpg", "64.webp"):
        image = opened(Path(name))
        assert getattr(image, "n_frames", 1) == (2 if (animation, name) == ("keep", "64.webp") else 1)
        assert close(GREEN, image.convert("RGB").getpixel((20, 20)))


@pytest.mark.parametrize("animation", ["keep", "first-frame"])
def test_colours_are_converted_before_the_background_is_added(animation: str) -> None:
    """The image's profile is for its own colours, not for the background."""
    frames = [Image.new("RGBA", (64, 64)) for _ in range(2)]
    frames[0].paste((*RED, 255), (0, 0, 32, 64))
    options = {"append_images": frames[1:], "icc_profile": swapped_profile()}
    frames[0].save("source", "PNG", save_all=True, **options)

    make_avatars.run(avatar_options(animation=animation, background="#ff0000"), FakeParent())

    image = opened(Path("64.jpg"))
    assert close(GREEN, image.getpixel((10, 30)))
    assert close(RED, image.getpixel((54, 30)))
