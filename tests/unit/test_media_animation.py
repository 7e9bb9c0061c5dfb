"""Encoding animations: kept, or reduced to one frame, as the job asks."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from processors.media.image import make_avatars, make_images, opened_image
from processors.media.image.gif import Gif
from processors.sandbox.protocol import RefusedError
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
from tests.support.media import FakeParent, image_options

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


@pytest.mark.slow
def test_an_animation_is_kept(tmp_path: Path) -> None:
    """An animated GIF becomes an animated WebP with all frames and their times, and the report says so."""
    result = run(tmp_path, animation(RED, GREEN, BLUE, size=(400, 1200)))

    assert ("kept", "webp", (360, 1080)) == (
        result.report["animation"],
        result.report["files"][0]["format"],
        result.size,
    )
    with Image.open(tmp_path / "compressed.webp") as image:
        assert 3 == getattr(image, "n_frames", 1)
        for number, colour in enumerate((RED, GREEN, BLUE)):
            image.seek(number)
            assert close(colour, image.convert("RGB").getpixel((180, 500)))
            assert 70 == image.info["duration"]
        assert 0 == image.info["loop"]
    assert close(RED, result.thumbnail.getpixel((100, 100)))


def test_the_first_frame_of_an_animation_may_be_asked_for(tmp_path: Path) -> None:
    """Only then is it cut to its first frame; the report says so."""
    result = made(tmp_path, image_options(animation="first-frame"), animation(RED, BLUE))

    assert ("first-frame", 1) == (result.report["animation"], getattr(result.compressed, "n_frames", 1))
    assert close(RED, result.compressed.convert("RGB").getpixel((20, 15)))


def test_the_default_image_of_an_animated_png_is_no_frame(tmp_path: Path) -> None:
    """If a PNG has one beside its frames it is left out, and the thumbnail shows the first frame."""
    result = run(tmp_path, fallback_png())

    with Image.open(tmp_path / "compressed.webp") as image:
        assert 2 == getattr(image, "n_frames", 1)
        for number, (colour, duration) in enumerate(((GREEN, 70), (BLUE, 80))):
            image.seek(number)
            assert close(colour, image.convert("RGB").getpixel((50, 150)))
            assert duration == image.info["duration"]
    assert close(GREEN, result.thumbnail.getpixel((100, 100)))
    assert close(
        GREEN, made(tmp_path, image_options(animation="first-frame"), fallback_png()).compressed.getpixel((100, 100))
    )


def small_frame() -> bytes:
    """A GIF of 40x30 whose two frames, red and blue, fill a quarter of it."""
    data = animation(RED, BLUE, size=(20, 15))
    return data[:6] + struct.pack("<HH", 40, 30) + data[10:]


def test_areas_that_no_frame_covers_are_transparent(tmp_path: Path) -> None:
    """As in browsers, and not in some colour of the palette; decoders see the transparency flag."""
    result = made(tmp_path, image_options(background="#00ff00"), small_frame())

    with Image.open(tmp_path / "compressed.webp") as image:
        for number, colour in enumerate((RED, BLUE)):
            image.seek(number)
            seen = image.convert("RGBA")
            assert close(colour, seen.getpixel((10, 7))[:3])  # type: ignore[index]
            assert 0 == seen.getpixel((30, 20))[3]  # type: ignore[index]
    assert close(GREEN, result.thumbnail.getpixel((30, 20)))
    assert close(
        GREEN,
        made(tmp_path, image_options(animation="first-frame", background="#00ff00"), small_frame()).compressed.getpixel(
            (30, 20)
        ),
    )


@pytest.mark.parametrize(
    ("dispose", "over", "left"),
    [
        pytest.param(2, BLUE, None, id="cleared"),
        pytest.param(3, BLUE, RED, id="restored"),
        pytest.param(1, BLUE, BLUE, id="left"),
    ],
)
def test_the_disposal_of_frames_is_honoured(dispose: int, over: Any, left: Any) -> None:
    """It decides what a second frame leaves for the third: cleared means transparent, for any palette."""
    data = animation(RED, over, GREEN)
    _, second, third = [at.start() for at in re.finditer(b"\x21\xf9\x04", data)]
    data = data[: second + 3] + bytes([dispose << 2]) + data[second + 4 :]
    place = data.index(b",", third)
    data = data[: place + 5] + struct.pack("<HH", 1, 1) + data[place + 9 :]

    moving = Gif(data).animation

    assert moving is not None
    *_, last = moving.frames()
    seen = last.pixels.getpixel((20, 15))
    assert (seen[:3] if seen[3] else None) == left  # type: ignore[index]


@pytest.mark.parametrize(("again", "plays"), [(None, 1), (0, 0), (3, 4), (65_535, 65_535)])
def test_the_number_of_repeats_is_kept(tmp_path: Path, again: int | None, plays: int) -> None:
    """GIF counts repeats, WebP plays; 0 is for ever in both."""
    frames = [Image.new("RGB", (40, 30), colour) for colour in (RED, BLUE)]
    options = {} if again is None else {"loop": again}

    run(tmp_path, bytes_of(frames[0], "GIF", save_all=True, append_images=frames[1:], **options))

    with Image.open(tmp_path / "compressed.webp") as image:
        assert plays == image.info["loop"]


def test_frames_are_shown_as_long_as_browsers_show_them() -> None:
    """A frame of 10 milliseconds or less lasts a tenth of a second."""
    frames = [Image.new("RGB", (40, 30), (60 * number, 0, 0)) for number in range(4)]
    data = bytes_of(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[0, 10, 20, 70])

    moving = Gif(data).animation

    assert moving is not None
    assert [100, 100, 20, 70] == [frame.duration for frame in moving.frames()]


def rotated(kind: str) -> bytes:
    """An animation of a rotated camera: red is on the left as stored, and on top when upright."""
    frames = [Image.new("RGB", (80, 40), (0, 0, 100 + 50 * number)) for number in range(3)]
    for frame in frames:
        frame.paste(RED, (0, 0, 40, 40))
    options: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 100}
    if kind == "AVIF":
        return rotated_avif(bytes_of(frames[0], kind, **options, quality=95))
    exif = Image.Exif()
    exif[opened_image.ORIENTATION_TAG] = 6
    return bytes_of(frames[0], kind, **options, exif=exif.tobytes())


def rotated_avif(data: bytes) -> bytes:
    """The AVIF sequence with a rotation (`irot`) in place of its track's colours.

    Pillow's encoder can't write one: with an EXIF orientation it crashes (Pillow 13.0, SIGSEGV).
    """
    start = data.rindex(b"colrnclx") - 4
    turn = b"\0\0\0\x09irot\3" + b"\0\0\0\x0afree\0\0"
    return data[:start] + turn + data[start + len(turn) :]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_an_animation_is_turned_upright(tmp_path: Path, kind: str) -> None:
    """Each frame, and its thumbnail."""
    run(tmp_path, rotated(kind))

    with Image.open(tmp_path / "compressed.webp") as image:
        assert (40, 80) == image.size
        for number in range(3):
            image.seek(number)
            shown = image.convert("RGB")
            assert close(RED, shown.getpixel((20, 10)))
            assert close((0, 0, 100 + 50 * number), shown.getpixel((20, 70)))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_an_avatar_that_moves_is_turned_upright(tmp_path: Path, kind: str) -> None:
    """The square is cut from the upright frames."""
    (tmp_path / "source").write_bytes(rotated(kind))
    form = {"formats": ["webp"], "quality": 90, "crop": "center", "background": "#ffffff", "animation": "keep"}

    make_avatars.run({"sizes": [32], **form}, FakeParent())

    with Image.open(tmp_path / "32.webp") as image:
        shown = image.convert("RGB")
        assert (32, 32) == shown.size
        assert close(RED, shown.getpixel((16, 3)))
        assert close((0, 0, 100), shown.getpixel((16, 28)))


@pytest.mark.parametrize("lasts", [0x7FFFFFFF // opened_image.MAX_FRAMES + 1, 65_535_000, 2**32])
def test_no_frame_outlasts_the_clock_of_a_webp(lasts: int) -> None:
    """It counts milliseconds in 31 bits. A PNG can have 40 frames of 18 hours each."""
    assert opened_image.MAX_FRAMES * opened_image.frame_duration(lasts) < 2**31


def test_an_animation_that_lasts_for_weeks(tmp_path: Path) -> None:
    """Its frames are kept, each as long as the clock allows."""
    frames = [Image.new("RGB", (4, 3), (5 * number, 0, 0)) for number in range(40)]
    data = bytes_of(frames[0], "PNG", save_all=True, append_images=frames[1:], duration=65_535_000)

    run(tmp_path, data)

    with Image.open(tmp_path / "compressed.webp") as image:
        assert len(frames) <= getattr(image, "n_frames", 1)


AVIF_FRAMES = [Image.new("RGB", (64, 48), colour) for colour in (RED, GREEN, BLUE)]
AVIF = bytes_of(AVIF_FRAMES[0], "AVIF", save_all=True, append_images=AVIF_FRAMES[1:], duration=100)


def edited(flags: int, once: int) -> bytes:
    """The animation with an edit list: whether it repeats, and after how much of its time."""
    place = AVIF.index(b"elst")
    start = place + 4
    version = AVIF[start]
    length = 8 if version else 4
    edit = once.to_bytes(length)
    return AVIF[: start + 3] + bytes([flags]) + AVIF[start + 4 : start + 8] + edit + AVIF[start + 8 + length :]


def whole() -> int:
    """The duration in the edit list, in its units."""
    start = AVIF.index(b"elst") + 4
    return int.from_bytes(AVIF[start + 8 : start + 8 + (8 if AVIF[start] else 4)])


@pytest.mark.parametrize(
    ("data", "plays"),
    [
        pytest.param(AVIF, 0, id="as it is written"),
        pytest.param(edited(0, whole()), 1, id="once"),
        pytest.param(AVIF.replace(bytes([255] * 8), (5 * whole() - 1).to_bytes(8)), 5, id="five times, or nearly"),
        pytest.param(
            AVIF.replace(bytes([255] * 8), bytes([255] * 7 + [254])), 0xFFFF, id="more often than WebP can say"
        ),
        pytest.param(AVIF.replace(b"edts", b"free"), 0, id="without a word"),
    ],
)
def test_an_avif_is_shown_for_ever_unless_it_says_otherwise(tmp_path: Path, data: bytes, plays: int) -> None:
    """Its edit list has the number."""
    run(tmp_path, data)

    with Image.open(tmp_path / "compressed.webp") as image:
        assert (3, plays) == (getattr(image, "n_frames", 1), image.info["loop"])


def test_memory_for_an_animation_grows_with_the_upload(tmp_path: Path) -> None:
    """Libwebp keeps all encoded frames until the last one, and an upload of more bytes has more."""
    needs = []
    for count in (2, 6):
        parent = FakeParent()
        frames = [Image.effect_noise((64, 48), 90) for _ in range(count)]
        frames[0].save(tmp_path / "source", "GIF", save_all=True, append_images=frames[1:])
        make_images.run(image_options(), parent)
        needs.append((*parent.reserved, (tmp_path / "source").stat().st_size))

    assert 2 * (needs[1][1] - needs[0][1]) == needs[1][0] - needs[0][0]


@pytest.mark.parametrize(("frames", "size"), [(1001, (2, 2)), (40, (4000, 3000))])
def test_an_animation_has_its_limits(tmp_path: Path, frames: int, size: tuple[int, int]) -> None:
    """Too many frames, or too many pixels in all, are refused before they are rendered."""
    data = animation(*((number % 256, number // 256, 0) for number in range(frames)), size=(2, 2))
    claim = data[:6] + struct.pack("<HH", *size) + data[10:]

    with pytest.raises(RefusedError, match="more than 1000 frames or 300 million pixels"):
        run(tmp_path, claim)


def test_a_still_image_is_no_animation(tmp_path: Path) -> None:
    """The report has no frames."""
    assert run(tmp_path, Image.new("RGB", (4, 3))).report["animation"] is None


def test_a_first_frame_never_hides_an_animation(tmp_path: Path) -> None:
    """The upload's own bytes, which are animated, are not used to save space."""
    frames = [Image.effect_noise((64, 48), 90).convert("RGB") for _ in range(3)]
    data = bytes_of(frames[0], "WEBP", save_all=True, append_images=frames[1:], quality=1)

    result = made(tmp_path, image_options(animation="first-frame"), data)

    assert ("jpeg", 1) == (result.report["files"][0]["format"], getattr(result.compressed, "n_frames", 1))
