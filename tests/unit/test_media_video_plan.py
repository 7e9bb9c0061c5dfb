"""The plan for a video, and its command lines. No ffmpeg runs."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from processors.media.video import encode, probe
from processors.media.video.colour import PLAIN
from processors.media.video.packets import Packets
from processors.media.video.plan import Plan, plan, smaller
from processors.media.video.probe import Probe, Sound
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import FailedError, RefusedError

SAFE = Probe(
    index=0,
    codec="h264",
    profile="High",
    level=41,
    pixel_format="yuv420p",
    width=1920,
    height=1080,
    pixel=1.0,
    rotation=0,
    mirrored=False,
    fps=30.0,
    clock=15_360,
    interlaced=False,
    colour=PLAIN,
    duration=10.0,
    bit_rate=4_000_000,
    sounds=(Sound(1, "aac"),),
    has_sound=True,
)
PQ, HLG = (replace(PLAIN, transfer=transfer) for transfer in ("smpte2084", "arib-std-b67"))
MEMORY = 290 * MEBIBYTE
TOOL = Path("/bin/ffmpeg")


def decide(memory: int = MEMORY, version: int = 8, **changes: Any) -> Plan:
    """The plan for a video that is fit for the web except for these changes."""
    return plan(replace(SAFE, **changes), 60.0, 4096 * 2304, memory, version)


@pytest.mark.parametrize(
    "changes", [{}, {"sounds": ()}, {"width": 1080, "height": 1920}, {"profile": "Main"}, {"fps": 60.02}]
)
def test_a_video_fit_for_the_web_is_remuxed(changes: dict[str, Any]) -> None:
    """Every browser plays it as it is."""
    assert decide(**changes).remux


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"codec": "hevc"}, (1920, 1080)),
        ({"profile": "High 10", "pixel_format": "yuv420p10le"}, (1920, 1080)),
        ({"pixel_format": "yuvj420p"}, (1920, 1080)),
        ({"sounds": (Sound(1, "opus"),)}, (1920, 1080)),
        ({"bit_rate": 0}, (1920, 1080)),
        ({"bit_rate": 20_000_000}, (1920, 1080)),
        ({"colour": PQ}, (1920, 1080)),
        ({"rotation": 180}, (1920, 1080)),
        ({"mirrored": True}, (1920, 1080)),
        ({"interlaced": True}, (1920, 1080)),
        ({"fps": 240.0}, (1920, 1080)),
        ({"rotation": -90}, (1080, 1920)),
        ({"rotation": 90, "width": 641, "height": 479}, (478, 640)),
        ({"width": 1440, "pixel": 4 / 3, "sounds": ()}, (1920, 1080)),
        ({"width": 3840, "height": 2160}, (1920, 1080)),
        ({"width": 4096, "height": 1024}, (1920, 480)),
        ({"width": 1, "height": 1, "codec": "gif"}, (2, 2)),
    ],
)
def test_the_size_of_an_encoded_video(changes: dict[str, Any], size: tuple[int, int]) -> None:
    """Fitted into 1080p either way, never enlarged, its sides even."""
    decided = decide(**changes)

    assert (False, size) == (decided.remux, (decided.width, decided.height))
    assert decided.need <= MEMORY


@pytest.mark.parametrize(
    ("memory", "changes", "size"),
    [
        (240, {}, (1280, 720)),
        (290, {"pixel_format": "yuv420p10le"}, (1280, 720)),
        (290, {"colour": HLG}, (1280, 720)),
        (290, {"codec": "hevc", "level": 153}, (1920, 1080)),
        (290, {"level": 60}, (1280, 720)),
        (290, {"pixel_format": "yuv444p"}, (1280, 720)),
        (480, {"colour": HLG}, (1920, 1080)),
    ],
)
def test_a_large_video_is_smaller_where_memory_is_short(
    memory: int, changes: dict[str, Any], size: tuple[int, int]
) -> None:
    """4K takes more memory, and more still with ten bits or tones to map."""
    decided = decide(memory * MEBIBYTE, width=3840, height=2160, **changes)

    assert size == (decided.width, decided.height)
    assert decided.need <= memory * MEBIBYTE


@pytest.mark.parametrize("changes", [{"codec": "hevc"}, {"pixel_format": "yuv420p10le"}, {"colour": PQ}, {"level": 60}])
def test_full_hd_stays_full_hd_in_the_default_memory(changes: dict[str, Any]) -> None:
    """With any colours, and with any number of frames in its decoder."""
    decided = decide(bit_rate=0, **changes)

    assert (1920, 1080) == (decided.width, decided.height)
    assert 100 * MEBIBYTE < decided.need < MEMORY


@pytest.mark.parametrize("changes", [{}, {"bit_rate": 0}, {"width": 640, "height": 360, "bit_rate": 0}])
def test_an_ffmpeg_with_many_libraries_is_given_more(changes: dict[str, Any]) -> None:
    """That of Debian and Ubuntu, to remux as well as to encode."""
    assert 45 * MEBIBYTE == decide(version=5, **changes).need - decide(version=8, **changes).need


def test_a_smaller_video_where_memory_ran_out() -> None:
    """With the same memory, until there is no smaller size."""
    full = decide(bit_rate=0)
    less = smaller(SAFE, full)

    assert less == replace(full, width=1280, height=720)
    assert smaller(SAFE, less) is None
    small = replace(SAFE, width=640, height=360)
    assert smaller(small, replace(full, width=640, height=360)) is None


@pytest.mark.parametrize("version", [5, 8])
def test_a_gif_in_full_hd_stays_in_full_hd(version: int) -> None:
    """Its frames are large in memory, but its decoder keeps one of them."""
    decided = decide(version=version, codec="gif", pixel_format="bgra", level=-99, sounds=())

    assert (1920, 1080) == (decided.width, decided.height)


def test_a_small_video_leaves_memory_to_others() -> None:
    """The reservation depends on the video's size."""
    assert decide(width=640, height=480, bit_rate=0).need < 80 * MEBIBYTE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"duration": 60.1}, "VIDEO_MAX_DURATION"), ({"width": 8192, "height": 4320}, "8192x4320 pixels")],
)
def test_limits(changes: dict[str, Any], reason: str) -> None:
    """A video beyond a limit is refused with a reason that names it."""
    with pytest.raises(RefusedError, match=reason):
        decide(**changes)


