"""Colours: video and poster show those of the upload, and the video is tagged with how to read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from processors.sandbox.protocol import RefusedError
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
    """The filters for frames in this matrix and range, with these tags."""
    return f"scale=out_color_matrix={matrix}:out_range={seen},format={pixels},{said}"


def shown(colour: str) -> object:
    """The visible colour, except for rounding by eight bits and a lossy codec."""
    return pytest.approx(tuple(bytes.fromhex(colour)), abs=6)


def assert_shows(colour: str) -> None:
    """The video is tagged BT.709 throughout, and shows the colour when read so; so does the poster."""
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
def test_an_rgb_upload_keeps_its_colours(
    run: Run, tmp_path: Path, size: str, encoder: tuple[str, ...], colour: str
) -> None:
    """A GIF, an animation or a screen recording, in HD as in SD."""
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
def test_a_video_without_tags(run: Run, tmp_path: Path, size: str, codec: str, matrix: str) -> None:
    """It is read as Chromium and Firefox do: HD in BT.709, all else, and VP9, in BT.601."""
    encoder = ("-c:v", codec, "-b:v", "4M", "-f", "matroska")
    run(plain(tmp_path / "video", LEAF, size, encoder, coded(matrix, UNSAID)))

    assert_shows(LEAF)


@pytest.mark.parametrize(("size", "matrix"), [(HD, "bt709"), (SD, "smpte170m")])
def test_the_poster_of_a_video_without_tags(run: Run, tmp_path: Path, size: str, matrix: str) -> None:
    """A video that is not encoded is read by browsers, and its poster looks the same."""
    encoder = ("-c:v", "libx264", "-f", "mp4")
    assert run(plain(tmp_path / "video", LEAF, size, encoder, coded(matrix, UNSAID)))["remuxed"]

    assert_poster(LEAF)


@pytest.mark.parametrize("matrix", ["bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc", "bt2020c"])
def test_a_video_with_a_matrix_tag(run: Run, tmp_path: Path, matrix: str) -> None:
    """It is read in that matrix; constant luminance is close to the other one of BT.2020."""
    written = {"bt470bg": "bt470", "bt2020nc": "bt2020", "bt2020c": "bt2020"}.get(matrix, matrix)
    said = f"setparams=colorspace={matrix}"
    shape = coded(written, said, "yuv444p")  # which no browser plays
    run(plain(tmp_path / "video", LEAF, SD, ("-c:v", "libx264", "-crf", "1", "-f", "matroska"), shape))

    assert_shows(LEAF)


@pytest.mark.parametrize(
    ("pixels", "seen"), [("yuv420p", "pc"), ("yuv444p", "pc"), ("yuv422p10le", "tv"), ("yuv444p", "tv")]
)
def test_ranges_and_pixel_formats(run: Run, tmp_path: Path, pixels: str, seen: str) -> None:
    """Full range becomes limited range, ten bits become eight, and full chroma becomes 4:2:0."""
    said = f"setparams=colorspace=bt709:range={seen}"
    encoder = ("-c:v", "libx264", "-crf", "1", "-f", "mp4")
    assert not run(plain(tmp_path / "video", LEAF, HD, encoder, coded("bt709", said, pixels, seen)))["remuxed"]

    assert_shows(LEAF)


@pytest.mark.parametrize(("primaries", "colour"), [("bt2020", "00c91b"), ("smpte432", "00c128")])
def test_a_wide_gamut_is_converted(run: Run, tmp_path: Path, primaries: str, colour: str) -> None:
    """The wide colours of a phone become those of BT.709, as in a browser."""
    said = f"setparams=colorspace=bt709:color_primaries={primaries}:color_trc=bt709:range=tv"
    run(plain(tmp_path / "video", LEAF, HD, ("-c:v", "libx264", "-crf", "1", "-f", "mp4"), coded("bt709", said)))

    assert_shows(colour)


@pytest.mark.parametrize("said", ["smpte428", "smpte431", "bt470m", "film", "reserved"])
def test_odd_primaries_are_no_reason_to_fail(run: Run, tmp_path: Path, said: str) -> None:
    """A video may claim anything."""
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


@pytest.mark.parametrize(
    ("transfer", "said"),
    [
        pytest.param("arib-std-b67", True, marks=pytest.mark.matrix),
        ("smpte2084", False),
        pytest.param("arib-std-b67", False, marks=pytest.mark.matrix),
        pytest.param("smpte2084", True, marks=pytest.mark.matrix),
    ],
)
def test_high_dynamic_range_becomes_plain(run: Run, tmp_path: Path, transfer: str, said: bool) -> None:
    """A plain frame stored as HDR looks the same afterwards, also if the video has only its transfer tag."""
    wide = f"scale=out_color_matrix=bt2020nc:out_primaries=bt2020:out_transfer={transfer}:out_range=tv"
    tags = f"color_trc={transfer}:" + (
        "colorspace=bt2020nc:color_primaries=bt2020" if said else "colorspace=unknown:color_primaries=unknown"
    )
    plain_one = "setparams=color_primaries=bt709:color_trc=bt709"
    shape = f"{plain_one},{wide},format=yuv420p10le,setparams={tags}"
    report = run(plain(tmp_path / "video", "a06040", SD, ("-c:v", "libx264", "-crf", "1", "-f", "mp4"), shape))

    assert report["toneMapped"]
    assert pytest.approx((160, 96, 64), abs=16) == videos.first_pixel(Path("video.mp4"))
