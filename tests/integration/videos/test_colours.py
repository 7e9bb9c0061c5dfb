"""A video's colours are those of its upload, video and poster alike, and the video says how they are to be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from processors.media.sandbox.protocol import RefusedError
from tests.support import videos

if TYPE_CHECKING:
    from tests.integration.videos.conftest import Run

HD, SD = "1280x720", "640x360"
LEAF = "20c040"
UNSAID = "setparams=colorspace=unknown:color_primaries=unknown:color_trc=unknown"


def plain(path: Path, colour: str, size: str, encoder: tuple[str, ...], shape: str = "format=rgb24") -> Path:
    """A video of one colour (RRGGBB)."""
    source = ("-f", "lavfi", "-i", f"color=0x{colour}:s={size}:r=10:d=0.5")
    videos.ffmpeg(*source, "-vf", f"format=gbrp,{shape}", *encoder, str(path))
    return path


def coded(matrix: str, said: str, pixels: str = "yuv420p", seen: str = "tv") -> str:
    """The filters for frames in this matrix and range, that say something of it."""
    return f"scale=out_color_matrix={matrix}:out_range={seen},format={pixels},{said}"


def shown(colour: str) -> object:
    """What is to be seen of the colour, but for what eight bits and a lossy codec round."""
    return pytest.approx(tuple(bytes.fromhex(colour)), abs=6)


def assert_shows(colour: str) -> None:
    """The video says BT.709 in all respects, and shows the colour read like that; so does the poster."""
    seen = videos.look(Path("video.mp4"))["video"]
    names = ("color_space", "color_primaries", "color_transfer", "color_range")
    assert ("bt709", "bt709", "bt709", "tv") == tuple(seen.get(name) for name in names)
    assert shown(colour) == videos.first_pixel(Path("video.mp4"))
    assert_poster(colour)


def assert_poster(colour: str) -> None:
    """The poster shows the colour."""
    with Image.open("poster.jpg") as poster:
        assert shown(colour) == poster.getpixel((50, 50))


@pytest.mark.parametrize("size", [HD, SD])
@pytest.mark.parametrize(
    ("encoder", "colour"),
    [
        (("-f", "gif"), "00ff00"),  # one that a GIF has
        (("-c:v", "qtrle", "-f", "mov"), LEAF),
        (("-c:v", "libx264rgb", "-f", "mp4"), LEAF),
    ],
    ids=["gif", "animation", "screen"],
)
def test_what_is_red_green_and_blue(run: Run, tmp_path: Path, size: str, encoder: tuple[str, ...], colour: str) -> None:
    """A GIF, an animation or a screen's recording, in HD as in SD: its own colours."""
    run(plain(tmp_path / "video", colour, size, encoder))

    assert_shows(colour)


@pytest.mark.parametrize(
    ("size", "codec", "matrix"),
    [
        (HD, "mpeg4", "bt709"),
        (SD, "mpeg4", "smpte170m"),
        ("1280x536", "mpeg4", "smpte170m"),
        ("406x720", "mpeg4", "bt709"),
        (HD, "libvpx", "bt709"),
        (HD, "libvpx-vp9", "smpte170m"),
    ],
)
def test_a_video_that_does_not_say(run: Run, tmp_path: Path, size: str, codec: str, matrix: str) -> None:
    """It is read as Chromium and Firefox do: HD in BT.709, all else, and VP9, in BT.601."""
    encoder = ("-c:v", codec, "-b:v", "4M", "-f", "matroska")
    run(plain(tmp_path / "video", LEAF, size, encoder, coded(matrix, UNSAID)))

    assert_shows(LEAF)


@pytest.mark.parametrize(("size", "matrix"), [(HD, "bt709"), (SD, "smpte170m")])
def test_the_poster_of_a_video_that_does_not_say(run: Run, tmp_path: Path, size: str, matrix: str) -> None:
    """A video that stays as it is is read by browsers, and its poster looks the same."""
    encoder = ("-c:v", "libx264", "-f", "mp4")
    assert run(plain(tmp_path / "video", LEAF, size, encoder, coded(matrix, UNSAID)))["remuxed"]

    assert_poster(LEAF)


