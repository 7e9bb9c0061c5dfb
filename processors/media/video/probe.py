"""What is in the upload, as ffprobe tells it. The bytes are hostile: only known formats, and no other file or host."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processors.media.sandbox.limits import tie
from processors.media.sandbox.wire import RefusedError, one_line

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 60.0  # seconds
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,ogg,gif,asf"
# Without the formats a playlist that is named film.mp4 makes ffmpeg read other files, and text becomes a film.
GUARDED = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
FIELDS = frozenset({"tt", "bb", "tb", "bt"})  # in which order the two halves of an interlaced picture come
NUMBER = re.compile(r"(?<=\s)-?\d+(?=\s)")
CLOCK = re.compile(r"(\d{1,4}):(\d\d):(\d\d(?:\.\d{1,9})?)")
LEAD_IN = 0.2  # seconds of sound that an encoder may need before the film's begin
HDR = frozenset({"smpte2084", "arib-std-b67"})  # PQ and HLG


@dataclass(frozen=True, slots=True)
class Probe:
    """A film. `width` and `height` are in pixels as they are stored, `duration` in seconds (0: not said).

    `pixel` is the width of a pixel by its height, `rotation` in degrees, beside which it may be `mirrored`; `fps` is
    frames and `bit_rate` bits a second (0: not said); `level` is the codec's, in its own numbers. `audio` is the
    codec of the sound that can be decoded, `unheard`: there is some that can't.
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
    interlaced: bool
    transfer: str
    color_range: str
    duration: float
    bit_rate: int
    audio: str | None
    unheard: bool

    @property
    def is_hdr(self) -> bool:
        """Whether its brightness is beyond what a plain screen shows."""
        return self.transfer in HDR

    @property
    def depth(self) -> int:
        """Bytes of a sample, as its frames are in memory."""
        return 2 if self.is_hdr or re.search(r"(9|1[0-6])(le|be)", self.pixel_format) else 1

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
    """Look into a file of this folder. Raises RefusedError for what is no film."""
    command = [*_command(ffprobe), "-show_format", "-show_streams", "-of", "json", f"file:{file}"]
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
        raise RuntimeError(msg)
    if answer.returncode > 0:
        raise RefusedError(_no_film(answer.stderr))
    return _read(json.loads(answer.stdout.decode(errors="replace")))


def hides(ffprobe: Path, file: str, film: Probe) -> bool:
    """Whether the file has pictures, or more than LEAD_IN of sound, that no player shows; or that can't be told.

    Who cuts a film on a phone may get a file with all of it and a list of edits. All of the file is read for this.
    """
    shape = ("-show_entries", "packet=stream_index,duration_time,flags", "-of", "csv=p=0")
    hidden = 0.0
    with subprocess.Popen(
        [*_command(ffprobe), *shape, f"file:{file}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=tie(),  # noqa: PLW1509 -- this process has one thread
    ) as process:
        for line in process.stdout or ():
            index, seconds, flags = (*line.split(","), "", "")[:3]
            if "D" in flags:
                hidden += LEAD_IN if index == str(film.index) else _number(seconds)
    return hidden >= LEAD_IN or process.returncode != 0


def _command(ffprobe: Path) -> list[str]:
    guards = [part for name, value in GUARDED.items() for part in (f"-{name}", value)]
    return [str(ffprobe), "-v", "error", *guards]


def _no_film(stderr: bytes) -> str:
    last = (stderr.decode(errors="replace").strip().splitlines() or ["it is not known"])[-1]
    return f"not a film in one of the known formats: {one_line(last)}"


def _read(told: dict[str, Any]) -> Probe:
    streams: list[dict[str, Any]] = told.get("streams", [])
    films = [each for each in streams if each.get("codec_type") == "video" and not _is_cover(each)]
    sounds = [each for each in streams if each.get("codec_type") == "audio"]
    if not films:
        msg = "the file has sound but no moving picture" if sounds else "the file has no moving picture"
        raise RefusedError(msg)
    film = films[0]
    width, height = int(film.get("width", 0)), int(film.get("height", 0))
    if not width or not height:
        msg = "the film is damaged: its picture has no size"
        raise RefusedError(msg)
    heard = [each for each in sounds[:1] if "codec_name" in each and "sample_fmt" in each]
    duration = _duration(told.get("format", {}), film, *heard)
    size = _number(told.get("format", {}).get("size"))
    return Probe(
        index=int(film["index"]),
        codec=str(film.get("codec_name", "")),
        profile=str(film.get("profile", "")),
        level=int(_number(film.get("level"))),
        pixel_format=str(film.get("pix_fmt", "")),
        width=width,
        height=height,
        pixel=_ratio(film.get("sample_aspect_ratio"), ":") or 1.0,
        rotation=_rotation(film),
        mirrored=_is_mirrored(film),
        fps=_ratio(film.get("avg_frame_rate"), "/"),
        interlaced=film.get("field_order") in FIELDS,
        transfer=str(film.get("color_transfer", "")),
        color_range=str(film.get("color_range", "")),
        duration=duration,
        bit_rate=int(8 * size / duration) if duration else 0,
        audio=str(heard[0]["codec_name"]) if heard else None,
        unheard=len(sounds) > 0 and not heard,
    )


def _is_cover(stream: dict[str, Any]) -> bool:
    return bool(stream.get("disposition", {}).get("attached_pic"))


def _duration(whole: dict[str, Any], *streams: dict[str, Any]) -> float:
    """Of the longest of these streams; where none says, that of the file, which may have longer subtitles."""
    end = _number(whole.get("duration"))
    is_matroska = "matroska" in whole.get("format_name", "")
    return max(map(_length, streams)) or (_from_start(end, whole) if is_matroska else end)


def _length(stream: dict[str, Any]) -> float:
    if said := _number(stream.get("duration")):
        return said
    clock = CLOCK.match(str(stream.get("tags", {}).get("DURATION", "")))
    return _from_start(60 * (60 * float(clock[1]) + float(clock[2])) + float(clock[3]), stream) if clock else 0.0


def _from_start(end: float, part: dict[str, Any]) -> float:
    """How long it lasts: Matroska says when it ends, and it need not start at 0."""
    start = max(0.0, _number(part.get("start_time")))
    return end - start if end > start else end


def _rotation(stream: dict[str, Any]) -> int:
    for data in stream.get("side_data_list", []):
        if "rotation" in data:
            return round(_number(data["rotation"]))
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
    return _number(above) / _number(below) if _number(below) else 0.0


def _number(text: Any) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return 0.0
    return value if 0 < abs(value) < 1e12 else 0.0  # noqa: PLR2004 -- not a number, or nonsense
