"""Each frame of a video is shown at the same time, and for as long, as in the upload."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageDraw

from tests.support import videos

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.integration.videos.conftest import Run

STEADY = [100] * 9
UNEVEN = [70, 130, 40, 330, 90, 50, 410, 60, 20, 110, 90, 70, 50]


def gif(path: Path, durations: Sequence[int]) -> Path:
    """An animated GIF with a moving bar; each frame is shown for this many milliseconds."""
    frames = []
    for number, _ in enumerate(durations):
        frame = Image.new("RGB", (200, 152), (40, 40, 90))
        ImageDraw.Draw(frame).rectangle((number * 10, 20, number * 10 + 40, 80), fill=(255, 0, 0))
        frames.append(frame.quantize(64))
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=list(durations), loop=0)
    return path


def shown(path: Path) -> list[int]:
    """How long each frame is shown, in milliseconds."""
    seen = videos.look(path)
    times = [*videos.times(path), float(seen["video"]["duration"])]
    return [round(1000 * (after - before)) for before, after in pairwise(times)]


@pytest.mark.parametrize("durations", [STEADY, UNEVEN, [500], [70]], ids=str)
def test_a_gif_s_frames_keep_their_times(run: Run, tmp_path: Path, durations: list[int]) -> None:
    """However uneven they are."""
    report = run(gif(tmp_path / "video", durations))

    assert durations == shown(Path("video.mp4"))
    assert (pytest.approx(sum(durations) / 1000), False) == (report["duration"], report["truncated"])


@pytest.mark.parametrize("count", [2, 3, 4, 7, 8])
def test_the_last_frame_is_shown_as_long_as_in_the_upload(run: Run, tmp_path: Path, count: int) -> None:
    """However many frames come before it: encoders reorder frames."""
    durations = [*[100] * (count - 1), 2000]
    report = run(gif(tmp_path / "video", durations))

    assert durations == shown(Path("video.mp4"))
    assert (pytest.approx(sum(durations) / 1000), False) == (report["duration"], report["truncated"])


@pytest.mark.parametrize("codec", ["libx265", "libvpx-vp9"])
def test_a_video_s_last_frame_is_held(run: Run, tmp_path: Path, codec: str) -> None:
    """As in a recording of a screen on which nothing moves any more."""
    hold = r"setts=pts=PTS:dts=DTS:duration=if(eq(NEXT_PTS\,NOPTS)\,4.8/TB\,DURATION)"
    source = ("-f", "lavfi", "-i", f"testsrc2=s={videos.SIZE}:r=10:d=0.3", "-video_track_timescale", "10240")
    form = "matroska" if codec == "libvpx-vp9" else "mov"
    videos.ffmpeg(
        *source,
        "-enc_time_base",
        "1/10240",
        "-c:v",
        codec,
        "-bf",
        "0",
        "-bsf:v",
        hold,
        "-f",
        form,
        str(tmp_path / "video"),
    )

    report = run(tmp_path / "video")

    assert (pytest.approx(5.0, abs=0.01), False) == (report["duration"], report["truncated"])
    assert [100, 100, 4800] == shown(Path("video.mp4"))


@pytest.mark.parametrize("rate", ["24000/1001", "60"])
def test_a_steady_video_stays_steady(run: Run, tmp_path: Path, rate: str) -> None:
    """Its frame rate is exactly the same, and no frame is lost or added."""
    videos.ffmpeg(
        "-f",
        "lavfi",
        "-i",
        f"testsrc2=s={videos.SIZE}:r={rate}:d=1",
        *videos.MPEG4,
        "-f",
        "mp4",
        str(tmp_path / "video"),
    )
    run(tmp_path / "video")

    before, after = (videos.look(path)["video"] for path in (tmp_path / "video", Path("video.mp4")))
    names = ("avg_frame_rate", "nb_read_frames", "duration")
    assert [before[name] for name in names] == [after[name] for name in names]
