"""`process-image`: an upload becomes images."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from processors.media.job_steps import opened_upload, read_report, row_of
from processors.media.process_video import encode
from processors.media.reports import ImageReport
from processors.media.results import ImageResult, Variant
from processors.sandbox.limits import MEBIBYTE, Limits

if TYPE_CHECKING:
    from pathlib import Path

    from processors.media.dependencies import MediaDependencies
    from processors.media.job_steps import MediaRun
    from processors.media.payload import ImageOptions, ImagePayload
    from processors.media.reports import Output
    from queue_lib.processor import Context
    from storage.objects.base import Stored

MAX_UPLOAD = 64 * MEBIBYTE
LIMITS = Limits(cpu=60, wall=120.0, file=128 * MEBIBYTE)
GIF = b"GIF8"
COLUMNS = ("width", "height", "bytes", "format", "blurhash", "dominantColor")  # of the row, if the app has them


class ProcessImage:
    """Fetches the upload, encodes it in a child process, stores the results and marks the file's row."""

    def __init__(self, dependencies: MediaDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: ImagePayload, context: Context, /) -> ImageResult:
        """Run one job. Raises PermanentError for an image, an object or a row that no attempt can help."""
        async with opened_upload(self._dependencies, payload, context, MAX_UPLOAD) as run:
            await context.progress(10)
            report, files = await self._make(run, payload.options)
            compressed, thumbnail = report.output("compressed"), report.output("thumbnail")
            await context.progress(50)
            stored = await run.publish(files, payload.file_id, hashed=payload.options.hashed_keys)
            await context.progress(90)
            result = _image_result(report, files, stored)
            urls = {
                "compressedUrl": stored[compressed.name].lasting,
                "thumbnailUrl": stored[thumbnail.name].lasting,
            }
            await self._dependencies.files.mark_processed(payload.file_id, row_of(result, COLUMNS) | urls)
            await context.progress(100)
        return result

    async def _make(self, run: MediaRun, options: ImageOptions) -> tuple[ImageReport, list[Output]]:
        """Make the images, and of an animated GIF a video if the job asks for one; returns all files."""
        arguments = options.model_dump(exclude={"hashed_keys"})
        wants_video = options.animation == "mp4" and _is_gif(run.folder / "source")
        with self._dependencies.video_slots.take() if wants_video else nullcontext():
            report = read_report(ImageReport, await run.make("image", arguments, LIMITS))
            if not wants_video or report.kind != "GIF" or report.animation is None:
                return report, [*report.files]
            return report, [*report.files, (await encode(run)).output()]


def _is_gif(path: Path) -> bool:
    """Whether the file begins as a GIF does. Only a child may find out whether it is animated."""
    with path.open("rb") as file:
        return file.read(len(GIF)) == GIF


def _image_result(report: ImageReport, files: list[Output], stored: dict[str, Stored]) -> ImageResult:
    compressed, thumbnail = report.output("compressed"), report.output("thumbnail")
    has_video = any(file.format == "mp4" for file in files)
    return ImageResult(
        compressed_url=stored[compressed.name].url,
        thumbnail_url=stored[thumbnail.name].url,
        width=compressed.width,
        height=compressed.height,
        bytes=compressed.bytes,
        format=compressed.format,
        blurhash=report.blurhash,
        dominant_color=report.dominant_color,
        animation="mp4" if has_video else report.animation,
        variants=tuple(_variant(file, stored[file.name]) for file in files if file not in (compressed, thumbnail)),
    )


def _variant(file: Output, stored: Stored) -> Variant:
    return Variant(url=stored.url, **file.model_dump(include={"format", "width", "height", "bytes"}))
