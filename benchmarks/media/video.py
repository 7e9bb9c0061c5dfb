"""`python -m benchmarks.media.video`: a video and its poster through the sandbox, beside a bare ffmpeg."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.harness import in_turn, median
from processors.media.process_video import FILE, MAX_PIXELS
from processors.media.video.ffmpeg_tools import FfmpegTools, find
from processors.sandbox.client import Sandbox, Task
from processors.sandbox.limits import MEBIBYTE, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
SOURCE = ("-f", "lavfi", "-i", "testsrc2=s=1920x1080:r=30:d=6,noise=alls=12:allf=t", "-f", "lavfi", "-i", "sine=d=6")
CODED = ("-c:v", "mpeg4", "-q:v", "10", "-c:a", "aac", "-f", "mp4")
BARE = (
    *("-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast", "-crf", "23", "-threads", "1"),
    *("-maxrate", "6000000", "-bufsize", "12000000", "-x264-params", "rc-lookahead=5:sync-lookahead=0"),
    *("-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "128k", "-ac", "2", "-movflags", "+faststart", "-f", "mp4"),
)


def ours(tools: FfmpegTools, sandbox: Sandbox, loop: asyncio.AbstractEventLoop, source: Path, folder: Path) -> float:
    """Seconds for the video and its poster."""
    shutil.copyfile(source, folder / "source")
    arguments = {
        "ffmpeg": str(tools.ffmpeg),
        "ffprobe": str(tools.ffprobe),
        "version": tools.version,
        "av1": tools.av1,
        "maxDuration": 60,
        "maxPixels": MAX_PIXELS,
        "memory": 290 * MEBIBYTE,
        "remux": True,
    }
    since = time.perf_counter()
    loop.run_until_complete(sandbox.run(Task("video", folder, arguments, Limits(300, 300.0, FILE))))
    return time.perf_counter() - since


def bare(tools: FfmpegTools, source: Path, folder: Path) -> float:
    """Seconds for the video only."""
    command = [tools.ffmpeg, "-v", "error", "-y", "-threads", "1", "-i", source, *BARE, folder / "bare.mp4"]
    since = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True)
    return time.perf_counter() - since


def main() -> None:
    """Print the ratio."""
    tools, sandbox, loop = find(), Sandbox(), asyncio.new_event_loop()
    sandbox.preload("image")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "video"
        subprocess.run([str(part) for part in (tools.ffmpeg, "-v", "error", *SOURCE, *CODED, source)], check=True)
        contestants: dict[str, Callable[[], float]] = {
            "ours, with a poster": partial(ours, tools, sandbox, loop, source, folder),
            "bare ffmpeg": partial(bare, tools, source, folder),
        }
        runs = in_turn(contestants, ROUNDS)
    for title, figures in runs.items():
        each = ", ".join(f"{figure:.1f}" for figure in figures)
        print(f"| {title} | {median(figures):.1f} s | {each} |")
    mine, theirs = (median(figures) for figures in runs.values())
    print(f"ours : bare = {mine / theirs:.2f}")
    loop.run_until_complete(sandbox.close())


if __name__ == "__main__":
    main()
