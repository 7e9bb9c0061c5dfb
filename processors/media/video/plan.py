"""What is to be done with a video: nothing but another wrapping, or encoding to which size. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from processors.media.sandbox.limits import MEBIBYTE
from processors.media.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from processors.media.video.probe import Probe

LONG, SHORT = 1920, 1080  # pixels
SIZES = ((LONG, SHORT), (1280, 720))  # the second where memory is short
MAX_FPS = 60.0
CLOCKS = 1.02  # a phone's 60 frames a second are a few more, or less
MAX_BIT_RATE = 6_000_000  # bits a second, for 1080p; what is above is encoded again
SAFE_PROFILES = frozenset({"Baseline", "Constrained Baseline", "Main", "High"})
# What ffmpeg takes with one thread for each part, as measured: itself, its libraries (before version 8), what encoder,
# poster and queues hold for each pixel of the result (bytes), more where tones are mapped, frames of the source between
# decoder and scaler, and more of them where they are interlaced.
ITSELF, LIBRARIES, HELD, TONES, QUEUED, WOVEN = 25 * MEBIBYTE, 45 * MEBIBYTE, 45, 14, 8, 5
LEAN = 8  # the version from which it takes less
# Frames that a decoder may have to keep: as many as have so many pixels (level 5.2 of H.264, table A-1, and of H.265,
# A.4.2, both a little less), or MOST_KEPT where a level beyond those is claimed.
KEPT, MOST_KEPT = 54_000_000, 16
LEVELS = {"h264": 52, "hevc": 156}
EACH_BY_ITSELF = frozenset({"gif", "mjpeg", "prores", "qtrle", "png", "dvvideo"})  # whose decoders keep one frame
REMUX = 48 * MEBIBYTE
ENCODE = {"remux": False}  # in place of a report: not to be remuxed; this among the arguments of another task


@dataclass(frozen=True, slots=True)
class Plan:
    """`remux`: the frames stay as they are. Otherwise they are encoded to `width` by `height` pixels.

    `need` is the memory, in bytes.
    """

    remux: bool
    width: int
    height: int
    need: int


def plan(
    probe: Probe, max_duration: float, max_pixels: int, memory: int, version: int, *, may_remux: bool = True
) -> Plan:
    """Decide, with `memory` bytes at most for ffmpeg of this `version`. Raises RefusedError beyond the limits."""
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
    """The next smaller size, for where this one ran out of memory; None if there is none."""
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
    """Whether every browser plays it as it is, and it is no larger than what we would make."""
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
    """The most that ffmpeg takes to make a video of so many `pixels`, in bytes."""
    kept = MOST_KEPT
    if probe.codec in EACH_BY_ITSELF:
        kept = 1
    elif probe.level <= LEVELS.get(probe.codec, probe.level):
        kept = min(MOST_KEPT, KEPT // (probe.width * probe.height))
    kept += QUEUED + WOVEN * probe.interlaced
    held = HELD + TONES * probe.colour.is_hdr
    return ITSELF + pixels * held + kept * probe.width * probe.height * probe.depth * probe.samples // 2


def _sizes(probe: Probe) -> list[tuple[int, int]]:
    """The sizes that it may have, from the largest on."""
    return [_fitted(probe, *box) for box in SIZES]


def _fitted(probe: Probe, long: int, short: int) -> tuple[int, int]:
    """The size that fits, never enlarged; both sides even, as 4:2:0 needs them."""
    width, height = probe.upright
    scale = min(1.0, long / max(width, height), short / min(width, height))
    return _even(width * scale), _even(height * scale)


def _even(length: float) -> int:
    return max(2, int(length + 0.01) // 2 * 2)
