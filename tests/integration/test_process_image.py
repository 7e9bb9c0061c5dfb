"""Images from the processor through a child process to an object store."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from processors.media.optimize_avatar import OptimizeAvatar
from processors.media.payload import AvatarPayload, FileJob, ImagePayload, VideoPayload
from processors.media.process_file import ProcessFile
from processors.media.process_image import MAX_UPLOAD, ProcessImage
from processors.media.process_video import ProcessVideo
from processors.media.video.ffmpeg_tools import FfmpegTools
from processors.sandbox.client import PROJECT, Sandbox
from processors.sandbox.limits import MEBIBYTE
from queue_lib.errors import PermanentError
from tests.support.fakes import FakeContext
from tests.support.media import FolderStore, MemoryAvatars, MemoryFiles

if TYPE_CHECKING:
    from processors.media.dependencies import MediaDependencies

JOB = ImagePayload.model_validate({"fileId": "file-1", "filePath": "uploads/a.png", "userId": 1})


@pytest.fixture
def context() -> FakeContext:
    """A run."""
    return FakeContext()


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where jobs have their folders."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def names(folder: Path) -> list[str]:
    """The names in a folder."""
    return [path.name for path in folder.iterdir()]


def left(work: Path) -> list[str]:
    """The folders that jobs have left in the process's own folder."""
    [home] = work.iterdir()
    return names(home)


async def test_a_large_webp_is_not_taken_for_a_damaged_one(
    dependencies: MediaDependencies, store: FolderStore, context: FakeContext
) -> None:
    """Its library asks for room for two copies before anyone can know how much it needs."""
    Image.new("RGB", (6000, 4000)).save(store.folder / "uploads" / "a.png", "WEBP", method=0)
    sandbox = Sandbox(memory=1000 * MEBIBYTE)

    result = await ProcessImage(replace(dependencies, sandbox=sandbox))(JOB, context)

    await sandbox.close()
    assert (1620, 1080) == (result.width, result.height)


async def test_an_upload_becomes_two_images_and_a_row(
    dependencies: MediaDependencies, store: FolderStore, files: MemoryFiles, context: FakeContext, work: Path
) -> None:
    """An image is fetched, encoded, stored under its file's id and recorded, with progress on the way."""
    result = await ProcessImage(dependencies)(JOB, context)

    facts = {
        "width": 1440,
        "height": 1080,
        "bytes": (store.folder / "file-1-compressed.jpg").stat().st_size,
        "format": "jpeg",
        "blurhash": result.blurhash,
        "dominantColor": "#c81e1e",
    }
    urls = {
        "compressedUrl": "https://cdn.test/file-1-compressed.jpg",
        "thumbnailUrl": "https://cdn.test/file-1-thumbnail.jpg",
    }
    kept = {name: url.replace("https://cdn.test/", "kept:") for name, url in urls.items()}
    assert facts | urls | {"format": "jpeg", "animation": None, "variants": ()} == result.model_dump(by_alias=True)
    assert facts | kept | {"processed": True} == files.rows["file-1"]
    assert context.reports == [10, 50, 90, 100]
    with Image.open(store.folder / "file-1-compressed.jpg") as image:
        assert ("JPEG", (1440, 1080)) == (image.format, image.size)
    with Image.open(store.folder / "file-1-thumbnail.jpg") as image:
        assert ("JPEG", (320, 240)) == (image.format, image.size)
    assert left(work) == []


async def test_caches_ask_again_after_a_day(
    dependencies: MediaDependencies, store: FolderStore, context: FakeContext
) -> None:
    """The keys are the same when a file is processed again, so caches must not keep them for ever."""
    await ProcessImage(dependencies)(JOB, context)

    assert {("image/jpeg", "public, max-age=86400")} == set(store.stored.values())


async def test_a_second_run_gives_the_same(dependencies: MediaDependencies, context: FakeContext) -> None:
    """A job that runs twice ends as it did the first time."""
    process = ProcessImage(dependencies)

    assert await process(JOB, context) == await process(JOB, context)


async def test_an_upload_that_is_no_image_is_permanent(
    dependencies: MediaDependencies, store: FolderStore, files: MemoryFiles, context: FakeContext, work: Path
) -> None:
    """Text under an image's name is refused for good with the reason, and leaves nothing behind."""
    (store.folder / "uploads" / "a.png").write_text("text")

    with pytest.raises(PermanentError, match="not an image in one of the supported formats"):
        await ProcessImage(dependencies)(JOB, context)

    assert files.rows == {"file-1": {}}
    assert left(work) == []


async def test_an_upload_that_is_missing_is_permanent(
    dependencies: MediaDependencies, store: FolderStore, files: MemoryFiles, context: FakeContext
) -> None:
    """A key without an object fails for good; the reason names the field, not the user's file name.

    The row's earlier failure was cleared when the run began.
    """
    (store.folder / "uploads" / "a.png").unlink()
    files.rows["file-1"]["error"] = "its worker died 3 times while running it"

    with pytest.raises(PermanentError, match=r"^nothing is stored under its filePath$"):
        await ProcessImage(dependencies)(JOB, context)
    assert {"file-1": {}} == files.rows


