"""Videos that the tests make, each odd in one way.

They are made, and examined, with the wheel's ffmpeg, whichever ffmpeg is tested.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from processors.media.video.ffmpeg_tools import FfmpegTools, find, from_wheel

SIZE = "320x240"
STREAM = ("-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r=25:d=1")
SOUND = ("-f", "lavfi", "-i", "sine=d=1")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:ref=5:bframes=4")
LARGE = ("-f", "lavfi", "-i", "testsrc2=s=3840x2160:r=30:d=1")
MPEG4 = ("-c:v", "mpeg4", "-q:v", "5")
ROUGH = ("-c:v", "mpeg4", "-q:v", "31")  # noise in few bytes
RED = ("-f", "lavfi", "-i", "color=red:s=320x240:r=10:d=0.5")
# As videos in HD have it: in this matrix, and saying so.
SAYS_BT709 = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
BT709 = ("-vf", f"format=gbrp,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,{SAYS_BT709}")
BARS = "lum='if(lt(mod(X+8*N,80),40),235,16)'"
HLG = ("-vf", "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc,format=yuv420p10le")

RECIPES: dict[str, tuple[str, ...]] = {
    "plain": (*STREAM, *SOUND, *MPEG4, "-c:a", "aac", "-shortest", "-f", "mp4"),
    "safe": (
        *(*STREAM, *SOUND, *H264, "-profile:v", "main", "-c:a", "aac", "-shortest", "-metadata", "title=SecretTitle"),
        *("-metadata", "location=+52.5+013.4/", "-f", "mp4"),
    ),
    # Where cameras write it: between the frames.
    "place-inside": (*STREAM, *H264, "-bsf:v", f"h264_metadata=sei_user_data={'0' * 32}+SecretPlace", "-f", "mp4"),
    # Its decoder can begin at the frames that are whole, but none says that it is one to begin at.
    "no-keyframe": (
        *(*STREAM, *H264, "-x264-params", "open-gop=1:keyint=10:min-keyint=1:bframes=2"),
        *("-bsf:v", "filter_units=remove_types=5|6", "-f", "mp4"),
    ),
    "odd": ("-f", "lavfi", "-i", "testsrc2=s=641x479:r=10:d=1", "-c:v", "libx264", "-pix_fmt", "yuv444p", "-f", "mp4"),
    "silent": (*STREAM, *MPEG4, "-f", "mp4"),
    "sound": (*SOUND, "-c:a", "aac", "-f", "mp4"),
    "one-frame": ("-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r=25:d=0.04", *MPEG4, "-f", "mp4"),
    "large": ("-f", "lavfi", "-i", "testsrc2=s=2560x1440:r=5:d=0.6", *MPEG4, "-f", "mp4"),
    # As phones and editors write them: several frames to be kept, in order and out of it.
    "4k": (*LARGE, *H264, "-x264-params", "ref=5:bframes=3", "-f", "mp4"),
    "4k-ten-bits": (*LARGE, *H264, "-x264-params", "ref=5:bframes=3", "-pix_fmt", "yuv420p10le", "-f", "mp4"),
    "4k-hevc": (*LARGE, *HEVC, "-f", "mp4"),
    "4k-upright": (*LARGE, *HEVC, "-vf", "transpose", "-f", "mp4"),
    "4k-vp9": (*LARGE, "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-f", "webm"),
    "wide-pixels": (*STREAM, *MPEG4, "-vf", "setsar=2/1", "-f", "mp4"),
    "surround": (*STREAM, "-f", "lavfi", "-i", "sine=d=1", *MPEG4, "-c:a", "ac3", "-ac", "6", "-f", "mp4"),
    "full-range": (*STREAM, "-c:v", "libx264", "-pix_fmt", "yuvj420p", "-color_range", "pc", "-f", "mp4"),
    "gif": (*STREAM, "-f", "gif"),
    "webm": (*STREAM, "-c:v", "libvpx", "-f", "webm"),
    "av1": (*STREAM, "-c:v", "libsvtav1", "-preset", "12", "-f", "mp4"),
    "late": (*STREAM, *MPEG4, "-output_ts_offset", "500", "-f", "matroska"),
    # Upright bars that move: they are at two places at once, in every other line.
    "interlaced": (
        *("-f", "lavfi", "-i", "color=s=320x240:r=50:d=1", "-vf", f"geq={BARS}:cb=128:cr=128,interlace=lowpass=0"),
        *("-flags", "+ilme+ildct", *H264, "-x264-params", "tff=1", "-f", "mp4"),
    ),
    "fast": ("-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r=240:d=0.5", *H264, "-f", "mp4"),
    "upside-down": (
        *("-f", "lavfi", "-i", "color=red:s=64x64:r=10:d=0.5,format=yuv420p,drawbox=h=32:color=lime:t=fill"),
        *(*H264, "-f", "mp4"),
    ),
    "uneven": (*STREAM, *MPEG4, "-vf", "select='not(mod(n\\,3))+lt(n\\,8)'", "-fps_mode", "vfr", "-f", "mp4"),
    "hdr": (*STREAM, *HLG, "-c:v", "libx264", "-f", "mp4"),
    "hdr-red": (*RED, *HLG, "-c:v", "libx264", "-f", "mp4"),
    "bt709": (*RED, *BT709, "-c:v", "mpeg4", "-q:v", "2", "-f", "mp4"),
    "bt709-safe": (*RED, *BT709, "-c:v", "libx264", "-f", "mp4"),
    "two-minutes": ("-f", "lavfi", "-i", "color=s=64x64:r=1:d=120", *MPEG4, "-f", "mp4"),
    "mp3-with-cover": (
        *(*SOUND, "-f", "lavfi", "-i", "color=s=64x64:d=0.04:r=25", "-map", "0", "-map", "1", "-c:a", "libmp3lame"),
        *("-c:v", "mjpeg", "-disposition:v", "attached_pic", "-f", "mp4"),
    ),
}


@functools.cache
def tools() -> FfmpegTools:
    """The wheel's ffmpeg and ffprobe."""
    return find(*(str(from_wheel(name)) for name in ("ffmpeg", "ffprobe")))


