"""`process-image` and `optimize-avatar`: an upload becomes pictures."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING
from urllib.parse import quote

from processors.media.films import encode, film_of
from processors.media.payload import AvatarPayload, AvatarResult, ImageOptions, ImagePayload, ImageResult, Variant
from processors.media.sandbox.client import Task
from processors.media.sandbox.limits import MEBIBYTE, Limits
from processors.media.workshop import Output, PictureReport, believed, fetched, publish, row_of, tally_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from processors.media.parts import MediaParts
    from queue_lib.processor import Context
    from storage.objects.base import Stored

MAX_UPLOAD = 64 * MEBIBYTE
LIMITS = Limits(cpu=60, wall=120.0, file=128 * MEBIBYTE)
GIF = b"GIF8"
COLUMNS = ("width", "height", "bytes", "format", "blurhash", "dominantColor")  # of the row, where the app has them


class ProcessImage:
    """Fetches the upload, encodes it in a child process, stores the results and marks the file's row."""

    def __init__(self, parts: MediaParts) -> None:
        """Take where pictures and rows are, and where to encode."""
        self._parts = parts

    async def __call__(self, payload: ImagePayload, context: Context, /) -> ImageResult:
        """Run one job. Raises PermanentError for a picture, an object or a row that no attempt can help."""
        async with fetched(self._parts, payload, MAX_UPLOAD) as folder:
            await context.progress(10)
            report = await self._make(folder, payload.options, context)
            await context.progress(50)
            with believed():
                compressed, thumbnail = report.output("compressed"), report.output("thumbnail")
            stored = await self._publish(folder, report.files, payload)
            tally_bytes(context, folder, report.files)
            await context.progress(90)
            result = ImageResult(
                compressed_url=stored[compressed.name].url,
                thumbnail_url=stored[thumbnail.name].url,
                width=compressed.width,
                height=compressed.height,
                bytes=compressed.bytes,
                format=compressed.format,
                blurhash=report.blurhash,
                dominant_color=report.dominant_color,
                animation=report.animation,
                variants=tuple(
                    _variant(file, stored[file.name]) for file in report.files if file not in (compressed, thumbnail)
                ),
            )
            row = row_of(result.model_dump(by_alias=True), COLUMNS)
            urls = {
                "compressedUrl": stored[compressed.name].lasting,
                "thumbnailUrl": stored[thumbnail.name].lasting,
            }
            await self._parts.files.mark_processed(payload.file_id, row | urls)
            await context.progress(100)
        return result

    async def _make(self, folder: Path, options: ImageOptions, context: Context) -> PictureReport:
        arguments = options.model_dump(exclude={"hashed_keys"})
        may_be_film = options.animation == "mp4" and _is_gif(folder / "source")
        with self._parts.places.one() if may_be_film else nullcontext():
            made = await self._parts.sandbox.run(Task("image", folder, arguments, LIMITS))
            with believed():
                report = PictureReport.model_validate(made)
            if may_be_film and report.kind == "GIF" and report.animation is not None:
                film = film_of(await encode(self._parts, folder, context))
                return report.model_copy(update={"files": (*report.files, film), "animation": "mp4"})
        return report

    async def _publish(self, folder: Path, files: Sequence[Output], payload: ImagePayload) -> dict[str, Stored]:
        hashed = payload.options.hashed_keys
        return {
            file.name: await publish(
                self._parts.objects, folder, file, payload.file_id, upload=payload.file_path, hashed=hashed
            )
            for file in files
        }


class OptimizeAvatar:
    """Makes a user's square pictures. Their keys change with their content, so that caches turn over."""

    def __init__(self, parts: MediaParts) -> None:
        """Take where pictures and users are, where to encode, and the sizes where a job names none."""
        self._parts = parts

    async def __call__(self, payload: AvatarPayload, context: Context, /) -> AvatarResult:
        """Run one job. Raises PermanentError for a picture, an object or a user that no attempt can help."""
        options = payload.options
        arguments = options.model_dump() | {"sizes": options.sizes or tuple(self._parts.avatar_sizes)}
        async with fetched(self._parts, payload, MAX_UPLOAD) as folder:
            await context.progress(10)
            made = await self._parts.sandbox.run(Task("avatar", folder, arguments, LIMITS))
            await context.progress(50)
            with believed():
                report = PictureReport.model_validate(made)
            base = f"avatars/{quote(payload.user_id, safe='')}"
            stored = [
                await publish(self._parts.objects, folder, file, base, upload=payload.file_path, hashed=True)
                for file in report.files
            ]
            tally_bytes(context, folder, report.files)
            await context.progress(90)
            urls: dict[str, dict[str, str]] = {}
            for file, place in zip(report.files, stored, strict=True):
                urls.setdefault(file.variant, {})[file.format] = place.url
            await self._parts.avatars.update(payload.user_id, stored[0].lasting)  # the largest, in the first format
            await context.progress(100)
        return AvatarResult(
            urls=urls, blurhash=report.blurhash, dominant_color=report.dominant_color, animation=report.animation
        )


def _is_gif(path: Path) -> bool:
    """Whether it begins as a GIF does; if it moves, only a child may find out."""
    with path.open("rb") as file:
        return file.read(len(GIF)) == GIF


def _variant(file: Output, place: Stored) -> Variant:
    return Variant(url=place.url, format=file.format, width=file.width, height=file.height, bytes=file.bytes)
