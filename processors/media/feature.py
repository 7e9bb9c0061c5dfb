"""The manifest of media: uploads made small. Every process imports it, so nothing heavy is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.media.payload import AvatarPayload, FileJob, ImagePayload, VideoPayload
from processors.media.results import AvatarResult, FileResult, ImageResult, VideoResult
from processors.media.settings import MediaSettings
from processors.sandbox.settings import PlatformSettings, SandboxSettings
from queue_lib.feature import Counter, Feature
from queue_lib.job import Backoff
from queue_lib.processor import JobSchema
from queue_lib.queues import DAY, Queue, Retention
from storage.settings import DatabaseSettings, ObjectsSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from processors.tools import Tools
    from queue_lib.feature import Opened, Served
    from queue_lib.shown import Find, Showing

QUEUE = "file-processing"
FILE_NAMES = ("process-file", "FILE_PROCESS")


def _by_direction(counts: Mapping[str, Mapping[str, int]]) -> Iterable[tuple[tuple[str, ...], int]]:
    """`{direction: {...: n}}`; the directions are `in` and `out`."""
    return [((direction,), sum(kinds.values())) for direction, kinds in counts.items()]


def _open(served: Served, tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.media.opening import opened

    return opened(served, tools)


def _shows(find: Find) -> Showing:
    from processors.media.shown import showing

    return showing(find(ObjectsSettings))


MEDIA = Feature(
    name="media",
    queues=(
        Queue(
            name=QUEUE,
            profile="heavy",
            needs=("database", "database_writes", "storage", "disk"),
            concurrency=3,
            rate_max=50,
            attempts=2,
            backoff=Backoff((5.0,), exponential=True),
            timeout=900.0,
            keep_completed=Retention(age=7 * DAY, count=500),
        ),
    ),
    jobs=(
        JobSchema("process-image", QUEUE, ImagePayload, ImageResult),
        JobSchema("process-video", QUEUE, VideoPayload, VideoResult),
        JobSchema("optimize-avatar", QUEUE, AvatarPayload, AvatarResult),
        *(JobSchema(name, QUEUE, FileJob, FileResult) for name in FILE_NAMES),
    ),
    settings=(MediaSettings, ObjectsSettings),
    shared_settings=(DatabaseSettings, PlatformSettings, SandboxSettings),
    counters=(
        Counter(
            metric="media_bytes",
            name="media_bytes",
            meaning="Bytes of uploads, and of what was made of them.",
            queue=QUEUE,
            labels={"direction": ("in", "out")},
            samples=_by_direction,
        ),
    ),
    open=_open,
    shows=_shows,
)
