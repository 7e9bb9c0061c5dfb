"""One upload to a film that every browser plays, and a poster."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.sandbox.protocol import RefusedError
from processors.media.video.encode import (
    FILM,
    POSTER,
    STACK,
    THREADS,
    ShortOfMemoryError,
    encode_command,
    poster_command,
    remux_command,
)
from processors.media.video.encode import run as run_ffmpeg
from processors.media.video.packets import packets
from processors.media.video.plan import ENCODE, plan, refuse_longer, smaller
from processors.media.video.probe import LOCKED, probe

if TYPE_CHECKING:
    from processors.media.sandbox.protocol import Parent
    from processors.media.video.plan import Plan
    from processors.media.video.probe import Probe

CUT_SHARE, CUT_SECONDS = 0.95, 0.5  # a film that is shorter than its claim by more than this was cut off


def run(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Make `video.mp4` and `poster.jpg` from the file `source`; returns the report, or ENCODE. Raises RefusedError.

    `arguments`: the paths `ffmpeg` and `ffprobe`, ffmpeg's `version` and whether it decodes `av1`; `maxDuration`
    (seconds), `maxPixels` of a frame, `memory` (bytes); `remux`: whether it may be.
    """
    ffmpeg, ffprobe = Path(arguments["ffmpeg"]), Path(arguments["ffprobe"])
    if Path("source").stat().st_size == 0:
        msg = "the file is empty"
        raise RefusedError(msg)
    film = _looked_into(ffprobe)
    if film.codec == "av1" and not arguments["av1"]:
        msg = "this ffmpeg can't decode AV1; set FFMPEG_PATH to one that has libdav1d"
        raise RefusedError(msg)
    longest = arguments["maxDuration"]
    limits = longest, arguments["maxPixels"], arguments["memory"], arguments["version"]
    made = plan(film, *limits, may_remux=arguments["remux"])
    parent.reserve(made.need, THREADS * STACK)
    if not made.remux:
        _encode(arguments, film, made, parent)
    elif not _remuxed(ffmpeg, film, parent):
        return ENCODE  # which needs more memory than this task has
    if not Path(POSTER).is_file():
        msg = "the film is damaged: not one picture of it can be decoded"
        raise RefusedError(msg)
    result = probe(ffprobe, FILM)
    refuse_longer(result.duration, longest)  # again: what the upload says of its duration need not be true
    return _report(film, result, remuxed=made.remux)


def _looked_into(ffprobe: Path) -> Probe:
    """What the upload says of itself, and what its packets tell. Raises RefusedError for what can't be decoded."""
    film = probe(ffprobe, "source")
    told = packets(ffprobe, "source", film)
    if film.index in told.locked:
        raise RefusedError(LOCKED)
    sounds = tuple(sound for sound in film.sounds if sound.index not in told.locked)
    length = max(told.lengths[stream] for stream in (film.index, *(sound.index for sound in sounds[:1])))
    return replace(film, sounds=sounds, hides=told.hides, hold=told.hold, is_held=told.is_held, length=length)


def _encode(arguments: dict[str, Any], film: Probe, made: Plan, parent: Parent) -> None:
    """Encode the film, and a smaller one where memory runs out. Raises ShortOfMemoryError if there is none."""
    most = arguments["maxDuration"] + 1
    command = encode_command(Path(arguments["ffmpeg"]), arguments["version"], film, made, most)
    try:
        run_ffmpeg(command, film.lasts, parent)
    except ShortOfMemoryError:
        if (less := smaller(film, made)) is None:
            raise
        _encode(arguments, film, less, parent)


def _remuxed(ffmpeg: Path, film: Probe, parent: Parent) -> bool:
    """Wrap the film anew; False if that can't be done, or no keyframe of it is good for a poster."""
    try:
        run_ffmpeg(remux_command(ffmpeg, film), film.lasts, parent)
        run_ffmpeg(poster_command(ffmpeg, film), 0.0, parent)
    except RefusedError:
        return False
    return Path(POSTER).is_file()


def _report(source: Probe, result: Probe, *, remuxed: bool) -> dict[str, Any]:
    is_cut = result.duration < source.duration * CUT_SHARE and result.duration < source.duration - CUT_SECONDS
    return {
        "duration": result.duration,
        "width": result.width,
        "height": result.height,
        "bytes": Path(FILM).stat().st_size,
        "codec": result.codec,
        "audio": result.audio,
        "truncated": is_cut,
        "remuxed": remuxed,
        "toneMapped": source.colour.is_hdr and not remuxed,
        "soundDropped": source.has_sound and not source.sounds,
    }
