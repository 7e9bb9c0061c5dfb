"""What the media processors are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.media.sandbox.client import Sandbox
    from processors.media.video.tools import Tools
    from storage.objects.base import ObjectStore
    from storage.ports import Avatars, Files


@dataclass(frozen=True, slots=True)
class FilmLimits:
    """`concurrency` films at once, each of at most `duration` seconds and `upload` bytes; `memory` bytes for one."""

    concurrency: int
    duration: float
    upload: int
    memory: int


@dataclass(frozen=True, slots=True)
class MediaParts:
    """Where objects and rows are, where to encode, and the limits.

    `tools` are ffmpeg and ffprobe, or why there are none. `avatar_sizes` are in pixels.
    """

    objects: ObjectStore
    files: Files
    avatars: Avatars
    sandbox: Sandbox
    tools: Tools | str
    films: FilmLimits
    avatar_sizes: Sequence[int]
