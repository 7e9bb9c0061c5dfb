"""What the media processors are made of."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_lib.errors import SnoozeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from processors.media.sandbox.client import Sandbox
    from processors.media.video.tools import Tools
    from storage.objects.base import ObjectStore
    from storage.ports import Avatars, Files


ANOTHER_TIME = (5.0, 10.0)  # seconds until a video that has no place asks again: any of these


class VideoSlots:
    """The places for videos, of all jobs that make one. They are fewer than the queue's: no video starves images."""

    def __init__(self, count: int) -> None:
        """So many at once."""
        self._free = count

    @contextmanager
    def take(self) -> Iterator[None]:
        """Have one of them. Raises SnoozeError where none is free."""
        if self._free <= 0:
            msg = "another video is being encoded (VIDEO_CONCURRENCY)"
            raise SnoozeError(msg, random.uniform(*ANOTHER_TIME))  # noqa: S311 -- so that they don't all come at once
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """A video has at most `duration` seconds and `upload` bytes; `memory` bytes are for encoding one."""

    duration: float
    upload: int
    memory: int


@dataclass(frozen=True, slots=True)
class MediaDependencies:
    """Where objects and rows are, where to encode, and the limits.

    `tools` are ffmpeg and ffprobe, or why there are none. `avatar_sizes` are in pixels.
    """

    objects: ObjectStore
    files: Files
    avatars: Avatars
    sandbox: Sandbox
    tools: Tools | str
    video_limits: VideoLimits
    video_slots: VideoSlots
    avatar_sizes: Sequence[int]
