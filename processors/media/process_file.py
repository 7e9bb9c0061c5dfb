"""`process-file`: one operation on one upload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processors.media.job_steps import opened_upload, read_report
from processors.media.payload import (
    ConvertFile,
    ExtractOptions,
    ExtractText,
    FileJob,
    ImageFile,
    ResizeFile,
)
from processors.media.process_image import LIMITS, MAX_UPLOAD
from processors.media.reports import ImageReport, TextReport
from processors.media.results import ImageFileResult, TextResult
from processors.sandbox.limits import MEBIBYTE, Limits

if TYPE_CHECKING:
    from processors.media.dependencies import MediaDependencies
    from processors.media.job_steps import MediaRun
    from queue_lib.processor import Context

TEXT_LIMITS = Limits(cpu=60, wall=120.0, file=64 * MEBIBYTE)
MAX_UNPACKED = 256 * MEBIBYTE  # of a DOCX, which is a ZIP
MAX_SIDE = 32_767


class ProcessFile:
    """Fetches the upload, works on it in a child process, stores the result and marks the file's row."""

    def __init__(self, dependencies: MediaDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: FileJob, context: Context, /) -> ImageFileResult | TextResult:
        """Run one job. Raises PermanentError for an upload, an object or a row that no attempt can help."""
        job = payload.root
        async with opened_upload(self._dependencies, job, context, MAX_UPLOAD) as run:
            await context.progress(10)
            result = await (self._extract_text(run, job) if isinstance(job, ExtractText) else self._convert(run, job))
            await context.progress(100)
        return result

    async def _convert(self, run: MediaRun, job: ImageFile) -> ImageFileResult:
        """Make one image: resized, compressed or in another format."""
        report = read_report(ImageReport, await run.make("image", _image_arguments(job), LIMITS))
        made = report.output("compressed")
        stored = (await run.publish([made.model_copy(update={"variant": job.operation})], job.file_id))[made.name]
        values = made.model_dump(include={"format", "width", "height", "bytes"})
        urls = {"compressedUrl": stored.lasting, "url": stored.lasting}
        await self._dependencies.files.mark_processed(job.file_id, values | urls)
        return ImageFileResult(operation=job.operation, url=stored.url, animation=report.animation, **values)

    async def _extract_text(self, run: MediaRun, job: ExtractText) -> TextResult:
        report = read_report(TextReport, await run.make("document", _text_arguments(job.options), TEXT_LIMITS))
        output = report.output()
        stored = (await run.publish([output], job.file_id))[output.name]
        await self._dependencies.files.mark_processed(job.file_id, {"textUrl": stored.lasting, "pages": report.pages})
        return TextResult(operation=job.operation, text_url=stored.url, **report.model_dump())


def _text_arguments(options: ExtractOptions) -> dict[str, Any]:
    return {
        "maxCharacters": options.max_characters,
        "maxPages": options.max_pages,
        "maxUnpacked": MAX_UNPACKED,
        "hint": "text/markdown" if options.markdown else None,
    }


def _image_arguments(job: ImageFile) -> dict[str, Any]:
    """One image, whole, with its transparency if the format has one."""
    box = (job.options.width, job.options.height) if isinstance(job, ResizeFile) else (MAX_SIDE, MAX_SIDE)
    image_format = job.options.format
    return {
        "formats": [image_format],
        "quality": job.options.quality,
        "progressive": False,
        "widths": [],
        "crop": "center",
        "background": "#ffffff",
        "alpha": "flatten" if image_format == "jpeg" else "keep",
        "animation": "keep" if image_format == "webp" else "first-frame",
        "box": box,
        "thumbnail": False,
        "original": not isinstance(job, ConvertFile),
    }
