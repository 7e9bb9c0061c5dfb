"""Videos of every odd kind, through the video task with a real ffmpeg."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from processors.media.video import encode
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import RefusedError
from tests.support import videos
from tests.support.media import FakeParent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.videos.conftest import Run


def test_a_video_becomes_one_that_every_browser_plays(run: Run, video: Callable[[str], Path]) -> None:
    """H.264 high with AAC, in 4:2:0, its index in front, with a poster of the same pass and progress on the way."""
    parent = FakeParent()
    report = run(video("plain"), parent)

    seen = videos.look(Path("video.mp4"))
    assert ("h264", "High", "yuv420p") == tuple(seen["video"][name] for name in ("codec_name", "profile", "pix_fmt"))
    assert ("aac", 2) == (seen["audio"]["codec_name"], seen["audio"]["channels"])
    assert (320, 240, "25") == (seen["video"]["width"], seen["video"]["height"], seen["video"]["nb_read_frames"])
    data = Path("video.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with Image.open("poster.jpg") as poster:
        poster.load()
        assert (320, 240) == poster.size
        assert poster.convert("L").entropy() > 3
    assert report == {
        "duration": pytest.approx(1.0, abs=0.1),
        "width": 320,
        "height": 240,
        "bytes": len(data),
        "codec": "h264",
        "audio": "aac",
        "truncated": False,
        "remuxed": False,
        "toneMapped": False,
        "soundDropped": False,
    }
    assert parent.percents == sorted(parent.percents)
    assert 1 == len(parent.reserved)


def test_a_video_fit_for_the_web_is_only_remuxed(run: Run, video: Callable[[str], Path]) -> None:
    """The coded frames are kept; location and camera are removed."""
    report = run(video("safe"))

    seen = videos.look(Path("video.mp4"))
    assert (True, "h264") == (report["remuxed"], report["codec"])
    assert videos.look(video("safe"))["video"]["nb_read_frames"] == seen["video"]["nb_read_frames"]
    data = Path("video.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert b"Secret" in video("safe").read_bytes()
    assert not any(word in data for word in (b"Secret", b"+52.5"))
    assert Path("poster.jpg").is_file()


def test_messages_between_the_frames_are_removed(run: Run, video: Callable[[str], Path]) -> None:
    """A remux keeps all frames of H.264, and no messages (SEI)."""
    report = run(video("place-inside"))

    assert report["remuxed"]
    assert b"SecretPlace" in video("place-inside").read_bytes()
    assert b"SecretPlace" not in Path("video.mp4").read_bytes()
    assert "25" == videos.look(Path("video.mp4"))["video"]["nb_read_frames"]


def test_frames_that_were_cut_away_are_not_published(run: Run, video: Callable[[str], Path], tmp_path: Path) -> None:
    """An editor may keep the whole video and an edit list: the result has only what is shown."""
    videos.cut(video("safe"), tmp_path / "cut", 0.6)
    shown = videos.look(tmp_path / "cut")["video"]["nb_read_frames"]
    assert ("10", "25") == (shown, videos.kept(tmp_path / "cut"))

    report = run(tmp_path / "cut")

    assert (False, False) == (report["remuxed"], report["truncated"])
    assert shown == videos.look(Path("video.mp4"))["video"]["nb_read_frames"] == videos.kept(Path("video.mp4"))


def test_sound_that_was_cut_away_is_not_published(run: Run, video: Callable[[str], Path], tmp_path: Path) -> None:
    """Sound before the video's begin is left out as well."""
    whole = str(video("safe"))
    arguments = ("-i", whole, "-ss", "0.6", "-i", whole, "-map", "0:v", "-map", "1:a", "-c", "copy", "-f", "mp4")
    videos.ffmpeg(*arguments, str(tmp_path / "cut"))

    report = run(tmp_path / "cut")

    assert (False, "aac") == (report["remuxed"], report["audio"])
    sound = videos.look(Path("video.mp4"), "-ignore_editlist", "1")["audio"]
    assert float(sound["duration"]) == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize(
    ("recipe", "size"),
    [
        ("odd", (640, 478)),
        ("large", (1920, 1080)),
        ("wide-pixels", (640, 240)),
        ("one-frame", (320, 240)),
        ("gif", (320, 240)),
        ("webm", (320, 240)),
        ("uneven", (320, 240)),
        ("silent", (320, 240)),
        ("surround", (320, 240)),
        ("full-range", (320, 240)),
        ("hdr", (320, 240)),
    ],
)
def test_odd_videos(run: Run, video: Callable[[str], Path], recipe: str, size: tuple[int, int]) -> None:
    """Each is encoded to even sides, square pixels, 4:2:0 of eight bits and limited range."""
    report = run(video(recipe))

    seen = videos.look(Path("video.mp4"))["video"]
    assert size == (report["width"], report["height"]) == (seen["width"], seen["height"])
    assert ("yuv420p", "1:1") == (seen["pix_fmt"], seen.get("sample_aspect_ratio", "1:1"))
    assert "tv" == seen.get("color_range", "tv")
    assert ("aac" if recipe == "surround" else None) == report["audio"]
    with Image.open("poster.jpg") as poster:
        assert poster.width <= 640
    assert not report["truncated"]


