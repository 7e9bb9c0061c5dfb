"""What an upload says of itself need not be so, and what can't be decoded has one clear reason."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from processors.media.sandbox.protocol import RefusedError
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
    """An MP4 whose durations are all said to be unknown: all ones, in so many bits."""
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
    run: Run, film: Callable[[str], Path], tmp_path: Path, bits: int, flags: str
) -> None:
    """A recording that was written as it went on says all ones, which are no 279,620 seconds."""
    videos.ffmpeg("-i", str(film("safe")), "-c", "copy", "-movflags", flags, "-f", "mp4", str(tmp_path / "film"))

    report = run(unknown((tmp_path / "film").read_bytes(), bits) if flags != "faststart" else _moved(tmp_path, bits))

    assert (pytest.approx(1.0, abs=0.1), False, "aac") == (report["duration"], report["truncated"], report["audio"])
    assert "25" == videos.look(Path("video.mp4"))["video"]["nb_read_frames"]


def _moved(folder: Path, bits: int) -> bytes:
    """The same of a film whose index is behind its pictures: their places stay the same."""
    videos.ffmpeg("-i", str(folder / "film"), "-c", "copy", "-f", "mp4", str(folder / "behind"))
    return unknown((folder / "behind").read_bytes(), bits)


def test_a_claim_that_its_packets_deny(run: Run, film: Callable[[str], Path], tmp_path: Path) -> None:
    """A film that claims more than is allowed, and has less, is one that was cut off."""
    videos.ffmpeg("-i", str(film("plain")), "-c", "copy", "-f", "matroska", str(tmp_path / "film"))
    data = (tmp_path / "film").read_bytes()
    assert b"00:00:01.0" in data

    report = run(data.replace(b"00:00:01.0", b"09:00:01.0"))

    assert (pytest.approx(1.0, abs=0.1), True) == (report["duration"], report["truncated"])


@pytest.mark.parametrize("encrypted", ["MPEG-CENC", "Apple"])
def test_a_film_that_is_protected(run: Run, film: Callable[[str], Path], tmp_path: Path, encrypted: str) -> None:
    """A clear reason, in place of what a decoder says of noise."""
    if encrypted == "Apple":
        source = film("safe").read_bytes().replace(b"avc1\0\0\0\0", b"drmi\0\0\0\0")
        assert b"drmi" in source
    else:
        videos.ffmpeg("-i", str(film("safe")), "-c", "copy", *KEY, *KEY_ID, "-f", "mp4", str(tmp_path / "film"))
        source = (tmp_path / "film").read_bytes()
        assert b"encv" in source

    with pytest.raises(RefusedError, match=r"^the film is protected \(DRM\): it can't be decoded without its key$"):
        run(source)


def test_pictures_of_a_kind_that_nobody_knows(run: Run, film: Callable[[str], Path]) -> None:
    """They are named by the mark that the film has."""
    with pytest.raises(RefusedError, match=r"coded in a way that ffmpeg doesn't know \(xyz1\)"):
        run(film("safe").read_bytes().replace(b"avc1\0\0\0\0", b"xyz1\0\0\0\0"))


def test_the_first_sound_that_can_be_decoded_is_taken(run: Run, film: Callable[[str], Path], tmp_path: Path) -> None:
    """A film with a track for the home cinema and one for all others has that of all others."""
    both = ("-map", "0:v", "-map", "0:a", "-map", "0:a", "-c", "copy", "-f", "matroska")
    videos.ffmpeg("-i", str(film("safe")), *both, str(tmp_path / "film"))
    data = (tmp_path / "film").read_bytes()
    assert 2 == data.count(b"A_AAC")

    report = run(data.replace(b"A_AAC", b"A_XYZ", 1))

    assert ("aac", False) == (report["audio"], report["soundDropped"])
    assert pytest.approx(1.0, abs=0.1) == float(videos.look(Path("video.mp4"))["audio"]["duration"])


@pytest.mark.parametrize(("pictures", "form"), [("plain", "mp4"), ("safe", "mp4"), ("safe", "matroska")])
def test_sound_that_starts_late(
    run: Run, film: Callable[[str], Path], tmp_path: Path, pictures: str, form: str
) -> None:
    """The film lasts until the sound ends, encoded as well as wrapped anew."""
    late = ("-itsoffset", "2", "-i", str(film("sound")), "-map", "0:v", "-map", "1:a", "-c", "copy", "-f", form)
    videos.ffmpeg("-i", str(film(pictures)), *late, str(tmp_path / "film"))

    report = run(tmp_path / "film")

    assert (pytest.approx(3.0, abs=0.1), False) == (report["duration"], report["truncated"])