@pytest.mark.parametrize("video", [SAFE, replace(SAFE, colour=PQ), replace(SAFE, fps=120.0)])
@pytest.mark.parametrize("version", [5, 7, 8])
def test_no_command_opens_anything_else(video: Probe, version: int) -> None:
    """Each names formats and protocol before its one input, and nothing from the upload."""
    size = Plan(remux=False, width=640, height=480, need=1)
    first, *poster = encode.encode_commands(TOOL, version, video, size, 60.0)
    assert ["file:video.mp4"] * (version == 7) == [part for each in poster for part in each if part.startswith("file:")]
    commands = [
        first,
        encode.remux_command(TOOL, video),
        encode.poster_command(TOOL, video),
    ]
    for command in commands:
        assert command[0] == str(TOOL)
        before, after = command[: command.index("-i")], command[command.index("-i") :]
        assert ["file:source"] == [part for place, part in enumerate(after) if after[place - 1] == "-i"]
        assert "file" == before[before.index("-protocol_whitelist") + 1]
        formats = before[before.index("-format_whitelist") + 1].split(",")
        assert {"mov", "matroska", "gif"} <= set(formats)
        assert {"hls", "concat", "tty", "dash", "image2"}.isdisjoint(formats)
        assert "-1" == after[after.index("-map_metadata") + 1]
        assert "-nostdin" in command


@pytest.mark.parametrize(
    ("whole", "streams", "seconds"),
    [
        ({"duration": "20.0"}, [{"duration": "2.0"}], 2.0),
        ({"duration": "20.0"}, [{}], 20.0),
        ({"duration": "502.0", "start_time": "500.0"}, [{}], 502.0),
        ({"duration": "502.0", "start_time": "500.0", "format_name": "matroska,webm"}, [{}], 2.0),
        ({"duration": "2.0", "start_time": "500.0", "format_name": "matroska,webm"}, [{}], 2.0),
        (
            {"duration": "20.0", "start_time": "3600.0"},
            [{"start_time": "3600.0", "tags": {"DURATION": "01:00:02.500000000"}}],
            2.5,
        ),
        ({"duration": "20.0"}, [{"tags": {"DURATION": "soon"}}], 20.0),
        ({"duration": "10.0"}, [{"duration": "8.0"}, {"start_time": "3.0", "duration": "7.0"}], 10.0),
        ({"duration": "12.0"}, [{"start_time": "2.0", "duration": "8.0"}, {"duration": "7.0"}], 10.0),
        (
            {"start_time": "500.0"},
            [{"start_time": "500.0", "duration": "1.0"}, {"start_time": "500.5", "duration": "1.0"}],
            1.5,
        ),
        ({"duration": "279620.3"}, [{"duration_ts": 2**32 - 1, "duration": "279620.3"}, {"duration": "2.0"}], 0.0),
        ({"duration": "279620.3"}, [{"duration_ts": 2**64 - 1, "duration": "279620.3"}], 0.0),
        ({}, [{}], 0.0),
    ],
)
def test_how_long_a_video_is(whole: dict[str, Any], streams: list[dict[str, Any]], seconds: float) -> None:
    """From its begin to the end of its longest stream; Matroska records when they end."""
    assert seconds == probe._duration(whole, *streams)


