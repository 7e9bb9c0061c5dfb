"""The command lines of ffmpeg, built as graphs by ffmpeg-python, and running them."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO

import ffmpeg

from processors.media.video.colour import PLAIN, in_bt709, in_jpeg
from processors.media.video.plan import MAX_BIT_RATE, MAX_FPS
from processors.media.video.probe import GUARDED
from processors.sandbox.limits import MEBIBYTE, tie
from processors.sandbox.protocol import FailedError, RefusedError, one_line

if TYPE_CHECKING:
    from pathlib import Path

    from processors.media.video.colour import Colour
    from processors.media.video.plan import Plan
    from processors.media.video.probe import Probe
    from processors.sandbox.protocol import Parent

SOURCE, VIDEO, POSTER = "file:source", "video.mp4", "poster.jpg"
POSTER_WIDTH = 640  # pixels
# Frames a second, and how many, for the filter `thumbnail`: it keeps them in memory and returns the most typical one.
POSTER_FPS, POSTER_FRAMES = 2, 20
# The version that keeps all frames of the video in memory until the poster has its own: 400 MB of ten seconds in 720p.
HOARDING = 7
STACK, THREADS = 2 * MEBIBYTE, 16  # the stack of a thread of ffmpeg, and the most threads that it starts
# How ffmpeg, its components and the loader of its libraries say that memory is short. They may continue without the
# frames that did not fit, and exit with 0.
NO_MEMORY = re.compile(
    rb"Out of memory|Cannot allocate|malloc of size|get_buffer\(\) failed|Resource temporarily un|failed to map segment"
    rb"|thread_encoder_init failed|alloc(ation)? (failed|error)|bad_alloc|pthread_create"
)
# Keeps all packets, but sets the duration of the last one, in ticks.
LAST = r"setts=pts=PTS:dts=DTS:duration=if(eq(NEXT_PTS\,NOPTS)\,{}\,DURATION)"
NOTHING = "Nothing was written into output file"  # what ffmpeg says if it got no frame
QUIET = ("-nostdin", "-hide_banner", "-loglevel", "error", "-nostats", "-y")
# The units of H.264 that make up frames: slices, parameter sets and ends. Cameras and drones write location and time
# into others (SEI, type 6, and undefined types).
FRAMES_ONLY = "filter_units=pass_types=1-5|7-11"
CLEAN = {"map_metadata": -1, "map_chapters": -1, "dn": None, "sn": None}  # no location, no camera, no subtitles


class ShortOfMemoryError(RefusedError):
    """The video needs more memory than it was given (MEDIA_MEMORY)."""


def encode_commands(tool: Path, version: int, probe: Probe, plan: Plan, seconds: float) -> list[list[str]]:
    """Decode at most `seconds`, to H.264 with AAC and to the poster: at once, or one after the other."""
    source = ffmpeg.input(SOURCE, threads=1, t=seconds, **GUARDED)
    frames = source[str(probe.index)]
    if probe.interlaced:
        frames = frames.filter("bwdif", mode="send_frame", deint="interlaced")
    shown = in_bt709(frames, probe.colour, version, plan.width, plan.height).filter("setsar", 1)
    if probe.fps > MAX_FPS:
        shown = shown.filter("fps", MAX_FPS)
    shown = shown.filter("format", "yuv420p")
    if version == HOARDING:
        made = ffmpeg.input(f"file:{VIDEO}", threads=1, **GUARDED)
        return [_compiled(tool, _video(shown, source, probe)), _compiled(tool, _sampled(made["v:0"]))]
    branches = shown.filter_multi_output("split", 2)
    return [_compiled(tool, _video(branches[0], source, probe), _sampled(branches[1]))]


def _video(frames: Any, source: Any, probe: Probe) -> Any:
    return ffmpeg.output(
        frames,
        *_sound(source, probe),
        VIDEO,
        **{"c:v": "libx264", "profile:v": "high", "preset": "veryfast", "crf": 23, "threads": 1},
        maxrate=MAX_BIT_RATE,
        bufsize=2 * MAX_BIT_RATE,
        **{"x264-params": "rc-lookahead=5:sync-lookahead=0"},
        **_times(probe),
        **{"c:a": "aac", "b:a": "128k", "ac": 2},
        **{"f": "mp4", "movflags": "+faststart", **CLEAN},
    )


def _sampled(frames: Any) -> Any:
    return _poster(frames.filter("fps", POSTER_FPS, round="up"), PLAIN)


def _times(probe: Probe) -> dict[str, Any]:
    """Keep the times of the frames, and the duration of the last one.

    ffmpeg would round times to a constant frame rate, and 5.1 drops the duration of the last frame. MP4 stores that
    duration with the frame that is decoded last, so a long last frame must not be followed by a B-frame.
    """
    if probe.fps > MAX_FPS:  # then the filter `fps` has made the frame rate constant
        return {"fps_mode": "vfr"}
    last = {"bsf:v": LAST.format(round(probe.hold * probe.clock))} if probe.hold else {}
    in_order = {"bf": 0} if probe.is_held else {}
    return {"fps_mode": "vfr", "enc_time_base": f"1/{probe.clock}", **last, **in_order}


def remux_command(tool: Path, probe: Probe) -> list[str]:
    """The same H.264 frames and sound in a new file, with the index in front."""
    source = ffmpeg.input(SOURCE, **GUARDED)
    wrapping = {"c": "copy", "bsf:v": FRAMES_ONLY, "f": "mp4", "movflags": "+faststart", **CLEAN}
    video = ffmpeg.output(source[str(probe.index)], *_sound(source, probe), VIDEO, **wrapping)
    return _compiled(tool, video)


def poster_command(tool: Path, probe: Probe) -> list[str]:
    """A poster from the keyframes only.

    With `copyts`, frames before a late sound track are kept; ffmpeg would drop them.
    """
    source = ffmpeg.input(SOURCE, threads=1, skip_frame="nokey", copyts=None, **GUARDED)
    return _compiled(tool, _poster(source[str(probe.index)], probe.colour))


def _sound(source: Any, probe: Probe) -> list[Any]:
    return [source[str(probe.sound.index)]] if probe.sound else []


def _poster(stream: Any, colour: Colour) -> Any:
    """A poster of the most typical of these frames."""
    chosen = in_jpeg(stream, colour, f"min({POSTER_WIDTH},iw)").filter("thumbnail", POSTER_FRAMES)
    form = {"frames:v": 1, "q:v": 3, "update": 1, "threads": 1, "f": "image2", "map_metadata": -1}
    return ffmpeg.output(chosen, POSTER, **form)


def _compiled(tool: Path, *outputs: Any) -> list[str]:
    graph = ffmpeg.merge_outputs(*outputs).global_args(*QUIET, "-progress", "pipe:1", "-stats_period", "0.5")
    return [str(part) for part in graph.compile(cmd=str(tool))]


def run(command: list[str], duration: float, parent: Parent) -> None:
    """Run ffmpeg, reporting progress towards `duration` (seconds). Raises RefusedError if the video is at fault."""
    furthest = 0.0
    with tempfile.TemporaryFile(dir=".") as stderr:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            preexec_fn=_tied_with_small_stacks(),  # noqa: PLW1509 -- this process has one thread
        )
        with process:
            for line in process.stdout or ():
                if (percent := _percent(line, duration)) > furthest:  # ffmpeg reports video and poster in turn
                    furthest = percent
                    parent.progress(percent)
        stderr.seek(0)
        _judge(process.returncode, *_read_errors(stderr))


def _read_errors(stderr: BinaryIO) -> tuple[str, bool]:
    """The last line of standard error, and whether memory was short."""
    last, short = b"it said nothing", False
    for line in stderr:
        last, short = line.strip() or last, short or NO_MEMORY.search(line) is not None
    return one_line(last.decode(errors="replace")), short


def _tied_with_small_stacks() -> Any:
    tied = tie()

    def prepare() -> None:
        tied()
        resource.setrlimit(resource.RLIMIT_STACK, (STACK, STACK))

    return prepare


def _percent(line: bytes, duration: float) -> float:
    found = re.match(rb"out_time_us=(\d+)", line)
    return min(99.0, int(found[1]) / duration / 10_000) if found and duration else 0.0


def _judge(status: int, last: str, short: bool) -> None:  # noqa: FBT001
    """Raise the error that ffmpeg's exit status means, if it failed."""
    if status == -signal.SIGXCPU:
        msg = "the video takes more processor time than its job has"
        raise RefusedError(msg)
    if status == -signal.SIGXFSZ:
        msg = "the result is larger than a file may be"
        raise RefusedError(msg)
    if short:
        msg = "the video needs more memory than it was given (MEDIA_MEMORY)"
        raise ShortOfMemoryError(msg)
    if status < 0 or "No space left on device" in last:
        msg = f"ffmpeg ended with {status}: {last}"
        raise FailedError(msg)
    if status > 0:
        msg = "the video is damaged: not one frame of it can be decoded"
        msg = msg if NOTHING in last else f"the video can't be decoded: {last}"
        raise RefusedError(msg)