async def test_an_upload_that_is_too_large_is_permanent(
    dependencies: MediaDependencies, store: FolderStore, context: FakeContext
) -> None:
    """An object over 64 MiB fails for good."""
    os.truncate(store.folder / "uploads" / "a.png", MAX_UPLOAD + 1)

    with pytest.raises(PermanentError, match="larger than 64 MiB"):
        await ProcessImage(dependencies)(JOB, context)


@pytest.mark.parametrize(
    ("row", "expected"),
    [(None, "no file has its fileId"), ({"userId": "2"}, "the file with its fileId is another user's")],
    ids=["unknown", "another's"],
)
async def test_a_row_that_is_missing_or_another_users(
    dependencies: MediaDependencies, store: FolderStore, files: MemoryFiles, row: dict[str, Any] | None, expected: str
) -> None:
    """A file without a row, or of another user, fails for good: nothing is stored, and no row is touched."""
    rows = {} if row is None else {"file-1": row}
    files.rows = dict(rows)
    dependencies = replace(dependencies, tools=FfmpegTools(Path("ffmpeg"), Path("ffprobe"), 8, av1=True))
    data = JOB.model_dump(exclude={"options"})

    for run in (
        ProcessImage(dependencies)(JOB, FakeContext()),
        ProcessVideo(dependencies)(VideoPayload.model_validate(data), FakeContext()),
        ProcessFile(dependencies)(FileJob.model_validate(data | {"operation": "compress"}), FakeContext()),
    ):
        with pytest.raises(PermanentError, match=expected):
            await run

    assert ({}, rows) == (store.stored, files.rows)


async def test_a_row_of_the_jobs_user(
    dependencies: MediaDependencies, files: MemoryFiles, context: FakeContext
) -> None:
    """The job is done."""
    files.rows["file-1"]["userId"] = "1"

    await ProcessImage(dependencies)(JOB, context)

    assert files.rows["file-1"]["processed"]


