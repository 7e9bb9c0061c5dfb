"""Videos from the processor through a child process to an object store."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
import structlog.testing
from PIL import Image

from processors.media.payload import FileJob, ImagePayload, VideoPayload
from processors.media.process_file import ProcessFile
from processors.media.process_image import ProcessImage
from processors.media.process_video import ProcessVideo, tools_or_reason
from processors.media.video.plan import LEAN
from processors.sandbox.limits import MEBIBYTE
from queue_lib.errors import PermanentError, SnoozeError
from tests.support import videos
from tests.support.fakes import FakeContext

if TYPE_CHECKING:
    from processors.media.dependencies import MediaDependencies
    from processors.media.video.ffmpeg_tools import FfmpegTools
    from tests.support.media import FolderStore, MemoryFiles

JOB = VideoPayload.model_validate({"fileId": "file-1", "filePath": "uploads/a.mp4", "userId": 1})


@pytest.fixture
def studio(dependencies: MediaDependencies, store: FolderStore, kit: FfmpegTools) -> MediaDependencies:
    """The dependencies with a real ffmpeg, and a video in the store."""
    videos.make("plain", store.folder / "uploads" / "a.mp4")
    return dataclasses.replace(dependencies, tools=kit)


async def test_an_upload_becomes_a_video_a_poster_and_a_row(
    studio: MediaDependencies, store: FolderStore, files: MemoryFiles
) -> None:
    """A video is fetched, encoded, stored under its file's id and recorded, with progress on the way."""
    context = FakeContext()
    result = await ProcessVideo(studio)(JOB, context)

    data = result.model_dump(by_alias=True)
    seen = videos.look(store.folder / "file-1-video.mp4")
    facts = {
        "width": 320,
        "height": 240,
        "codec": "h264",
        "bytes": (store.folder / "file-1-video.mp4").stat().st_size,
        "duration": max(float(stream["duration"]) for stream in seen["streams"]),
    }
    urls = {"url": "https://cdn.test/file-1-video.mp4", "posterUrl": "https://cdn.test/file-1-poster.jpg"}
    assert (facts | urls).items() <= data.items()
    kept = {name: url.replace("https://cdn.test/", "kept:") for name, url in urls.items()}
    columns = {"compressedUrl": kept["url"], "thumbnailUrl": kept["posterUrl"], "format": "mp4", "processed": True}
    assert facts | kept | columns == files.rows["file-1"]
    assert {"file-1-video.mp4": "video/mp4", "file-1-poster.jpg": "image/jpeg"} == {
        key: content_type for key, (content_type, _) in store.stored.items()
    }
    assert (5, 100) == (context.reports[0], context.reports[-1])
    assert len(context.reports) > 2


@pytest.mark.parametrize(
    ("recipe", "size", "less"),
    [
        pytest.param("4k", (1920, 1080), (1280, 720), marks=pytest.mark.matrix),
        pytest.param("4k-hevc", (1920, 1080), (1280, 720), marks=pytest.mark.matrix),
        pytest.param("4k-upright", (1080, 1920), (720, 1280), marks=pytest.mark.matrix),
        pytest.param("4k-vp9", (1920, 1080), (1280, 720), marks=pytest.mark.matrix),
        ("4k-ten-bits", (1280, 720), (1280, 720)),
    ],
)
async def test_a_large_video_fits_its_memory(
    studio: MediaDependencies,
    store: FolderStore,
    kit: FfmpegTools,
    recipe: str,
    size: tuple[int, int],
    less: tuple[int, int],
) -> None:
    """Under a child's limits, and without losing a frame; `less` is for an ffmpeg that takes more."""
    videos.make(recipe, store.folder / "uploads" / "a.mp4")
    result = await ProcessVideo(studio)(JOB, FakeContext())

    expected = size if kit.version >= LEAN else less
    assert (*expected, False) == (result.width, result.height, result.truncated)
    assert "30" == videos.look(store.folder / "file-1-video.mp4")["video"]["nb_read_frames"]


async def test_a_video_without_a_keyframe_is_encoded(studio: MediaDependencies, store: FolderStore) -> None:
    """If the keyframes alone show nothing, a second task decodes all frames, with the memory for it."""
    videos.make("no-keyframe", store.folder / "uploads" / "a.mp4")
    result = await ProcessVideo(studio)(JOB, FakeContext())

    assert not result.remuxed
    assert int(videos.look(store.folder / "file-1-video.mp4")["video"]["nb_read_frames"]) > 10


async def test_a_video_that_needs_too_much_memory(studio: MediaDependencies, store: FolderStore) -> None:
    """The video is not at fault, and the operator reads what to change."""
    videos.make("4k-ten-bits", store.folder / "uploads" / "a.mp4")
    short = dataclasses.replace(studio, video_limits=dataclasses.replace(studio.video_limits, memory=64 * MEBIBYTE))

    with pytest.raises(PermanentError, match=r"more memory than it was given \(MEDIA_MEMORY\)"):
        await ProcessVideo(short)(JOB, FakeContext())


async def test_a_video_never_takes_the_slots_of_images(studio: MediaDependencies) -> None:
    """Beyond VIDEO_CONCURRENCY a video is snoozed for a few seconds, and no attempt is counted."""
    process = ProcessVideo(studio)
    first = asyncio.create_task(process(JOB, FakeContext()))
    await asyncio.sleep(0)

    with pytest.raises(SnoozeError, match="VIDEO_CONCURRENCY") as caught:
        await process(JOB, FakeContext())

    assert 5 <= caught.value.delay <= 10
    assert (await first).width == 320
    assert (await process(JOB, FakeContext())).width == 320


