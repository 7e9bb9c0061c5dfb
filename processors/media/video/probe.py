"""What is in the upload, as ffprobe tells it. The bytes are hostile: only known formats, and no other file or host."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processors.media.sandbox.limits import tie
from processors.media.sandbox.protocol import FailedError, RefusedError, one_line
from processors.media.video.colour import Colour, colour_of

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0  # seconds
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,ogg,gif,asf"
# Without the formats a playlist that is named video.mp4 makes ffmpeg read other files, and text becomes a video.
GUARDED = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
FIELDS = frozenset({"tt", "bb", "tb", "bt"})  # in which order the two halves of an interlaced frame come
NUMBER = re.compile(r"(?<=\s)-?\d+(?=\s)")
TIME = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)")
CLOCK, FINE, COARSE = re.compile(r"1/([1-9]\d{0,5})"), 90_000, 10_000  # ticks a second
UNKNOWN = frozenset({2**bits - 1 for bits in (31, 32, 63, 64)})  # ticks: how a video says that its duration isn't known
# What encrypted streams and files are marked with: by Apple, in WebM, in Windows Media.
DRM = frozenset({"drmi", "drms", "enc_key_id", "asf_protection_type", "encryption"})
LOCKED = "the video is protected (DRM): it can't be decoded without its key"


@dataclass(frozen=True, slots=True)
class Sound:
    """A stream of sound: its number and its codec."""

    index: int
    codec: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A video. `width` and `height` are in pixels as they are stored, `duration` in seconds (0: not said).

    `pixel` is the width of a pixel by its height, `rotation` in degrees, beside which it may be `mirrored`; `fps` is
    frames and `bit_rate` bits a second (0: not said); `level` is the codec's, in its own numbers; `clock` is the
    ticks a second in which its times are whole numbers. `sounds` are those that can be decoded; a video that
    `has_sound` may have none of them.

    The last ones are what its packets tell: whether it `hides` something from its players, how long its last frame
    is shown (`hold`), whether that is longer than others are, and how long its frames or its sound are (`length`),
    both in seconds (0: not said).
    """

    index: int
    codec: str
    profile: str
    level: int
    pixel_format: str
    width: int
    height: int
    pixel: float
    rotation: int
    mirrored: bool
    fps: float
    clock: int
    interlaced: bool
    colour: Colour
    duration: float
    bit_rate: int
    sounds: tuple[Sound, ...]
    has_sound: bool
    hides: bool = False
    hold: float = 0.0
    is_held: bool = False
    length: float = 0.0

    @property
    def lasts(self) -> float:
        """Seconds, as far as can be believed: a video may claim more than it has, or that it doesn't know."""
        return min(self.duration, self.length) if self.length else self.duration

    @property
    def sound(self) -> Sound | None:
        """The first one that can be decoded."""
        return self.sounds[0] if self.sounds else None

    @property
    def audio(self) -> str | None:
        """Its codec."""
        return self.sound.codec if self.sound else None

    @property
    def depth(self) -> int:
        """Bytes of a sample, as its frames are in memory."""
        return 2 if self.colour.is_hdr or re.search(r"(9|1[0-6])(le|be)", self.pixel_format) else 1

    @property
    def samples(self) -> int:
        """Samples of two pixels: 3 in 4:2:0, 8 where the colours are whole and there is alpha."""
        if "420" in self.pixel_format or self.pixel_format in {"nv12", "p010le"}:
            return 3
        return 4 if "422" in self.pixel_format else 8

    @property
    def upright(self) -> tuple[float, float]:
        """Width and height as it is seen: pixels made square, and turned."""
        size = self.width * self.pixel, float(self.height)
        return size[::-1] if self.rotation % 180 else size


def probe(ffprobe: Path, file: str) -> Probe:
    """Look into a file of this folder. Raises RefusedError for what is no video."""
    command = [*guarded(ffprobe), "-show_format", "-show_streams", "-of", "json", f"file:{file}"]
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            preexec_fn=tie(),
        )
    except subprocess.TimeoutExpired as error:
        msg = f"what is in the file can't be told within {PATIENCE:g} s"
        raise RefusedError(msg) from error
    if answer.returncode < 0:
        msg = f"ffprobe was ended by signal {-answer.returncode}"
        raise FailedError(msg)
    if answer.returncode > 0:
        raise RefusedError(_no_video(answer.stderr))
    return _read(json.loads(answer.stdout.decode(errors="replace")))


def guarded(ffprobe: Path) -> list[str]:
    """The beginning of every command line of ffprobe."""
    guards = [part for name, value in GUARDED.items() for part in (f"-{name}", value)]
    return [str(ffprobe), "-v", "error", *guards]


def _no_video(stderr: bytes) -> str:
    last = (stderr.decode(errors="replace").strip().splitlines() or ["it is not known"])[-1]
    return f"not a video in one of the known formats: {one_line(last)}"