async def test_a_store_that_is_away_is_not_permanent(
    dependencies: MediaDependencies, store: FolderStore, context: FakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that storage did not raise on purpose stays as it is: another attempt follows."""

    async def away(*_: object) -> int:
        raise ConnectionError

    monkeypatch.setattr(store, "fetch", away)

    with pytest.raises(ConnectionError):
        await ProcessImage(dependencies)(JOB, context)


async def test_the_encoder_loads_little() -> None:
    """A child starts fast: it imports neither queue nor storage, nor any client."""
    code = (
        "import sys, processors.media.image.make_images, processors.sandbox.fork_server\n"
        "print(*(m for m in sys.modules if '.' not in m))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, cwd=PROJECT
    )
    stdout, _ = await process.communicate()

    assert process.returncode == 0
    assert not {"queue_lib", "storage", "pydantic", "aiohttp", "asyncio"} & set(stdout.decode().split())
    assert "PIL" in stdout.decode().split()


async def test_keys_may_change_with_the_content(
    dependencies: MediaDependencies, store: FolderStore, context: FakeContext
) -> None:
    """With hashed keys caches keep an image for ever, because another image has another key."""
    job = JOB.model_copy(update={"options": JOB.options.model_copy(update={"hashed_keys": True, "widths": (320,)})})
    first = await ProcessImage(dependencies)(job, context)
    again = await ProcessImage(dependencies)(job, context)
    Image.new("RGB", (2400, 1800), (30, 30, 200)).save(store.folder / "uploads" / "a.png")
    other = await ProcessImage(dependencies)(job, context)

    assert first == again
    assert first.compressed_url != other.compressed_url
    assert {"public, max-age=31536000, immutable"} == {cache for _, cache in store.stored.values()}
    [variant] = first.variants
    assert (320, 240, "jpeg") == (variant.width, variant.height, variant.format)


async def test_the_upload_is_never_replaced(
    dependencies: MediaDependencies, store: FolderStore, context: FakeContext
) -> None:
    """An upload whose key equals its result's is refused, and stays as it is."""
    upload = (store.folder / "uploads" / "a.png").rename(store.folder / "file-1-compressed.jpg")
    before = upload.read_bytes()
    job = ImagePayload.model_validate({"fileId": "file-1", "filePath": upload.name, "userId": 1})

    with pytest.raises(PermanentError, match="would replace the upload;"):
        await ProcessImage(dependencies)(job, context)

    assert before == upload.read_bytes()


async def test_an_avatar(dependencies: MediaDependencies, store: FolderStore, context: FakeContext, work: Path) -> None:
    """Squares of each size in both formats, under keys that change with the content, and the user's row."""
    job = AvatarPayload.model_validate({"userId": "auth0|1/2", "filePath": "uploads/a.png"})

    result = await OptimizeAvatar(dependencies)(job, context)

    assert {"64": {"webp", "jpeg"}, "256": {"webp", "jpeg"}} == {size: set(urls) for size, urls in result.urls.items()}
    for size, urls in result.urls.items():
        for form, url in urls.items():
            with Image.open(store.folder / url.removeprefix("https://cdn.test/")) as image:
                assert (form.upper(), (int(size), int(size))) == (image.format, image.size)
    assert isinstance(dependencies.avatars, MemoryAvatars)
    assert dependencies.avatars.rows == {"auth0|1/2": result.urls["256"]["webp"].replace("https://cdn.test/", "kept:")}
    assert {"public, max-age=31536000, immutable"} == {cache for _, cache in store.stored.values()}
    assert left(work) == []


@pytest.mark.parametrize(("animation", "frames", "said"), [("keep", 3, "kept"), ("first-frame", 1, "first-frame")])
async def test_an_animated_avatar(
    dependencies: MediaDependencies, store: FolderStore, context: FakeContext, animation: str, frames: int, said: str
) -> None:
    """With the option its WebPs are animated, square, and cropped alike in each frame; its JPEG is a still."""
    images = [Image.new("RGB", (100, 300), colour) for colour in ("red", "lime", "blue")]
    for image in images:
        image.paste("white", (0, 200, 100, 300))
    images[0].save(
        *(store.folder / "uploads" / "a.png", "GIF"), save_all=True, append_images=images[1:], duration=70, loop=2
    )
    options = {"sizes": [32, 64], "formats": ["jpeg", "webp"], "animation": animation}
    job = AvatarPayload.model_validate({"userId": 1, "filePath": "uploads/a.png", "options": options})

    result = await OptimizeAvatar(dependencies)(job, context)

    assert said == result.animation
    for side in (32, 64):
        with Image.open(store.folder / result.urls[str(side)]["webp"].removeprefix("https://cdn.test/")) as moving:
            assert ((side, side), frames) == (moving.size, getattr(moving, "n_frames", 1))
            moving.seek(frames - 1)
            shown = moving.convert("RGB")
            last = [pixel > 200 for pixel in shown.tobytes()[:3]]
            assert last == ([False, False, True] if frames == 3 else [True, False, False])
            assert min(shown.tobytes()[-3:]) < 50  # the white is not in the upper third
        with Image.open(store.folder / result.urls[str(side)]["jpeg"].removeprefix("https://cdn.test/")) as still:
            assert ((side, side), "JPEG") == (still.size, still.format)
            assert still.convert("RGB").tobytes()[0] > 200
    assert isinstance(dependencies.avatars, MemoryAvatars)
    assert dependencies.avatars.rows == {"1": result.urls["64"]["jpeg"].replace("https://cdn.test/", "kept:")}


async def test_an_avatar_is_not_enlarged(
    dependencies: MediaDependencies, store: FolderStore, context: FakeContext
) -> None:
    """A small upload gets small squares; of a tall image the top is kept."""
    image = Image.new("RGB", (100, 400), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 100, 200))
    image.save(store.folder / "uploads" / "a.png")
    job = AvatarPayload.model_validate({"userId": 1, "filePath": "uploads/a.png", "options": {"sizes": [64, 256]}})

    result = await OptimizeAvatar(dependencies)(job, context)

    with Image.open(store.folder / result.urls["256"]["jpeg"].removeprefix("https://cdn.test/")) as shown:
        assert (100, 100) == shown.size
        assert shown.convert("RGB").tobytes()[3 * 5050] > 200  # red


@pytest.mark.parametrize(
    ("operation", "options", "name", "size"),
    [
        ("resize", {"width": 600, "format": "webp"}, "file-1-resize.webp", (600, 450)),
        ("compress", {"quality": 40}, "file-1-compress.png", (2400, 1800)),
        ("convert", {"format": "avif"}, "file-1-convert.avif", (2400, 1800)),
        ("convert", {"format": "png"}, "file-1-convert.png", (2400, 1800)),
    ],
)
async def test_an_operation_on_an_image(  # noqa: PLR0913, PLR0917 -- fixtures and cases
    dependencies: MediaDependencies,
    store: FolderStore,
    files: MemoryFiles,
    operation: str,
    options: dict[str, Any],
    name: str,
    size: tuple[int, int],
) -> None:
    """One image is made, stored under the operation's name and recorded."""
    data = {"fileId": "file-1", "filePath": "uploads/a.png", "userId": 1, "operation": operation, "options": options}

    result = await ProcessFile(dependencies)(FileJob.model_validate(data), FakeContext())

    assert f"https://cdn.test/{name}" == result.model_dump(by_alias=True)["url"]
    with Image.open(store.folder / name) as image:
        assert size == image.size
    assert {"processed": True, "compressedUrl": f"kept:{name}"}.items() <= files.rows["file-1"].items()