def test_the_probe_opens_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ffprobe is limited in the same way."""
    seen: list[str] = []

    def run(command: list[str], **_: Any) -> Any:
        seen.extend(map(str, command))
        raise InterruptedError

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(InterruptedError):
        probe.probe(Path("/bin/ffprobe"), "source")

    assert ("file", "file:source") == (seen[seen.index("-protocol_whitelist") + 1], seen[-1])
    assert "hls" not in seen[seen.index("-format_whitelist") + 1].split(",")


@pytest.mark.parametrize(
    ("status", "stderr", "kind", "reason"),
    [
        (-24, "", RefusedError, "more processor time"),
        (-25, "", RefusedError, "larger than a file may be"),
        (69, "get_buffer() failed\nno frame!\nDecode error rate 0.9 exceeds maximum", RefusedError, "MEDIA_MEMORY"),
        (187, "x264 [error]: malloc of size 7332416 failed\nGeneric error", RefusedError, "MEDIA_MEMORY"),
        (244, "Cannot allocate memory\nNothing was written", RefusedError, "MEDIA_MEMORY"),
        (127, "ffmpeg: error while loading: failed to map segment from shared object", RefusedError, "MEDIA_MEMORY"),
        (1, "[mjpeg] ff_frame_thread_encoder_init failed\nmaybe incorrect parameters", RefusedError, "MEDIA_MEMORY"),
        (0, "Error submitting packet to decoder: Out of memory\nCould not find ref", RefusedError, "MEDIA_MEMORY"),
        (183, "moov atom not found", RefusedError, "can't be decoded: moov atom not found"),
        (
            234,
            "[out#1/image2 @ 0x7fc8bf405ac0] Nothing was written into output file, because at least one of its streams",
            RefusedError,
            "^the video is damaged: not one frame of it can be decoded$",
        ),
        (234, "", RefusedError, "it said nothing"),
        (-9, "", FailedError, "ended with -9"),
        (-11, "", FailedError, "ended with -11"),
        (228, "av_write: No space left on device", FailedError, "No space left"),
    ],
)
def test_endings_of_ffmpeg(status: int, stderr: str, kind: type[Exception], reason: str) -> None:
    """The video's fault is for good; the machine's is not. A video that lost frames by a full disk is none."""
    heard = encode._read_errors(BytesIO(stderr.encode()))

    with pytest.raises(kind, match=reason):
        encode._judge(status, *heard)


def test_a_video_with_some_damage_is_one() -> None:
    """Ffmpeg reports what it could not decode, and goes on."""
    encode._judge(0, *encode._read_errors(BytesIO(b"Invalid NAL unit size\n")))


def test_facts_from_packets() -> None:
    """Encryption, the length of each stream, and the last frame's duration, in any order of packets."""
    told = Packets(0)
    for line in (
        "0,0.000000,0.100000,K__",
        "0,0.300000,2.000000,___",
        "0,0.100000,0.200000,___",
        "1,0.000000,0.020000,K__,Encryption info,Skip Samples",
        "",
        "1,0.020000,N/A,KD_",
        "2,N/A,N/A,___",
    ):
        told.take(line)

    assert (2.0, True, {1}, False) == (told.hold, told.is_held, told.locked, told.hides)
    assert {0: pytest.approx(2.3), 1: pytest.approx(0.02), 2: 0.0} == told.lengths


@pytest.mark.parametrize("line", ["0,0.000000,0.040000,KD_", "1,0.000000,0.200000,KD_"])
def test_odd_packets(line: str) -> None:
    """One frame, or more sound than an encoder needs."""
    told = Packets(0)
    told.take(line)

    assert told.hides


@pytest.mark.parametrize(
    ("stream", "whole"),
    [
        ({"codec_tag_string": "drmi"}, {}),
        ({"tags": {"ENC_KEY_ID": "c2VjcmV0"}}, {}),
        ({}, {"tags": {"ASF_Protection_Type": "DRM"}}),
        ({}, {"tags": {"encryption": "ASF Extended Content Encryption"}}),
    ],
)
def test_protected_videos(stream: dict[str, Any], whole: dict[str, Any]) -> None:
    """The marks of Apple, WebM and Windows Media, as ffprobe shows them."""
    video = {"index": 0, "codec_type": "video", "codec_name": "h264", "width": 64, "height": 64}

    with pytest.raises(RefusedError, match="protected"):
        probe._read({"streams": [video | stream], "format": whole})
