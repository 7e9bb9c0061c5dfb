"""`process-file`: one operation on one upload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from processors.media.payload import (
    ConvertFile,
    ExtractText,
    FileJob,
    PictureFile,
    PictureFileResult,
    ResizeFile,
    TextResult,
)
from processors.media.pictures import LIMITS, MAX_UPLOAD
from processors.media.sandbox.client import Task
from processors.media.sandbox.limits import MEBIBYTE, Limits
from processors.media.workshop import Output, PictureReport, believed, fetched, publish, tally_bytes
from queue_lib.processor import Model

if TYPE_CHECKING:
    from pathlib import Path

    from processors.media.parts import MediaParts
    from queue_lib.processor import Context

TEXT_LIMITS = Limits(cpu=60, wall=120.0, file=64 * MEBIBYTE)
MAX_UNPACKED = 256 * MEBIBYTE  # of a DOCX, which is a ZIP
MAX_SIDE = 32_767


class TextReport(Model):
    """What a child says of the text that it has found."""

    kind: Literal["pdf", "docx", "text", "markdown"]
    characters: Annotated[int, Field(ge=0)]
    pages: Annotated[int, Field(ge=0)] | None
    pages_without_text: Annotated[int, Field(ge=0)] | None
    truncated: bool
    bytes: Annotated[int, Field(ge=0)]


class ProcessFile:
    """Fetches the upload, works on it in a child process, stores the result and marks the file's row."""

    def __init__(self, parts: MediaParts) -> None:
        """Take where uploads and rows are, and where to work."""
        self._parts = parts

    async def __call__(self, payload: FileJob, context: Context, /) -> PictureFileResult | TextResult:
        """Run one job. Raises PermanentError for an upload, an object or a row that no attempt can help."""
        job = payload.root
        async with fetched(self._parts, job, MAX_UPLOAD) as folder:
            await context.progress(10)
            work = self._text(job, folder) if isinstance(job, ExtractText) else self._picture(job, folder)
            output, result = await work
            tally_bytes(context, folder, [output])
            await context.progress(100)
        return result

    async def _picture(self, job: PictureFile, folder: Path) -> tuple[Output, PictureFileResult]:
        made = await self._parts.sandbox.run(Task("image", folder, _wishes(job), LIMITS))
        with believed():
            report = PictureReport.model_validate(made)
            output = report.output("compressed")
        renamed = output.model_copy(update={"variant": job.operation})
        stored = await publish(self._parts.objects, folder, renamed, job.file_id, upload=job.file_path, hashed=False)
        values = output.model_dump(include={"format", "width", "height", "bytes"})
        urls = {"compressedUrl": stored.lasting, "url": stored.lasting}
        await self._parts.files.mark_processed(job.file_id, values | urls)
        result = PictureFileResult(operation=job.operation, url=stored.url, animation=report.animation, **values)
        return output, result

    async def _text(self, job: ExtractText, folder: Path) -> tuple[Output, TextResult]:
        options = job.options
        arguments = {
            "maxCharacters": options.max_characters,
            "maxPages": options.max_pages,
            "maxUnpacked": MAX_UNPACKED,
            "hint": "text/markdown" if options.markdown else None,
        }
        made = await self._parts.sandbox.run(Task("document", folder, arguments, TEXT_LIMITS))
        with believed():
            report = TextReport.model_validate(made)
        output = Output(
            variant="text", name="text.txt", format="text", content_type="text/plain; charset=utf-8", bytes=report.bytes
        )
        stored = await publish(self._parts.objects, folder, output, job.file_id, upload=job.file_path, hashed=False)
        await self._parts.files.mark_processed(job.file_id, {"textUrl": stored.lasting, "pages": report.pages})
        return output, TextResult(operation=job.operation, text_url=stored.url, **report.model_dump())


def _wishes(job: PictureFile) -> dict[str, Any]:
    """The image task's arguments: one picture, whole, with its transparency where the format has one."""
    box = (job.options.width, job.options.height) if isinstance(job, ResizeFile) else (MAX_SIDE, MAX_SIDE)
    form = job.options.format
    return {
        "formats": [form],
        "quality": job.options.quality,
        "progressive": False,
        "widths": [],
        "crop": "center",
        "background": "#ffffff",
        "alpha": "flatten" if form == "jpeg" else "keep",
        "animation": "keep" if form == "webp" else "first-frame",
        "box": box,
        "thumbnail": False,
        "original": not isinstance(job, ConvertFile),
    }