@pytest.mark.parametrize(("recipe", "remuxed"), [("bt709", False), ("bt709-safe", True), ("hdr-red", False)])
def test_the_poster_has_the_videos_colours(
    run: Run,
    video: Callable[[str], Path],
    recipe: str,
    remuxed: bool,
) -> None:
    """A JPEG is read in another matrix than an HD video, and looks the same nevertheless."""
    report = run(video(recipe))

    assert remuxed == report["remuxed"]
    with Image.open("poster.jpg") as poster:
        assert pytest.approx(videos.first_pixel(Path("video.mp4")), abs=6) == poster.getpixel((50, 50))


def test_tones_are_mapped(run: Run, video: Callable[[str], Path]) -> None:
    """A video of high dynamic range is tagged as plain afterwards, and the report says what was done."""
    report = run(video("hdr"))

    seen = videos.look(Path("video.mp4"))["video"]
    assert report["toneMapped"]
    assert ("bt709", "bt709") == (seen["color_transfer"], seen["color_primaries"])


@pytest.mark.parametrize(
    ("container", "changes"),
    [("matroska", {b"A_AAC": b"A_XYZ"}), ("mp4", {b"mp4a": b"ac-4", b"esds": b"free"})],
)
def test_sound_that_can_t_be_decoded_is_left_out(
    run: Run, video: Callable[[str], Path], tmp_path: Path, container: str, changes: dict[bytes, bytes]
) -> None:
    """Unknown to ffmpeg, or not decodable: the video has no sound, and the report says so."""
    videos.ffmpeg("-i", str(video("safe")), "-c", "copy", "-f", container, str(tmp_path / "video"))
    data = (tmp_path / "video").read_bytes()
    for known, unknown in changes.items():
        assert 1 == data.count(known)
        data = data.replace(known, unknown)

    report = run(data)

    assert (None, True) == (report["audio"], report["soundDropped"])
    assert "25" == videos.look(Path("video.mp4"))["video"]["nb_read_frames"]


def test_uneven_times_are_kept(run: Run, video: Callable[[str], Path]) -> None:
    """No frame is added or dropped where a phone's frames came unevenly."""
    run(video("uneven"))

    assert (
        videos.look(video("uneven"))["video"]["nb_read_frames"]
        == videos.look(Path("video.mp4"))["video"]["nb_read_frames"]
    )


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_baked_in(run: Run, video: Callable[[str], Path], tmp_path: Path, degrees: int) -> None:
    """A video that a phone took upright is upright everywhere, with its poster."""
    videos.rotated(video("plain"), tmp_path / "turned", degrees)
    report = run(tmp_path / "turned")

    expected = (320, 240) if degrees == 180 else (240, 320)
    seen = videos.look(Path("video.mp4"))["video"]
    assert expected == (report["width"], report["height"]) == (seen["width"], seen["height"])
    assert not any("rotation" in data for data in seen.get("side_data_list", []))
    with Image.open("poster.jpg") as poster:
        assert expected == poster.size