async def test_a_video_of_a_gif_takes_a_videos_slot(studio: MediaDependencies, store: FolderStore) -> None:
    """Images that become videos count as videos, and other images do not."""
    process = ProcessImage(studio)
    gif, still = (
        ImagePayload.model_validate(
            {"fileId": "file-1", "filePath": f"uploads/{name}", "userId": 1, "options": {"animation": "mp4"}}
        )
        for name in ("a.gif", "a.png")
    )
    videos.make("gif", store.folder / "uploads" / "a.gif")

    with studio.video_slots.take():
        with pytest.raises(SnoozeError, match="VIDEO_CONCURRENCY"):
            await process(gif, FakeContext())
        assert (await process(still, FakeContext())).animation is None

    assert (await process(gif, FakeContext())).animation == "mp4"


async def test_without_ffmpeg_a_video_is_a_dead_letter(studio: MediaDependencies) -> None:
    """Its reason says what to install, and the video is not even fetched; images go on."""
    with structlog.testing.capture_logs() as lines:
        reason = tools_or_reason("/nowhere/ffmpeg", None)
    assert [("no_ffmpeg", reason)] == [(line["event"], line["reason"]) for line in lines]
    dependencies = dataclasses.replace(studio, tools=reason)

    context = FakeContext()
    with pytest.raises(PermanentError, match=r"/nowhere/ffmpeg can't be used .* set FFMPEG_PATH"):
        await ProcessVideo(dependencies)(JOB, context)
    assert [] == context.reports


async def test_an_image_is_no_video(studio: MediaDependencies, store: FolderStore) -> None:
    """An upload that is no video is refused for good with the reason, and no row is changed."""
    (store.folder / "uploads" / "a.mp4").write_bytes((store.folder / "uploads" / "a.png").read_bytes())

    with pytest.raises(PermanentError, match="not a video"):
        await ProcessVideo(studio)(JOB, FakeContext())


async def test_the_platforms_sigterm_does_not_shorten_a_video(studio: MediaDependencies, store: FolderStore) -> None:
    """A platform signals every process; ffmpeg alone would stop, and leave a playable video without its end."""
    source = "testsrc2=s=1280x720:r=30:d=3,noise=alls=20:allf=t"
    path = store.folder / "uploads" / "a.mp4"
    videos.ffmpeg("-f", "lavfi", "-i", source, *videos.ROUGH, "-f", "mp4", str(path))
    run = asyncio.create_task(ProcessVideo(studio)(JOB, FakeContext()))
    while not (running := videos.running(os.getpid())):
        assert not run.done(), run.result()
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)

    os.kill(running[0], signal.SIGTERM)

    assert (await run).duration == pytest.approx(3.0, abs=0.05)


async def test_a_cancelled_encode_leaves_no_process_and_no_file(
    studio: MediaDependencies, store: FolderStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """A job that is cancelled in the middle of a video ends ffmpeg, and deletes its folder."""
    videos.ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30:d=12,noise=alls=20:allf=t", *videos.ROUGH, "-f", "mp4"),
        str(store.folder / "uploads" / "a.mp4"),
    )
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "work"))
    (tmp_path / "work").mkdir()
    context = FakeContext()
    run = asyncio.create_task(ProcessVideo(studio)(JOB, context))
    while not videos.running(os.getpid()):
        assert not run.done(), run.result()
        await asyncio.sleep(0.02)

    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert [] == [*(tmp_path / "work").glob("*/*")]  # the process has a folder for those of its jobs
    while videos.running(os.getpid()):  # killed, and not yet gone
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(("recipe", "animation"), [("gif", "mp4"), ("animated-webp", "kept"), ("still", None)])
async def test_an_animation_as_a_video(
    studio: MediaDependencies, store: FolderStore, recipe: str, animation: str | None
) -> None:
    """A GIF becomes a video beside its first frame; one that ffmpeg can't read stays an animation."""
    path = store.folder / "uploads" / "a.png"
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("red", "blue", "green")]
    if recipe == "gif":
        videos.make("gif", path)
    elif recipe == "animated-webp":
        frames[0].save(path, "WEBP", save_all=True, append_images=frames[1:])
    job = ImagePayload.model_validate(
        {"fileId": "file-1", "filePath": "uploads/a.png", "userId": 1, "options": {"animation": "mp4"}}
    )

    result = await ProcessImage(studio)(job, FakeContext())

    assert animation == result.animation
    if animation == "mp4":
        [video] = result.variants
        assert ("mp4", 320, 240) == (video.format, video.width, video.height)
        assert "25" == videos.look(store.folder / "file-1-video.mp4")["video"]["nb_read_frames"]
        assert ("jpeg", 320) == (result.format, result.width)
    else:
        assert () == result.variants


async def test_the_text_of_a_file(dependencies: MediaDependencies, store: FolderStore, files: MemoryFiles) -> None:
    """`extract_text` stores a text beside the upload, and says what kind it is."""
    (store.folder / "uploads" / "a.png").write_text("# Title\r\nGrüße", encoding="utf-8")
    data = {"fileId": "file-1", "filePath": "uploads/a.png", "userId": 1, "operation": "extract_text"}

    result = await ProcessFile(dependencies)(
        FileJob.model_validate(data | {"options": {"markdown": True}}), FakeContext()
    )

    assert "# Title\nGrüße\n" == (store.folder / "file-1-text.txt").read_text(encoding="utf-8")
    assert {"textUrl": "https://cdn.test/file-1-text.txt", "kind": "markdown", "characters": 14}.items() <= (
        result.model_dump(by_alias=True).items()
    )
    assert {"textUrl": "kept:file-1-text.txt", "processed": True}.items() <= files.rows["file-1"].items()
    assert ("text/plain; charset=utf-8", "public, max-age=86400") == store.stored["file-1-text.txt"]
