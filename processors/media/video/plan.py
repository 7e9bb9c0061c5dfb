"""Decides what to do with a video: remux it, or encode it to which size. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from processors.media.video.probe import Probe

LONG, SHORT = 1920, 1080  # pixels
SIZES = ((LONG, SHORT), (1280, 720))  # the second if memory is short
MAX_FPS = 60.0
CLOCKS = 1.02  # tolerance: a phone's 60 frames a second may be a few more
MAX_BIT_RATE = 6_000_000  # bits a second, for 1080p; above that a video is encoded again
SAFE_PROFILES = frozenset({"Baseline", "Constrained Baseline", "Main", "High"})
# The memory of ffmpeg with one thread for each component, as measured. Bytes: for itself, for its libraries (before
# version 8), and for each pixel of the result, with more if tones are mapped. Frames of the source between decoder and
# scaler, with more if they are interlaced.
ITSELF, LIBRARIES, HELD, TONES, QUEUED, WOVEN = 25 * MEBIBYTE, 45 * MEBIBYTE, 45, 14, 8, 5
LEAN = 8  # the version from which ffmpeg takes less
# Frames that a decoder may have to keep: as many as have KEPT pixels (level 5.2 of H.264, table A-1, and of H.265,
# A.4.2, allow a little less), or MOST_KEPT if the video claims a higher level.
KEPT, MOST_KEPT = 54_000_000, 16
LEVELS = {"h264": 52, "hevc": 156}
EACH_BY_ITSELF = frozenset(
    {"gif", "mjpeg", "prores", "qtrle", "png", "dvvideo"}
)  # codecs whose decoders keep one frame
REMUX = 48 * MEBIBYTE
ENCODE = {"remux": False}  # instead of a report: run another task with this among its arguments


@dataclass(frozen=True, slots=True)
class Plan:
    """`remux`: the coded frames are kept. Otherwise they are encoded to `width` by `height` pixels.

    `need` is the memory that it takes, in bytes.
    """

    remux: bool
    width: int
    height: int
    need: int


def plan(
    probe: Probe, max_duration: float, max_pixels: int, memory: int, version: int, *, may_remux: bool = True
) -> Plan:
    """Plan for ffmpeg of this `version` with at most `memory` bytes. Raises RefusedError beyond the limits."""
    refuse_longer(probe.lasts, max_duration)
    if probe.width * probe.height > max_pixels:
        msg = f"the video has {probe.width}x{probe.height} pixels, more than {max_pixels / 1e6:.1f} million"
        raise RefusedError(msg)
    libraries = 0 if version >= LEAN else LIBRARIES
    if may_remux and _is_fit_for_the_web(probe):
        return Plan(remux=True, width=probe.width, height=probe.height, need=min(REMUX + libraries, memory))
    for width, height in _sizes(probe):
        need = libraries + _need(probe, width * height)
        if need <= memory:
            break
    return Plan(remux=False, width=width, height=height, need=min(need, memory))


def smaller(probe: Probe, made: Plan) -> Plan | None:
    """The plan with the next smaller size, for when memory ran out; None if there is none."""
    for width, height in _sizes(probe):
        if width * height < made.width * made.height:
            return replace(made, width=width, height=height)
    return None


def refuse_longer(seconds: float, max_duration: float) -> None:
    """Raise RefusedError for a video of more than `max_duration` seconds."""
    if seconds > max_duration:
        msg = f"the video lasts {seconds:.0f} s or more; {max_duration:g} s are allowed (VIDEO_MAX_DURATION)"
        raise RefusedError(msg)


def _is_fit_for_the_web(probe: Probe) -> bool:
    """Whether every browser plays it as it is, and it is no larger than an encoded result."""
    width, height = sorted((probe.width, probe.height), reverse=True)
    return (
        probe.codec == "h264"
        and probe.profile in SAFE_PROFILES
        and probe.pixel_format == "yuv420p"
        and probe.audio in {None, "aac"}
        and (width <= LONG and height <= SHORT)
        and probe.pixel == 1.0
        and (probe.rotation == 0 and not probe.mirrored)
        and (probe.fps <= MAX_FPS * CLOCKS and not probe.interlaced)
        and 0 < probe.bit_rate <= MAX_BIT_RATE
        and probe.colour.is_plain
        and not probe.hides
    )


def _need(probe: Probe, pixels: int) -> int:
    """The most bytes of memory that ffmpeg takes to make a video of `pixels` a frame."""
    kept = MOST_KEPT
    if probe.codec in EACH_BY_ITSELF:
        kept = 1
    elif probe.level <= LEVELS.get(probe.codec, probe.level):
        kept = min(MOST_KEPT, KEPT // (probe.width * probe.height))
    kept += QUEUED + WOVEN * probe.interlaced
    held = HELD + TONES * probe.colour.is_hdr
    return ITSELF + pixels * held + kept * probe.width * probe.height * probe.depth * probe.samples // 2


def _sizes(probe: Probe) -> list[tuple[int, int]]:
    """The sizes that the result may have, the largest first."""
    return [_fitted(probe, *box) for box in SIZES]


def _fitted(probe: Probe, long: int, short: int) -> tuple[int, int]:
    """The largest size that fits without enlarging; both sides are even, as 4:2:0 requires."""
    width, height = probe.upright
    scale = min(1.0, long / max(width, height), short / min(width, height))
    return _even(width * scale), _even(height * scale)


def _even(length: float) -> int:
    return max(2, int(length + 0.01) // 2 * 2)
