"""Opens media: its processors, over the app's rows, the object store and the sandbox."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from processors.media.dead_uploads import DeadUploads
from processors.media.dependencies import MediaDependencies
from processors.media.feature import FILE_NAMES
from processors.media.optimize_avatar import OptimizeAvatar
from processors.media.process_file import ProcessFile
from processors.media.process_image import ProcessImage
from processors.media.process_video import ProcessVideo, tools_or_reason
from processors.media.settings import MediaSettings
from processors.sandbox.settings import SandboxSettings
from queue_lib.feature import Opened
from storage.settings import ObjectsSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.tools import Tools
    from queue_lib.feature import Served

OF_FILES = ("process-image", "process-video", *FILE_NAMES)  # jobs whose upload has a row


@asynccontextmanager
async def opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """The processors of media, until the worker ends. The caller closes the tools."""
    settings = served.of(MediaSettings)
    sandbox = tools.sandbox.open("image")
    dependencies = MediaDependencies(
        objects=tools.storage.objects(),
        files=tools.storage.files(settings.file_table),
        avatars=tools.storage.avatars(settings.avatar_table, settings.avatar_column),
        sandbox=sandbox,
        tools=await asyncio.to_thread(tools_or_reason, settings.ffmpeg_path, settings.ffprobe_path),
        video_limits=settings.video_limits(served.of(SandboxSettings).memory()),
        video_slots=settings.video_slots(),
        avatar_sizes=settings.avatar_sizes,
    )
    yield Opened(
        processors={
            "process-image": ProcessImage(dependencies),
            "process-video": ProcessVideo(dependencies),
            "optimize-avatar": OptimizeAvatar(dependencies),
            **dict.fromkeys(FILE_NAMES, ProcessFile(dependencies)),
        },
        on_dead=dict.fromkeys(OF_FILES, DeadUploads(dependencies)),
        holds={"disk": sandbox.check},
        facts={
            "storage": served.of(ObjectsSettings).storage_url,
            "fileTable": settings.file_table,
            "avatarTable": settings.avatar_table or "",
            "avatarColumn": settings.avatar_column,
        },
    )
