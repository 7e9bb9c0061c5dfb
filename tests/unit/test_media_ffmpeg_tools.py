"""Which ffmpeg is fit. Scripts stand for it, because only its own output is checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from processors.media.video.ffmpeg_tools import FfmpegTools, NoFfmpegError, find

if TYPE_CHECKING:
    from pathlib import Path

ENCODERS = " V....D libx264              H.264\n A....D aac                  AAC\n"
OWN_AV1 = " V....D av1                  Alliance for Open Media AV1\n"


@pytest.fixture
def ffmpeg(tmp_path: Path) -> Path:
    """A script that answers each option with the file of that name."""
    path = tmp_path / "ffmpeg"
    path.write_text(f'#!/bin/sh\ncat "{tmp_path}/answer$2"\n')
    path.chmod(0o700)
    (tmp_path / "answer-encoders").write_text(ENCODERS)
    (tmp_path / "answer-decoders").write_text(OWN_AV1)
    (tmp_path / "answer-version").write_text("ffmpeg version n8.1.2 Copyright")
    return path


@pytest.mark.parametrize(
    ("decoders", "av1"),
    [
        (OWN_AV1, False),
        (f"{OWN_AV1} V....D libdav1d             dav1d AV1 decoder (codec av1)\n", True),
        (f" V....D libaom-av1           libaom AV1 (codec av1)\n{OWN_AV1}", True),
    ],
)
def test_whether_av1_can_be_decoded(ffmpeg: Path, decoders: str, av1: bool) -> None:
    """Ffmpeg's own decoder decodes nothing without a graphics card."""
    (ffmpeg.parent / "answer-decoders").write_text(decoders)

    assert FfmpegTools(ffmpeg, ffmpeg, 8, av1) == find(str(ffmpeg), str(ffmpeg))


def test_an_encoder_that_is_missing(ffmpeg: Path) -> None:
    """Videos need both encoders, and the message names the missing one."""
    (ffmpeg.parent / "answer-encoders").write_text(ENCODERS.splitlines()[0])

    with pytest.raises(NoFfmpegError, match="ffmpeg has no encoder aac; set FFMPEG_PATH"):
        find(str(ffmpeg), str(ffmpeg))


def test_an_ffmpeg_that_is_too_old(ffmpeg: Path) -> None:
    """It would fail with each video, and blame the video."""
    (ffmpeg.parent / "answer-version").write_text("ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright")

    with pytest.raises(NoFfmpegError, match=r"ffmpeg is ffmpeg 4, and too old; set FFMPEG_PATH to 5\.1"):
        find(str(ffmpeg), str(ffmpeg))