def _read(told: dict[str, Any]) -> Probe:
    streams: list[dict[str, Any]] = told.get("streams", [])
    whole: dict[str, Any] = told.get("format", {})
    video, sounds = _video(streams), [each for each in streams if each.get("codec_type") == "audio"]
    if is_locked(whole) or is_locked(video):
        raise RefusedError(LOCKED)
    if "codec_name" not in video:
        msg = f"the video's frames are coded in a way that ffmpeg doesn't know ({video.get('codec_tag_string')})"
        raise RefusedError(msg)
    width, height = int(video.get("width", 0)), int(video.get("height", 0))
    if not width or not height:
        msg = "the video is damaged: its frame has no size"
        raise RefusedError(msg)
    heard = [each for each in sounds if "codec_name" in each and "sample_fmt" in each and not is_locked(each)]
    duration = _duration(whole, video, *heard[:1])
    return Probe(
        index=int(video["index"]),
        codec=str(video["codec_name"]),
        profile=str(video.get("profile", "")),
        level=int(number(video.get("level"))),
        pixel_format=str(video.get("pix_fmt", "")),
        width=width,
        height=height,
        pixel=_ratio(video.get("sample_aspect_ratio"), ":") or 1.0,
        rotation=_rotation(video),
        mirrored=_is_mirrored(video),
        fps=_ratio(video.get("avg_frame_rate"), "/"),
        clock=_clock(str(video.get("time_base"))),
        interlaced=video.get("field_order") in FIELDS,
        colour=colour_of(video),
        duration=duration,
        bit_rate=int(8 * number(whole.get("size")) / duration) if duration else 0,
        sounds=tuple(Sound(int(each["index"]), str(each["codec_name"])) for each in heard),
        has_sound=len(sounds) > 0,
    )


def _video(streams: list[dict[str, Any]]) -> dict[str, Any]:
    """The first stream of moving frames."""
    for each in streams:
        if each.get("codec_type") == "video" and not each.get("disposition", {}).get("attached_pic"):
            return each
    has_sound = any(each.get("codec_type") == "audio" for each in streams)
    msg = "the file has sound but no video" if has_sound else "the file has no video"
    raise RefusedError(msg)


def _clock(unit: str) -> int:
    """Ticks a second for a unit such as `1/25`, doubled until they are as many as ffmpeg's MP4 has at least."""
    ticks = int(found[1]) if (found := CLOCK.fullmatch(unit)) else FINE
    while ticks < COARSE:
        ticks *= 2
    return ticks


def is_locked(part: dict[str, Any]) -> bool:
    """Whether a stream, or the whole file, says that it is encrypted: Apple's, WebM's and Windows Media's way.

    MP4's own way shows in the packets alone.
    """
    return part.get("codec_tag_string") in DRM or any(name.lower() in DRM for name in part.get("tags", {}))


def _duration(whole: dict[str, Any], *streams: dict[str, Any]) -> float:
    """From the file's begin to the end of the longest of these streams (seconds).

    Where none says, that of the file, which may have longer subtitles; 0 if it isn't known.
    """
    if any(each.get("duration_ts") in UNKNOWN for each in streams):
        return 0.0
    begin = max(0.0, number(whole.get("start_time")))
    if end := max(map(_end, streams)):
        return end - begin if end > begin else end
    end = number(whole.get("duration"))
    is_matroska = "matroska" in whole.get("format_name", "")
    return end - begin if is_matroska and end > begin else end


def _end(stream: dict[str, Any]) -> float:
    """When it ends; 0 if it doesn't say. Matroska says the end, and others how long it lasts."""
    start = max(0.0, number(stream.get("start_time")))
    if lasts := number(stream.get("duration")):
        return start + lasts
    time = TIME.match(str(stream.get("tags", {}).get("DURATION", "")))
    end = 60 * (60 * float(time[1]) + float(time[2])) + float(time[3]) if time else 0.0
    return end if end > start else start + end if end else 0.0


def _rotation(stream: dict[str, Any]) -> int:
    for data in stream.get("side_data_list", []):
        if "rotation" in data:
            return round(number(data["rotation"]))
    return 0


def _is_mirrored(stream: dict[str, Any]) -> bool:
    """Whether its matrix (three rows of three, each row with its number before) turns left into right."""
    for data in stream.get("side_data_list", []):
        matrix = [int(number) for number in NUMBER.findall(str(data.get("displaymatrix", "")))]
        if len(matrix) == 9:  # noqa: PLR2004
            return matrix[0] * matrix[4] - matrix[1] * matrix[3] < 0
    return False


def _ratio(text: Any, sign: str) -> float:
    """A fraction such as `64:45` or `30000/1001`; 0 if it is none."""
    above, _, below = str(text or "").partition(sign)
    return number(above) / number(below) if number(below) else 0.0


def number(text: Any) -> float:
    """What ffprobe tells as a number; 0 for what is none, or nonsense."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return 0.0
    return value if 0 < abs(value) < 1e12 else 0.0  # noqa: PLR2004 -- not a number, or nonsense
