"""`process-video`: an upload becomes a film that every browser plays, and a poster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import structlog
from pydantic import Field

from processors.media.payload import VideoPayload, VideoResult
from processors.media.sandbox.client import Task
from processors.media.sandbox.limits import MEBIBYTE, Limits
from processors.media.video.plan import ENCODE
from processors.media.video.tools import Tools, ToolsMissingError, find
from processors.media.workshop import Output, believed, fetched, publish, row_of, tally_bytes
from queue_lib.errors import PermanentError
from queue_lib.processor import Model

if TYPE_CHECKING:
    from pathlib import Path

    from processors.media.parts import MediaParts
    from queue_lib.processor import Context

MAX_PIXELS = 4096 * 2304  # of one frame
FILE = 2048 * MEBIBYTE
SLACK = 10.0  # seconds of the job's time for what comes after the encoding
POSTER = Output(variant="poster", name="poster.jpg", format="jpeg", content_type="image/jpeg", bytes=0)
PATIENCE = 60.0  # seconds: longer than pictures need to end, and than one that goes first is waited for
COLUMNS = ("url", "posterUrl", "duration", "width", "height", "bytes", "codec")


_log = structlog.get_logger()


class FilmReport(Model):
    """What a child says of the film that it has made."""

    duration: Annotated[float, Field(ge=0)]
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    bytes: Annotated[int, Field(gt=0)]
    codec: Literal["h264"]
    audio: Literal["aac"] | None
    truncated: bool
    remuxed: bool
    tone_mapped: bool
    sound_dropped: bool


def tools_or_reason(ffmpeg: str | None, ffprobe: str | None) -> Tools | str:
    """Ffmpeg and ffprobe, or why there are none: a process that gets no films needs none. Takes half a second."""
    try:
        return find(ffmpeg, ffprobe)
    except ToolsMissingError as error:
        _log.warning("no_ffmpeg", reason=str(error))
        return str(error)


def film_of(report: FilmReport) -> Output:
    """The film as a file to be published."""
    sizes = {"width": report.width, "height": report.height, "bytes": report.bytes}
    return Output(variant="video", name="video.mp4", format="mp4", content_type="video/mp4", **sizes)


async def encode(parts: MediaParts, folder: Path, context: Context) -> FilmReport:
    """Make `video.mp4` and `poster.jpg` of the file `source`. Raises PermanentError where no attempt can help."""
    tools = _tools(parts)
    arguments = {
        "ffmpeg": str(tools.ffmpeg),
        "ffprobe": str(tools.ffprobe),
        "version": tools.version,
        "av1": tools.av1,
        "maxDuration": parts.films.duration,
        "maxPixels": MAX_PIXELS,
        "memory": parts.films.memory,
        "remux": True,
    }

    async def tell(percent: float) -> None:
        await context.progress(5 + round(percent * 0.85))

    made = await parts.sandbox.run(Task("video", folder, arguments, _limits(context)), tell)
    if made == ENCODE:
        made = await parts.sandbox.run(Task("video", folder, arguments | ENCODE, _limits(context)), tell)
    with believed():
        return FilmReport.model_validate(made)


def _tools(parts: MediaParts) -> Tools:
    """Raises PermanentError where there are none."""
    if isinstance(parts.tools, str):
        raise PermanentError(parts.tools)
    return parts.tools


def _limits(context: Context) -> Limits:
    """Two threads decode and encode at most: processor time runs twice as fast as the clock."""
    seconds = max(1.0, context.remaining() - SLACK)
    return Limits(cpu=round(2 * seconds) + 1, wall=seconds, file=FILE, patience=PATIENCE)


class ProcessVideo:
    """Fetches the film, encodes it in a child process, stores film and poster and marks the file's row."""

    def __init__(self, parts: MediaParts) -> None:
        """Take where films and rows are, where to encode, with what, and the limits."""
        self._parts = parts

    async def __call__(self, payload: VideoPayload, context: Context, /) -> VideoResult:
        """Run one job. Raises PermanentError for a film, an object or a row that no attempt can help."""
        _tools(self._parts)  # before a film is fetched for nothing
        with self._parts.places.one():
            async with fetched(self._parts, payload, self._parts.films.upload) as folder:
                await context.progress(5)
                report = await encode(self._parts, folder, context)
                result = await self._publish(folder, report, payload)
                tally_bytes(context, folder, (film_of(report), POSTER))
                await context.progress(100)
        return result

    async def _publish(self, folder: Path, report: FilmReport, payload: VideoPayload) -> VideoResult:
        upload, hashed = payload.file_path, payload.options.hashed_keys
        film, poster = [
            await publish(self._parts.objects, folder, output, payload.file_id, upload=upload, hashed=hashed)
            for output in (film_of(report), POSTER)
        ]
        result = VideoResult(url=film.url, poster_url=poster.url, **report.model_dump())
        lasting = {"url": film.lasting, "posterUrl": poster.lasting, "format": "mp4"}
        row = row_of(result.model_dump(by_alias=True), COLUMNS) | lasting
        urls = {"compressedUrl": film.lasting, "thumbnailUrl": poster.lasting}
        await self._parts.files.mark_processed(payload.file_id, row | urls)
        return result
