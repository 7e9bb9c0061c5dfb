"""Opens media: its processors over the app's rows, the object store and the children that decode."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from processors.media.dead_uploads import DeadUploads
from processors.media.files import ProcessFile
from processors.media.films import ProcessVideo, tools_or_reason
from processors.media.parts import MediaParts
from processors.media.pictures import OptimizeAvatar, ProcessImage
from processors.media.sandbox.client import Sandbox
from processors.media.settings import MediaSettings, PlatformSettings
from queue_lib.feature import Opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.tools import Tools
    from queue_lib.feature import Served

OF_FILES = ("process-image", "process-video", "process-file")  # jobs whose upload has a row


@asynccontextmanager
async def opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """Media, until the worker ends."""
    settings = served.of(MediaSettings)
    sandbox = Sandbox(served.of(PlatformSettings).child_env(), settings.memory())
    try:
        parts = MediaParts(
            objects=tools.storage.objects(),
            files=tools.storage.files(settings.file_table),
            avatars=tools.storage.avatars(settings.avatar_table, settings.avatar_column),
            sandbox=sandbox,
            tools=await asyncio.to_thread(tools_or_reason, settings.ffmpeg_path, settings.ffprobe_path),
            films=settings.films(),
            places=settings.places(),
            avatar_sizes=settings.avatar_sizes,
        )
        yield Opened(
            processors={
                "process-image": ProcessImage(parts),
                "process-video": ProcessVideo(parts),
                "optimize-avatar": OptimizeAvatar(parts),
                "process-file": ProcessFile(parts),
            },
            on_dead=dict.fromkeys(OF_FILES, DeadUploads(parts)),
            holds={"disk": sandbox.check},
        )
    finally:
        await sandbox.close()
