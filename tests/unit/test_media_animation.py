"""Encoding what moves: kept, or a frame of it, as the job says."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from processors.media.image import task
from processors.media.sandbox.wire import RefusedError
from tests.support.images import (
    BLUE,
    GREEN,
    RED,
    bytes_of,
    close,
    fallback_png,
    made,
    run,
)
from tests.support.media import FakeParent, wishes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A task works in its folder."""
    monkeypatch.chdir(tmp_path)


def animation(*colours: tuple[int, int, int], size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    """An animated GIF, each frame of one colour, 70 ms each."""
    frames = [Image.new("P", size) for _ in colours]
    for frame, colour in zip(frames, colours, strict=True):
        frame.putpalette([*colour])
    return bytes_of(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=70, loop=0, **options)


def test_an_animation_is_kept(tmp_path: Path) -> None:
    """An animated GIF becomes an animated WebP with all frames and their times, and the report says so."""
    result = run(tmp_path, animation(RED, GREEN, BLUE, size=(4000, 3000)))

    assert ("kept", "webp", (1440, 1080)) == (
        result.report["animation"],
        result.report["files"][0]["format"],
        result.size,
    )
    with Image.open(tmp_path / "compressed.webp") as picture:
        assert 3 == getattr(picture, "n_frames", 1)
        for number, colour in enumerate((RED, GREEN, BLUE)):
            picture.seek(number)
            assert close(colour, picture.convert("RGB").getpixel((700, 500)))
            assert 70 == picture.info["duration"]
        assert 0 == picture.info["loop"]
    assert close(RED, result.thumbnail.getpixel((100, 100)))


def test_the_first_frame_of_an_animation_may_be_asked_for(tmp_path: Path) -> None:
    """Cut to its first frame only where that is wanted; the report says so."""
    result = made(tmp_path, wishes(animation="first-frame"), animation(RED, BLUE))

    assert ("first-frame", 1) == (result.report["animation"], getattr(result.compressed, "n_frames", 1))
    assert close(RED, result.compressed.convert("RGB").getpixel((20, 15)))


def test_a_png_s_picture_for_those_who_can_t_show_it_move_is_no_frame(tmp_path: Path) -> None:
    """An animated PNG that has one beside its frames is kept without it, and the thumbnail shows the first frame."""
    result = run(tmp_path, fallback_png())

    with Image.open(tmp_path / "compressed.webp") as picture:
        assert 2 == getattr(picture, "n_frames", 1)
        for number, (colour, duration) in enumerate(((GREEN, 70), (BLUE, 80))):
            picture.seek(number)
            assert close(colour, picture.convert("RGB").getpixel((50, 150)))
            assert duration == picture.info["duration"]
    assert close(GREEN, result.thumbnail.getpixel((100, 100)))
    assert close(GREEN, made(tmp_path, wishes(animation="first-frame"), fallback_png()).compressed.getpixel((100, 100)))


def test_memory_for_an_animation_grows_with_the_upload(tmp_path: Path) -> None:
    """Libwebp keeps all frames that it has made until the last one, which an upload of more bytes has more of."""
    needs = []
    for count in (2, 6):
        parent = FakeParent()
        frames = [Image.effect_noise((64, 48), 90) for _ in range(count)]
        frames[0].save(tmp_path / "source", "GIF", save_all=True, append_images=frames[1:])
        task.run(wishes(), parent)
        needs.append((*parent.reserved, (tmp_path / "source").stat().st_size))

    assert 2 * (needs[1][1] - needs[0][1]) == needs[1][0] - needs[0][0]


@pytest.mark.parametrize(("frames", "size"), [(1001, (2, 2)), (40, (4000, 3000))])
def test_an_animation_has_its_limits(tmp_path: Path, frames: int, size: tuple[int, int]) -> None:
    """Too many frames, or too many pixels in all of them together, are refused before they are rendered."""
    data = animation(*((number % 256, number // 256, 0) for number in range(frames)), size=(2, 2))
    claim = data[:6] + struct.pack("<HH", *size) + data[10:]

    with pytest.raises(RefusedError, match="more than 1000 frames or 300 million pixels"):
        run(tmp_path, claim)


def test_a_still_picture_is_no_animation(tmp_path: Path) -> None:
    """There is nothing to say of frames."""
    assert run(tmp_path, Image.new("RGB", (4, 3))).report["animation"] is None


def test_an_animation_that_is_cut_is_not_kept_in_secret(tmp_path: Path) -> None:
    """Where the first frame is wanted, the upload's own pixels, which move, are no way to save bytes."""
    frames = [Image.effect_noise((64, 48), 90).convert("RGB") for _ in range(3)]
    data = bytes_of(frames[0], "WEBP", save_all=True, append_images=frames[1:], quality=1)

    result = made(tmp_path, wishes(animation="first-frame"), data)

    assert ("jpeg", 1) == (result.report["files"][0]["format"], getattr(result.compressed, "n_frames", 1))
