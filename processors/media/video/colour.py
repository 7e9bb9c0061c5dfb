"""Colours of videos: what their metadata means, and the filters that convert them to BT.709, or for a JPEG."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from processors.sandbox.protocol import RefusedError

HDR = frozenset({"smpte2084", "arib-std-b67"})  # PQ and HLG
WIDE = frozenset({"bt2020", "smpte431", "smpte432"})  # primaries far beyond BT.709: BT.2020 and P3
# Matrices that ffmpeg converts, or the nearest one that it does. It fails with others, or shows wrong colours.
READ = {name: name for name in ("bt709", "fcc", "bt470bg", "smpte170m", "smpte240m", "bt2020nc")} | {
    "bt2020c": "bt2020nc"
}
UNREADABLE = frozenset({"ycgco", "ycgco-re", "ycgco-ro", "ictcp", "ipt-c2", "smpte2085"})
SAID = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "range": "tv"}
NATIVE_TONE_MAPPING = 8  # the version of ffmpeg from which its scaler maps tones
EXACT = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"  # where rounding twice would be visible
WHITE = 203  # nits of diffuse white in HDR (BT.2408)
HD = 720  # lines from which browsers assume BT.709 if a video does not say


@dataclass(frozen=True, slots=True)
class Colour:
    """The colours of a video, in ffmpeg's words; `unknown` if the video does not say.

    `matrix` is the one to decode with: the video's own, or what browsers assume; `gbr` means none.
    """

    matrix: str
    primaries: str
    transfer: str
    range: str

    @property
    def is_hdr(self) -> bool:
        """Whether it has high dynamic range."""
        return self.transfer in HDR

    @property
    def is_plain(self) -> bool:
        """Whether browsers show it like BT.709 or BT.601."""
        plain = {"bt709", "smpte170m", "bt470bg"}
        return self.matrix in plain and self.primaries in {"unknown", *plain} and self.range != "pc" and not self.is_hdr


PLAIN = Colour("bt709", "bt709", "bt709", "tv")


def colour_of(stream: dict[str, Any]) -> Colour:
    """The colours of a stream of ffprobe's. Raises RefusedError for those that ffmpeg can't convert."""
    said = {name: str(stream.get(f"color_{name}", "unknown")) for name in ("space", "primaries", "transfer", "range")}
    if said["space"] in UNREADABLE:
        msg = f"the video's colours are in a form that is not taken ({said['space']})"
        raise RefusedError(msg)
    if re.search("rgb|bgr|gbr|pal8", str(stream.get("pix_fmt"))):
        matrix = "gbr"
    elif said["transfer"] in HDR:
        matrix = READ.get(said["space"], "bt2020nc")
    else:
        matrix = READ.get(said["space"]) or _taken_for(stream)
    return Colour(matrix, said["primaries"], said["transfer"], said["range"])


def _taken_for(stream: dict[str, Any]) -> str:
    """The matrix that Chromium and Firefox assume for a video that does not say."""
    is_hd = int(stream.get("height", 0)) >= HD and stream.get("codec_name") != "vp9"
    return "bt709" if is_hd else "smpte170m"


def in_bt709(frames: Any, colour: Colour, version: int, width: int, height: int) -> Any:
    """The frames at this size, converted to BT.709 in limited range, and marked as such."""
    marked = _marked(frames, colour)
    if colour.is_hdr:
        return _toned(marked, version, width, height).filter("setparams", **SAID)
    plain = marked.filter("scale", width, height, out_color_matrix="bt709", out_range="tv")
    if colour.primaries in WIDE:
        said = {"ispace": "bt709", "iprimaries": colour.primaries, "itrc": "bt709", "irange": "tv"}
        plain = plain.filter("colorspace", "bt709", **said)
    return plain.filter("setparams", **SAID)


def in_jpeg(frames: Any, colour: Colour, width: str) -> Any:
    """Frames without HDR at this width, in the matrix and range in which JPEGs are read."""
    seen = {"out_color_matrix": "bt601", "out_range": "pc", "flags": EXACT}
    small = _marked(frames, colour).filter("scale", width, -2, **seen)
    return small.filter("format", "yuvj420p")


def _marked(frames: Any, colour: Colour) -> Any:
    """The frames, marked with their colours, because ffmpeg would guess others than browsers do."""
    if not colour.is_hdr:
        return frames.filter("setparams", colorspace=colour.matrix, color_primaries="bt709", color_trc="bt709")
    primaries = "bt2020" if colour.primaries == "unknown" else colour.primaries
    return frames.filter("setparams", colorspace=colour.matrix, color_primaries=primaries, color_trc=colour.transfer)


def _toned(frames: Any, version: int, width: int, height: int) -> Any:
    """Tone-map high dynamic range for an ordinary screen."""
    small = frames.filter("scale", width, height)
    if version >= NATIVE_TONE_MAPPING:
        plain = {"out_color_matrix": "bt709", "out_primaries": "bt709", "out_transfer": "bt709", "out_range": "tv"}
        return small.filter("scale", **plain)
    linear = small.filter("zscale", t="linear", npl=WHITE).filter("format", "gbrpf32le")
    mapped = linear.filter("zscale", p="bt709").filter("tonemap", "mobius")
    return mapped.filter("zscale", t="bt709", m="bt709", r="tv")
