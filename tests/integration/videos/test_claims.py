"""An upload's claims about itself may be false, and each upload that can't be decoded has one clear reason."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from processors.sandbox.protocol import RefusedError
from tests.support import videos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.videos.conftest import Run

FOLDERS = frozenset({b"moov", b"trak", b"mdia", b"mvex"})
SKIPPED = {b"mvhd": 12, b"mdhd": 12, b"tkhd": 16, b"mehd": 0}  # bytes before a duration of 32 bits
KEY = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb")
KEY_ID = ("-encryption_kid", "a7e61c373e219033c21091fa607bf3b8")


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of an MP4: kind and content."""
    while data:
        size, kind = struct.unpack(">I4s", data[:8])
        yield kind, data[8:size]
        data = data[size:]


def unknown(data: bytes, bits: int) -> bytes:
    """An MP4 whose durations are all unknown: all bits set, in this many bits."""
    made = b""
    for kind, content in boxes(data):
        if kind in FOLDERS:
            body = unknown(content, bits)
        elif kind in SKIPPED:
            body = _all_ones(content, SKIPPED[kind], bits)
        else:
            body = content
        made += struct.pack(">I4s", 8 + len(body), kind) + body
    return made


def _all_ones(content: bytes, skipped: int, bits: int) -> bytes:
    before, after = content[4 : 4 + skipped], content[8 + skipped :]
    if bits == 32:
        return content[:4] + before + b"\xff" * 4 + after
    times = b"".join(bytes(4) + before[place : place + 4] for place in (0, 4) if before)
    return b"\1" + content[1:4] + times + before[8:] + b"\xff" * 8 + after


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("flags", ["frag_keyframe+empty_moov+default_base_moof", "faststart"])
def test_a_duration_that_is_unknown(
    run: Run, video: Callable[[str], Path], tmp_path: Path, bits: int, flags: str
) -> None:
    """A live recording has all bits set, which does not mean 279,620 seconds."""
    videos.ffmpeg("-i", str(video("safe")), "-c", "copy", "-movflags", flags, "-f", "mp4", str(tmp_path / "video"))

    report = run(unknown((tmp_path / "video").read_bytes(), bits) if flags != "faststart" else _moved(tmp_path, bits))

    assert (pytest.approx(1.0, abs=0.1), False, "aac") == (report["duration"], report["truncated"], report["audio"])
    assert "25" == videos.look(Path("video.mp4"))["video"]["nb_read_frames"]


def _moved(folder: Path, bits: int) -> bytes:
    """The same for a video whose index follows its frames, so that their offsets stay the same."""
    videos.ffmpeg("-i", str(folder / "video"), "-c", "copy", "-f", "mp4", str(folder / "behind"))
    return unknown((folder / "behind").read_bytes(), bits)


def test_a_claim_that_its_packets_deny(run: Run, video: Callable[[str], Path], tmp_path: Path) -> None:
    """A video that claims more than is allowed, and has less, was cut off."""
    videos.ffmpeg("-i", str(video("plain")), "-c", "copy", "-f", "matroska", str(tmp_path / "video"))
    data = (tmp_path / "video").read_bytes()
    assert b"00:00:01.0" in data

    report = run(data.replace(b"00:00:01.0", b"09:00:01.0"))

    assert (pytest.approx(1.0, abs=0.1), True) == (report["duration"], report["truncated"])


@pytest.mark.parametrize("encrypted", ["MPEG-CENC", "Apple"])
def test_a_video_that_is_protected(run: Run, video: Callable[[str], Path], tmp_path: Path, encrypted: str) -> None:
    """A clear reason, in place of a decoder's complaints about noise."""
    if encrypted == "Apple":
        source = video("safe").read_bytes().replace(b"avc1\0\0\0\0", b"drmi\0\0\0\0")
        assert b"drmi" in source
    else:
        videos.ffmpeg("-i", str(video("safe")), "-c", "copy", *KEY, *KEY_ID, "-f", "mp4", str(tmp_path / "video"))
        source = (tmp_path / "video").read_bytes()
        assert b"encv" in source

    with pytest.raises(RefusedError, match=r"^the video is protected \(DRM\): it can't be decoded without its key$"):
        run(source)


def test_frames_of_an_unknown_codec(run: Run, video: Callable[[str], Path]) -> None:
    """The reason names the codec's four-letter code."""
    with pytest.raises(RefusedError, match=r"coded in a way that ffmpeg doesn't know \(xyz1\)"):
        run(video("safe").read_bytes().replace(b"avc1\0\0\0\0", b"xyz1\0\0\0\0"))


def test_the_first_sound_that_can_be_decoded_is_taken(run: Run, video: Callable[[str], Path], tmp_path: Path) -> None:
    """A video with one track for home cinemas and one for all others gets the latter."""
    both = ("-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy", "-f", "matroska")
    videos.ffmpeg("-i", str(video("safe")), *both, str(tmp_path / "video"))
    data = (tmp_path / "video").read_bytes()
    assert 2 == data.count(b"A_AAC")

    report = run(data.replace(b"A_AAC", b"A_XYZ", 1))

    assert ("aac", False) == (report["audio"], report["soundDropped"])
    assert pytest.approx(1.0, abs=0.1) == float(videos.look(Path("video.mp4"))["audio"]["duration"])


@pytest.mark.parametrize(("frames", "form"), [("plain", "mp4"), ("safe", "mp4"), ("safe", "matroska")])
def test_sound_that_starts_late(run: Run, video: Callable[[str], Path], tmp_path: Path, frames: str, form: str) -> None:
    """The video lasts until the sound ends, encoded as well as remuxed."""
    late = ("-itsoffset", "2", "-i", str(video("sound")), "-map", "0:v", "-map", "1:a", "-c", "copy", "-f", form)
    videos.ffmpeg("-i", str(video(frames)), *late, str(tmp_path / "video"))

    report = run(tmp_path / "video")

    assert (pytest.approx(3.0, abs=0.1), False) == (report["duration"], report["truncated"])
