"""The video task: make a video that every browser plays, and a poster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.video.encode import (
    POSTER,
    STACK,
    THREADS,
    VIDEO,
    ShortOfMemoryError,
    encode_commands,
    poster_command,
    remux_command,
)
from processors.media.video.encode import run as run_ffmpeg
from processors.media.video.packets import packets
from processors.media.video.plan import ENCODE, plan, refuse_longer, smaller
from processors.media.video.probe import LOCKED, probe
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from processors.media.video.plan import Plan
    from processors.media.video.probe import Probe
    from processors.sandbox.protocol import Parent

CUT_SHARE, CUT_SECONDS = 0.95, 0.5  # a video that is shorter than it claims, by both, was truncated


def run(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Make `video.mp4` and `poster.jpg` of the file `source`; returns the report, or ENCODE. Raises RefusedError.

    `arguments`: the paths `ffmpeg` and `ffprobe`, ffmpeg's `version` and whether it decodes `av1`; `maxDuration`
    (seconds), `maxPixels` of a frame, `memory` (bytes), and `remux`, whether it may remux.
    """
    ffmpeg, ffprobe = Path(arguments["ffmpeg"]), Path(arguments["ffprobe"])
    if Path("source").stat().st_size == 0:
        msg = "the file is empty"
        raise RefusedError(msg)
    video = _inspect(ffprobe)
    if video.codec == "av1" and not arguments["av1"]:
        msg = "this ffmpeg can't decode AV1; set FFMPEG_PATH to one that has libdav1d"
        raise RefusedError(msg)
    longest = arguments["maxDuration"]
    limits = longest, arguments["maxPixels"], arguments["memory"], arguments["version"]
    made = plan(video, *limits, may_remux=arguments["remux"])
    parent.reserve(made.need, THREADS * STACK)
    if not made.remux:
        _encode(arguments, video, made, parent)
    elif not _remux(ffmpeg, video, parent):
        return ENCODE  # encoding needs more memory than this task has reserved
    if not Path(POSTER).is_file():
        msg = "the video is damaged: not one frame of it can be decoded"
        raise RefusedError(msg)
    result = probe(ffprobe, VIDEO)
    refuse_longer(result.duration, longest)  # again, because an upload's own duration need not be true
    return _report(video, result, remuxed=made.remux)


def _inspect(ffprobe: Path) -> Probe:
    """Probe the upload and read its packets. Raises RefusedError for what can't be decoded."""
    video = probe(ffprobe, "source")
    found = packets(ffprobe, "source", video)
    if video.index in found.locked:
        raise RefusedError(LOCKED)
    sounds = tuple(sound for sound in video.sounds if sound.index not in found.locked)
    length = max(found.lengths[stream] for stream in (video.index, *(sound.index for sound in sounds[:1])))
    return replace(video, sounds=sounds, hides=found.hides, hold=found.hold, is_held=found.is_held, length=length)


def _encode(arguments: dict[str, Any], video: Probe, made: Plan, parent: Parent) -> None:
    """Encode the video, in a smaller size if memory runs out. Raises ShortOfMemoryError if no size fits."""
    most = arguments["maxDuration"] + 1
    commands = encode_commands(Path(arguments["ffmpeg"]), arguments["version"], video, made, most)
    try:
        for command, duration in zip(commands, (video.lasts, 0.0), strict=False):  # the poster alone makes no progress
            run_ffmpeg(command, duration, parent)
    except ShortOfMemoryError:
        if (less := smaller(video, made)) is None:
            raise
        _encode(arguments, video, less, parent)


def _remux(ffmpeg: Path, video: Probe, parent: Parent) -> bool:
    """Remux the video and make a poster of its keyframes; False if either is not possible."""
    try:
        run_ffmpeg(remux_command(ffmpeg, video), video.lasts, parent)
        run_ffmpeg(poster_command(ffmpeg, video), 0.0, parent)
    except RefusedError:
        return False
    return Path(POSTER).is_file()


def _report(source: Probe, result: Probe, *, remuxed: bool) -> dict[str, Any]:
    is_cut = result.duration < source.duration * CUT_SHARE and result.duration < source.duration - CUT_SECONDS
    return {
        "duration": result.duration,
        "width": result.width,
        "height": result.height,
        "bytes": Path(VIDEO).stat().st_size,
        "codec": result.codec,
        "audio": result.audio,
        "truncated": is_cut,
        "remuxed": remuxed,
        "toneMapped": source.colour.is_hdr and not remuxed,
        "soundDropped": source.has_sound and not source.sounds,
    }
