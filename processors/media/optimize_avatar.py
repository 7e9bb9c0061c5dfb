"""`optimize-avatar`: an upload becomes a user's avatar."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from processors.media.job_steps import opened_upload, read_report
from processors.media.process_image import LIMITS, MAX_UPLOAD
from processors.media.reports import ImageReport
from processors.media.results import AvatarResult

if TYPE_CHECKING:
    from processors.media.dependencies import MediaDependencies
    from processors.media.payload import AvatarPayload
    from queue_lib.processor import Context
    from storage.objects.base import Stored


class OptimizeAvatar:
    """Makes a user's square images. Their keys change with their content, so that no cache shows an old one."""

    def __init__(self, dependencies: MediaDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: AvatarPayload, context: Context, /) -> AvatarResult:
        """Run one job. Raises PermanentError for an image, an object or a user that no attempt can help."""
        options = payload.options
        arguments = options.model_dump() | {"sizes": options.sizes or tuple(self._dependencies.avatar_sizes)}
        async with opened_upload(self._dependencies, payload, context, MAX_UPLOAD) as run:
            await context.progress(10)
            report = read_report(ImageReport, await run.make("avatar", arguments, LIMITS))
            await context.progress(50)
            stored = await run.publish(report.files, f"avatars/{quote(payload.user_id, safe='')}", hashed=True)
            await context.progress(90)
            largest = stored[report.files[0].name]  # in the first format
            await self._dependencies.avatars.update(payload.user_id, largest.lasting)
            await context.progress(100)
        return _avatar_result(report, stored)


def _avatar_result(report: ImageReport, stored: dict[str, Stored]) -> AvatarResult:
    urls: dict[str, dict[str, str]] = {}
    for file in report.files:
        urls.setdefault(file.variant, {})[file.format] = stored[file.name].url
    return AvatarResult(
        urls=urls, blurhash=report.blurhash, dominant_color=report.dominant_color, animation=report.animation
    )