def test_a_mirrored_video_is_put_right(run: Run, video: Callable[[str], Path], tmp_path: Path) -> None:
    """A matrix that mirrors is baked in, too."""
    videos.flipped(video("upside-down"), tmp_path / "flipped")
    red, green, _ = videos.first_pixel(video("upside-down"))
    assert green > red

    assert not run(tmp_path / "flipped")["remuxed"]

    red, green, _ = videos.first_pixel(Path("video.mp4"))
    assert red > green
    with Image.open("poster.jpg") as poster:
        assert pytest.approx(videos.first_pixel(Path("video.mp4")), abs=6) == poster.getpixel((10, 10))


def test_an_interlaced_video_is_woven(run: Run, video: Callable[[str], Path]) -> None:
    """Browsers show both fields of a frame at once, which therefore have one time afterwards."""
    assert "tt" == videos.look(video("interlaced"))["video"]["field_order"]

    assert not run(video("interlaced"))["remuxed"]

    seen = videos.look(Path("video.mp4"))["video"]
    assert ("progressive", "25") == (seen["field_order"], seen["nb_read_frames"])
    assert videos.combed(video("interlaced")) > 5000
    assert videos.combed(Path("video.mp4")) < 100


def test_a_fast_video_is_slowed_to_what_screens_show(run: Run, video: Callable[[str], Path]) -> None:
    """Frames are dropped; its duration stays."""
    report = run(video("fast"))

    assert (False, pytest.approx(0.5, abs=0.05)) == (report["remuxed"], report["duration"])
    assert "60/1" == videos.look(Path("video.mp4"))["video"]["avg_frame_rate"]


