"""What the media processors work with: object store, rows, sandbox, ffmpeg and limits."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_lib.errors import SnoozeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from processors.media.video.ffmpeg_tools import FfmpegTools
    from processors.sandbox.client import Sandbox
    from storage.objects.base import ObjectStore
    from storage.ports import Avatars, Files


RETRY_IN = (5.0, 10.0)  # seconds until a video that got no slot tries again: at random between these


class VideoSlots:
    """Slots for jobs that make a video. There are fewer than jobs at once, so that videos leave room for images."""

    def __init__(self, count: int) -> None:
        """`count` videos may be encoded at once."""
        self._free = count

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold a slot. Raises SnoozeError if none is free."""
        if self._free <= 0:
            msg = "another video is being encoded (VIDEO_CONCURRENCY)"
            raise SnoozeError(msg, random.uniform(*RETRY_IN))  # noqa: S311 -- spreads them
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """A video may last `duration` seconds and have `upload` bytes; encoding may use `memory` bytes."""

    duration: float
    upload: int
    memory: int


@dataclass(frozen=True, slots=True)
class MediaDependencies:
    """All that a media processor needs.

    `tools` are ffmpeg and ffprobe, or the reason why there are none. `avatar_sizes` are in pixels.
    """

    objects: ObjectStore
    files: Files
    avatars: Avatars
    sandbox: Sandbox
    tools: FfmpegTools | str
    video_limits: VideoLimits
    video_slots: VideoSlots
    avatar_sizes: Sequence[int]