@functools.cache
def tools_on_path() -> FfmpegTools | None:
    """The platform's own, if it has both."""
    found = [shutil.which(name) for name in ("ffmpeg", "ffprobe")]
    return find(*found) if all(found) else None


@pytest.fixture(
    params=["path", pytest.param("wheel", marks=pytest.mark.matrix)] if tools_on_path() else ["wheel"],
)
def kit(request: pytest.FixtureRequest) -> FfmpegTools:
    """The ffmpeg that is tested: the one that a worker on this machine uses. `make matrix` tests the wheel's, too."""
    return (tools_on_path() if request.param == "path" else None) or tools()


def make(recipe: str, path: Path) -> None:
    """Make a video."""
    ffmpeg(*RECIPES[recipe], str(path))


def rotated(source: Path, path: Path, degrees: int) -> None:
    """The video, with a display matrix that turns it, as phones write it."""
    command = ["-display_rotation", str(degrees), "-i", str(source), "-c", "copy", "-f", "mp4", str(path)]
    ffmpeg(*command)


def cut(source: Path, path: Path, start: float) -> None:
    """The video from `start` seconds on, as phones cut: all is kept from the keyframe before, with an edit list."""
    ffmpeg("-ss", str(start), "-i", str(source), "-c", "copy", "-f", "mp4", str(path))


def kept(path: Path) -> str:
    """The number of frames in a video, whatever its edit list leaves out."""
    return str(look(path, "-ignore_editlist", "1")["video"]["nb_read_frames"])


def flipped(source: Path, path: Path) -> None:
    """The video, with a display matrix that turns it upside down as a mirror does."""
    ffmpeg("-display_vflip", "-i", str(source), "-c", "copy", "-f", "mp4", str(path))


def faststart(source: Path, path: Path) -> None:
    """The video, its index in front."""
    ffmpeg("-i", str(source), "-c", "copy", "-movflags", "+faststart", "-f", "mp4", str(path))


def ffmpeg(*arguments: str) -> None:
    """Run it."""
    subprocess.run([tools().ffmpeg, "-v", "error", "-y", *arguments], check=True, capture_output=True)


def combed(path: Path) -> int:
    """The number of places in the 10th frame where a line differs from both of its neighbours."""
    tenth = ("-vf", "select='eq(n,9)',format=gray", "-frames:v", "1", "-f", "rawvideo", "-")
    command = [str(tools().ffmpeg), "-v", "error", "-i", str(path), *tenth]
    grey = subprocess.run(command, check=True, capture_output=True).stdout
    width = int(SIZE.partition("x")[0])
    return sum(
        abs(2 * line - above - below) > 200  # of 438
        for above, line, below in zip(grey, grey[width:], grey[2 * width :], strict=False)
    )


def first_pixel(path: Path) -> tuple[int, int, int]:
    """Red, green and blue of the video's first pixel, read in the matrix that the video is tagged with."""
    shown = ("-vf", "scale=flags=accurate_rnd+full_chroma_int,format=rgb24", "-frames:v", "1", "-f", "rawvideo", "-")
    command = [str(tools().ffmpeg), "-v", "error", "-i", str(path), *shown]
    red, green, blue = subprocess.run(command, check=True, capture_output=True).stdout[:3]
    return red, green, blue


def times(path: Path) -> list[float]:
    """The times of all frames, in seconds."""
    shape = ("-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0")
    told = subprocess.run([tools().ffprobe, "-v", "error", *shape, path], check=True, capture_output=True, text=True)
    return [float(line.strip(",")) for line in told.stdout.split()]


def running(within: int) -> list[int]:
    """The process ids of all encoders that the process `within`, or one that it started, runs."""
    try:
        family = psutil.Process(within).children(recursive=True)
        return [each.pid for each in family if Path(each.exe()).name.startswith("ffmpeg")]
    except psutil.NoSuchProcess:  # one has ended while it was asked
        return []


def look(path: Path, *options: str) -> dict[str, Any]:
    """The output of ffprobe, with all frames counted: {"format": ..., "video": ..., "audio": ... or None}."""
    command: list[str | Path] = [
        tools().ffprobe,
        "-v",
        "error",
        *options,
        "-count_frames",
        "-show_format",
        "-show_streams",
        "-of",
        "json",
        path,
    ]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    by_kind = {stream["codec_type"]: stream for stream in told["streams"]}
    return {
        "format": told["format"],
        "video": by_kind["video"],
        "audio": by_kind.get("audio"),
        "streams": told["streams"],
    }