def test_a_video_that_was_cut_off_is_reported(run: Run, video: Callable[[str], Path], tmp_path: Path) -> None:
    """All frames that it has are encoded, and the report says that they are fewer than claimed."""
    videos.ffmpeg(*("-stream_loop", "3", "-i", str(video("plain")), "-c", "copy", "-f", "mp4", str(tmp_path / "long")))
    videos.faststart(tmp_path / "long", tmp_path / "whole")
    data = (tmp_path / "whole").read_bytes()

    report = run(data[: len(data) // 2])

    assert report["truncated"]
    assert report["duration"] < 3
    assert int(videos.look(Path("video.mp4"))["video"]["nb_read_frames"]) > 10


def test_a_video_that_starts_late_is_as_long_as_it_is(run: Run, video: Callable[[str], Path]) -> None:
    """A part of a recording, whose clock went on: neither too long, nor cut off."""
    assert "501.000000" == videos.look(video("late"))["format"]["duration"]

    report = run(video("late"))

    assert (pytest.approx(1.0), False) == (report["duration"], report["truncated"])


def test_subtitles_may_be_longer_than_the_video(run: Run, video: Callable[[str], Path], tmp_path: Path) -> None:
    """They are left out, and nothing of the video is missing."""
    (tmp_path / "words.srt").write_text(
        "1\n00:00:00,000 --> 00:00:01,000\nHello\n\n2\n00:00:19,000 --> 00:00:20,000\nthere\n"
    )
    source = ("-i", str(video("plain")), "-i", str(tmp_path / "words.srt"), "-map", "0", "-map", "1", "-c", "copy")
    videos.ffmpeg(*source, "-f", "matroska", str(tmp_path / "video"))
    assert float(videos.look(tmp_path / "video")["format"]["duration"]) > 19

    assert not run(tmp_path / "video")["truncated"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (b"", "the file is empty"),
        (b"Hello, world\n" * 100, "not a video"),
        (bytes(range(256)) * 40, "not a video"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "not a video"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "not a video"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a video"),
    ],
)
def test_a_file_that_is_no_video_is_refused(run: Run, source: bytes, reason: str) -> None:
    """With the reason, whatever its name."""
    with pytest.raises(RefusedError, match=reason):
        run(source)


def test_a_playlist_reads_no_other_file(run: Run, video: Callable[[str], Path], tmp_path: Path) -> None:
    """A playlist can't reach a video on this machine: its format is not accepted."""
    videos.ffmpeg(*("-i", str(video("safe")), "-c", "copy", "-f", "mpegts", str(tmp_path / "private.ts")))
    playlist = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\nfile://{tmp_path}/private.ts\n#EXT-X-ENDLIST\n"
    with pytest.raises(RefusedError, match="not a video"):
        run(playlist.encode())
    assert ["source"] == [path.name for path in Path().iterdir()]


@pytest.mark.parametrize(
    ("recipe", "changes", "reason"),
    [
        ("sound", {}, "sound but no video"),
        ("mp3-with-cover", {}, "sound but no video"),
        ("two-minutes", {}, r"lasts 120 s or more; 60 s are allowed \(VIDEO_MAX_DURATION\)"),
        ("large", {"maxPixels": 1_000_000}, "2560x1440 pixels, more than 1.0 million"),
    ],
)
def test_a_video_beyond_the_limits_is_refused(
    run: Run, video: Callable[[str], Path], recipe: str, changes: dict[str, Any], reason: str
) -> None:
    """In clear words, and before anything is encoded."""
    with pytest.raises(RefusedError, match=reason):
        run(video(recipe), **changes)
    assert ["source"] == [path.name for path in Path().iterdir()]


def test_av1_without_a_decoder(run: Run, video: Callable[[str], Path]) -> None:
    """The video is not at fault, and the operator reads what to change."""
    with pytest.raises(RefusedError, match=r"this ffmpeg can't decode AV1; set FFMPEG_PATH"):
        run(video("av1"), av1=False)


def test_a_video_that_hides_its_length_is_refused(run: Run, video: Callable[[str], Path], tmp_path: Path) -> None:
    """A stream without a duration is encoded no further than the limit, and refused there."""
    videos.ffmpeg("-i", str(video("two-minutes")), "-c:v", "libvpx", "-f", "webm", "-live", "1", str(tmp_path / "live"))
    assert "duration" not in videos.look(tmp_path / "live")["format"]

    with pytest.raises(RefusedError, match="lasts 61 s or more; 60 s are allowed"):
        run(tmp_path / "live")


def test_an_index_that_is_missing(run: Run, video: Callable[[str], Path]) -> None:
    """An upload that broke off before its index can't be played."""
    data = video("plain").read_bytes()
    with pytest.raises(RefusedError, match="not a video"):
        run(data[: data.index(b"moov") - 4])


def test_frames_that_can_t_be_decoded(run: Run, video: Callable[[str], Path]) -> None:
    """An index without its frames is refused, however good the file looks."""
    data = bytearray(video("plain").read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    with pytest.raises(RefusedError, match=r"can't be decoded|damaged"):
        run(bytes(data))


def test_where_memory_is_short_a_large_video_is_made_smaller(run: Run, video: Callable[[str], Path]) -> None:
    """720 lines are better than no video."""
    report = run(video("large"), memory=200 * MEBIBYTE)

    assert (1280, 720) == (report["width"], report["height"])


def test_where_memory_runs_out_a_smaller_video_is_made(
    run: Run, video: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the plan was too optimistic, 720 lines are tried before it fails, and progress goes on."""
    tried: list[str] = []

    def perform(command: list[str], *arguments: Any) -> None:
        if encode.VIDEO in command:  # not for the poster alone
            tried.append(next(part for part in command if "scale=" in part))
        if len(tried) == 1:
            raise encode.ShortOfMemoryError
        encode.run(command, *arguments)

    monkeypatch.setattr("processors.media.video.make_video.run_ffmpeg", perform)
    report = run(video("large"))

    assert (2, 1280, 720) == (len(tried), report["width"], report["height"])
