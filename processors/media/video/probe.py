"""What is in an upload, by ffprobe. The bytes are hostile: only known formats are read, and no other file or host."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processors.media.video.colour import Colour, colour_of
from processors.sandbox.limits import tie
from processors.sandbox.protocol import FailedError, RefusedError, one_line

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0  # seconds
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,ogg,gif,asf"
# Without the list of formats, a playlist named video.mp4 makes ffmpeg read other files, and text becomes a video.
GUARDED = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
FIELDS = frozenset({"tt", "bb", "tb", "bt"})  # the field orders of interlaced frames
NUMBER = re.compile(r"(?<=\s)-?\d+(?=\s)")
TIME = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)")
CLOCK, FINE, COARSE = re.compile(r"1/([1-9]\d{0,5})"), 90_000, 10_000  # ticks a second
UNKNOWN = frozenset({2**bits - 1 for bits in (31, 32, 63, 64)})  # ticks: how a video says that its duration is unknown
# Marks of encrypted streams and files: Apple's, WebM's and Windows Media's.
DRM = frozenset({"drmi", "drms", "enc_key_id", "asf_protection_type", "encryption"})
LOCKED = "the video is protected (DRM): it can't be decoded without its key"


@dataclass(frozen=True, slots=True)
class Sound:
    """A stream of sound: its index and its codec."""

    index: int
    codec: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A video. 0 means unknown for all numbers.

    `width` and `height`: pixels as stored. `pixel`: the aspect ratio of a pixel. `rotation`: degrees. `fps`: frames a
    second. `bit_rate`: bits a second. `level`: as the codec numbers it. `clock`: ticks a second, in which all times are
    whole numbers. `duration`: seconds. `sounds`: those that can be decoded, so a video that `has_sound` may have none.

    The last fields come from its packets. `hides`: it has content that players don't show. `hold`: seconds for which
    the last frame is shown. `is_held`: that is longer than for other frames. `length`: seconds of frames or sound.
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
        """The duration in seconds, checked by its packets: a video may claim more than it has, or nothing."""
        return min(self.duration, self.length) if self.length else self.duration

    @property
    def sound(self) -> Sound | None:
        """The first sound that can be decoded."""
        return self.sounds[0] if self.sounds else None

    @property
    def audio(self) -> str | None:
        """The codec of `sound`."""
        return self.sound.codec if self.sound else None

    @property
    def depth(self) -> int:
        """Bytes of a sample of a decoded frame."""
        return 2 if self.colour.is_hdr or re.search(r"(9|1[0-6])(le|be)", self.pixel_format) else 1

    @property
    def samples(self) -> int:
        """Samples of two pixels: 3 in 4:2:0, 8 with full chroma and alpha."""
        if "420" in self.pixel_format or self.pixel_format in {"nv12", "p010le"}:
            return 3
        return 4 if "422" in self.pixel_format else 8

    @property
    def upright(self) -> tuple[float, float]:
        """Width and height as shown: with square pixels, and rotated."""
        size = self.width * self.pixel, float(self.height)
        return size[::-1] if self.rotation % 180 else size


def probe(ffprobe: Path, file: str) -> Probe:
    """Probe a file of this folder. Raises RefusedError if it is no video."""
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
        msg = f"ffprobe has not read the file within {PATIENCE:g} s"
        raise RefusedError(msg) from error
    if answer.returncode < 0:
        msg = f"ffprobe was ended by signal {-answer.returncode}"
        raise FailedError(msg)
    if answer.returncode > 0:
        raise RefusedError(_no_video(answer.stderr))
    return _read(json.loads(answer.stdout.decode(errors="replace")))


def guarded(ffprobe: Path) -> list[str]:
    """The start of every command line of ffprobe."""
    guards = [part for name, value in GUARDED.items() for part in (f"-{name}", value)]
    return [str(ffprobe), "-v", "error", *guards]


def _no_video(stderr: bytes) -> str:
    last = (stderr.decode(errors="replace").strip().splitlines() or ["it is not known"])[-1]
    return f"not a video in one of the known formats: {one_line(last)}"


def _read(answer: dict[str, Any]) -> Probe:
    streams: list[dict[str, Any]] = answer.get("streams", [])
    whole: dict[str, Any] = answer.get("format", {})
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
    """The first video stream that is no cover image."""
    for each in streams:
        if each.get("codec_type") == "video" and not each.get("disposition", {}).get("attached_pic"):
            return each
    has_sound = any(each.get("codec_type") == "audio" for each in streams)
    msg = "the file has sound but no video" if has_sound else "the file has no video"
    raise RefusedError(msg)


def _clock(unit: str) -> int:
    """Ticks a second for a time base such as `1/25`, doubled until they are at least COARSE, as ffmpeg's MP4 has."""
    ticks = int(found[1]) if (found := CLOCK.fullmatch(unit)) else FINE
    while ticks < COARSE:
        ticks *= 2
    return ticks


def is_locked(part: dict[str, Any]) -> bool:
    """Whether a stream, or the whole file, is marked as encrypted by Apple, WebM or Windows Media.

    MP4's common encryption shows in the packets only.
    """
    return part.get("codec_tag_string") in DRM or any(name.lower() in DRM for name in part.get("tags", {}))


def _duration(whole: dict[str, Any], *streams: dict[str, Any]) -> float:
    """Seconds from the start of the file to the end of the longest of these streams.

    If no stream says, the duration of the file, whose subtitles may be longer; 0 if that is unknown as well.
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
    """Seconds at which a stream ends; 0 if unknown. Matroska stores the end, other formats the duration."""
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
    """Whether its display matrix (three rows of three, each after its number) mirrors the image."""
    for data in stream.get("side_data_list", []):
        matrix = [int(number) for number in NUMBER.findall(str(data.get("displaymatrix", "")))]
        if len(matrix) == 9:  # noqa: PLR2004
            return matrix[0] * matrix[4] - matrix[1] * matrix[3] < 0
    return False


def _ratio(text: Any, sign: str) -> float:
    """The value of a fraction such as `64:45` or `30000/1001`; 0 if it is none."""
    above, _, below = str(text or "").partition(sign)
    return number(above) / number(below) if number(below) else 0.0


def number(text: Any) -> float:
    """A number as ffprobe writes it; 0 for what is none, or not plausible."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return 0.0
    return value if 0 < abs(value) < 1e12 else 0.0  # noqa: PLR2004 -- NaN, or not plausible
