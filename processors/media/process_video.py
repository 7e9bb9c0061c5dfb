"""`process-video`: an upload becomes a video that every browser plays, and a poster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from processors.media.job_steps import opened_upload, read_report, row_of
from processors.media.reports import Output, VideoReport
from processors.media.results import VideoResult
from processors.media.video.ffmpeg_tools import FfmpegTools, NoFfmpegError, find
from processors.media.video.plan import ENCODE
from processors.sandbox.limits import MEBIBYTE, Limits
from queue_lib.errors import PermanentError

if TYPE_CHECKING:
    from processors.media.dependencies import MediaDependencies
    from processors.media.job_steps import MediaRun
    from processors.media.payload import VideoPayload
    from queue_lib.processor import Context
    from storage.objects.base import Stored

MAX_PIXELS = 4096 * 2304  # of one frame
FILE = 2048 * MEBIBYTE
SLACK = 10.0  # seconds of the job's time that are kept for storing the results
POSTER = Output(variant="poster", name="poster.jpg", format="jpeg", content_type="image/jpeg", bytes=0)
PATIENCE = 60.0  # seconds to wait for memory: longer than running images, and one that goes first, may take
COLUMNS = ("url", "posterUrl", "duration", "width", "height", "bytes", "codec")


_log = structlog.get_logger()


def tools_or_reason(ffmpeg: str | None, ffprobe: str | None) -> FfmpegTools | str:
    """Find ffmpeg and ffprobe; the reason if there are none. Only videos need them. Takes half a second."""
    try:
        return find(ffmpeg, ffprobe)
    except NoFfmpegError as error:
        _log.warning("no_ffmpeg", reason=str(error))
        return str(error)


async def encode(run: MediaRun) -> VideoReport:
    """Make `video.mp4` and `poster.jpg` of the upload. Raises PermanentError if no attempt can help."""
    tools, limits = _tools(run.dependencies), run.dependencies.video_limits
    arguments = {
        "ffmpeg": str(tools.ffmpeg),
        "ffprobe": str(tools.ffprobe),
        "version": tools.version,
        "av1": tools.av1,
        "maxDuration": limits.duration,
        "maxPixels": MAX_PIXELS,
        "memory": limits.memory,
        "remux": True,
    }

    async def on_progress(percent: float) -> None:
        await run.context.progress(5 + round(percent * 0.85))

    made = await run.make("video", arguments, _limits(run.context), on_progress)
    if made == ENCODE:
        made = await run.make("video", arguments | ENCODE, _limits(run.context), on_progress)
    return read_report(VideoReport, made)


def _tools(dependencies: MediaDependencies) -> FfmpegTools:
    """Ffmpeg and ffprobe. Raises PermanentError if there are none."""
    if isinstance(dependencies.tools, str):
        raise PermanentError(dependencies.tools)
    return dependencies.tools


def _limits(context: Context) -> Limits:
    """The rest of the job's time. At most two threads work at once, so processor time may be twice that."""
    seconds = max(1.0, context.remaining() - SLACK)
    return Limits(cpu=round(2 * seconds) + 1, wall=seconds, file=FILE, patience=PATIENCE)


class ProcessVideo:
    """Fetches the video, encodes it in a child process, stores video and poster and marks the file's row."""

    def __init__(self, dependencies: MediaDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: VideoPayload, context: Context, /) -> VideoResult:
        """Run one job. Raises PermanentError for a video, an object or a row that no attempt can help."""
        _tools(self._dependencies)  # before a video is fetched in vain
        with self._dependencies.video_slots.take():
            most = self._dependencies.video_limits.upload
            async with opened_upload(self._dependencies, payload, context, most) as run:
                await context.progress(5)
                report = await encode(run)
                video = report.output()
                stored = await run.publish([video, POSTER], payload.file_id, hashed=payload.options.hashed_keys)
                result = _result(report, stored[video.name], stored[POSTER.name])
                row = row_of(result, COLUMNS) | _columns(stored[video.name], stored[POSTER.name])
                await self._dependencies.files.mark_processed(payload.file_id, row)
                await context.progress(100)
        return result


def _result(report: VideoReport, video: Stored, poster: Stored) -> VideoResult:
    return VideoResult(url=video.url, poster_url=poster.url, **report.model_dump())


def _columns(video: Stored, poster: Stored) -> dict[str, str]:
    """Lasting URLs for the row, and its format."""
    return {
        "url": video.lasting,
        "posterUrl": poster.lasting,
        "compressedUrl": video.lasting,
        "thumbnailUrl": poster.lasting,
        "format": "mp4",
    }