@pytest.mark.parametrize("matrix", ["bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc", "bt2020c"])
def test_a_video_that_says(run: Run, tmp_path: Path, matrix: str) -> None:
    """Whatever matrix it says, it is read in; that of constant luminance is near to the other of BT.2020."""
    written = {"bt470bg": "bt470", "bt2020nc": "bt2020", "bt2020c": "bt2020"}.get(matrix, matrix)
    said = f"setparams=colorspace={matrix}"
    shape = coded(written, said, "yuv444p")  # which no browser plays
    run(plain(tmp_path / "video", LEAF, SD, ("-c:v", "libx264", "-crf", "1", "-f", "matroska"), shape))

    assert_shows(LEAF)


@pytest.mark.parametrize(
    ("pixels", "seen"), [("yuv420p", "pc"), ("yuv444p", "pc"), ("yuv422p10le", "tv"), ("yuv444p", "tv")]
)
def test_ranges_and_forms(run: Run, tmp_path: Path, pixels: str, seen: str) -> None:
    """Full range becomes that of a television, ten bits become eight, and whole colours become those of 4:2:0."""
    said = f"setparams=colorspace=bt709:range={seen}"
    encoder = ("-c:v", "libx264", "-crf", "1", "-f", "mp4")
    assert not run(plain(tmp_path / "video", LEAF, HD, encoder, coded("bt709", said, pixels, seen)))["remuxed"]

    assert_shows(LEAF)


@pytest.mark.parametrize(("primaries", "colour"), [("bt2020", "00c91b"), ("smpte432", "00c128")])
def test_colours_that_a_plain_screen_has_not(run: Run, tmp_path: Path, primaries: str, colour: str) -> None:
    """A video in the wide colours of a phone is brought into those of BT.709, as a browser does it."""
    said = f"setparams=colorspace=bt709:color_primaries={primaries}:color_trc=bt709:range=tv"
    run(plain(tmp_path / "video", LEAF, HD, ("-c:v", "libx264", "-crf", "1", "-f", "mp4"), coded("bt709", said)))

    assert_shows(colour)


@pytest.mark.parametrize("said", ["smpte428", "smpte431", "bt470m", "film", "reserved"])
def test_odd_primaries_are_no_reason_to_fail(run: Run, tmp_path: Path, said: str) -> None:
    """A video may say what it likes."""
    tags = (
        f"setparams=colorspace=smpte240m:color_primaries={said if said != 'reserved' else 'unknown'}:color_trc=log316"
    )
    run(plain(tmp_path / "video", LEAF, SD, ("-c:v", "libx264", "-f", "mp4"), coded("smpte240m", tags)))

    assert "bt709" == videos.look(Path("video.mp4"))["video"]["color_primaries"]


@pytest.mark.parametrize("matrix", ["ycgco", "ictcp", "smpte2085"])
def test_colours_that_ffmpeg_can_t_read(run: Run, tmp_path: Path, matrix: str) -> None:
    """They are refused by name, rather than shown wrong by one ffmpeg and failed by another."""
    with pytest.raises(RefusedError, match=rf"colours are in a form that is not taken \({matrix}\)"):
        run(
            plain(
                tmp_path / "video",
                LEAF,
                SD,
                ("-c:v", "libx264", "-f", "mp4"),
                coded("bt709", f"setparams=colorspace={matrix}"),
            )
        )


@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084"])
@pytest.mark.parametrize("said", [True, False])
def test_high_dynamic_range_becomes_plain(run: Run, tmp_path: Path, transfer: str, said: bool) -> None:
    """A plain frame, kept as HDR, is near to itself afterwards, also where the video says its transfer alone."""
    wide = f"scale=out_color_matrix=bt2020nc:out_primaries=bt2020:out_transfer={transfer}:out_range=tv"
    tags = f"color_trc={transfer}:" + (
        "colorspace=bt2020nc:color_primaries=bt2020" if said else "colorspace=unknown:color_primaries=unknown"
    )
    plain_one = "setparams=color_primaries=bt709:color_trc=bt709"
    shape = f"{plain_one},{wide},format=yuv420p10le,setparams={tags}"
    report = run(plain(tmp_path / "video", "a06040", SD, ("-c:v", "libx264", "-crf", "1", "-f", "mp4"), shape))

    assert report["toneMapped"]
    assert pytest.approx((160, 96, 64), abs=16) == videos.first_pixel(Path("video.mp4"))
