"""One job for each file: `process-image`, `process-video` or `extract_text`, through the real sandbox."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from PIL import Image

from processors.media.dependencies import MediaDependencies
from processors.media.payload import FileJob, ImagePayload, VideoPayload
from processors.media.process_file import ProcessFile
from processors.media.process_image import ProcessImage
from processors.media.process_video import ProcessVideo
from processors.media.settings import MediaSettings
from processors.media.video.ffmpeg_tools import find
from processors.sandbox.client import Sandbox
from processors.sandbox.settings import PlatformSettings, SandboxSettings
from tests.support.fakes import FakeContext
from tests.support.media import FolderStore, MemoryAvatars, MemoryFiles

if TYPE_CHECKING:
    from collections.abc import Iterable

    Row = dict[str, Any]

IMAGES = "png apng jpg jpeg jpe jfif webp gif avif avifs heic heif hif tif tiff bmp dib ico svg svgz"
VIDEOS = "mp4 m4v mov webm mkv avi mpg mpeg flv ogv wmv 3gp mts m2ts"
DOCUMENTS = "pdf docx docm dotx dotm txt md"
KINDS = {
    f".{ending}": kind
    for kind, endings in (("image", IMAGES), ("video", VIDEOS), ("document", DOCUMENTS))
    for ending in endings.split()
}
UPLOAD = "uploads/source"
GRID = (8, 8)


class Jobs:
    """The processors, over a store in a temporary directory."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp())
        settings, memory = MediaSettings(), SandboxSettings().memory()
        self._sandbox = Sandbox(PlatformSettings().child_env(), memory)
        self._sandbox.preload("image")
        dependencies = MediaDependencies(
            objects=FolderStore(self._folder),
            files=MemoryFiles(),
            avatars=MemoryAvatars(),
            sandbox=self._sandbox,
            tools=find(settings.ffmpeg_path, settings.ffprobe_path),
            video_limits=settings.video_limits(memory),
            video_slots=settings.video_slots(),
            avatar_sizes=settings.avatar_sizes,
        )
        self._image, self._video, self._file = (
            ProcessImage(dependencies),
            ProcessVideo(dependencies),
            ProcessFile(dependencies),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sandbox.close()
        shutil.rmtree(self._folder)

    async def run(self, path: Path) -> Row:
        """Run a job for the file. Returns `done` with facts of the result, or the error's name and reason."""
        kind = KINDS[path.suffix.lower()]
        row: Row = {"path": str(path), "kind": kind, "bytes": self._put(path)}
        since = time.monotonic()
        try:
            result = await self._job(kind)
        except Exception as error:  # noqa: BLE001 -- every error is a result of the benchmark
            row |= {"end": type(error).__name__, "reason": " ".join(str(error).split())}
        else:
            row |= {"end": "done", "result": result} | (self._seen(result) if kind == "image" else {})
        return row | {"seconds": round(time.monotonic() - since, 2)}

    def _put(self, path: Path) -> int:
        """Make the file the upload, in place of the last one. Returns its size in bytes."""
        shutil.rmtree(self._folder)
        (self._folder / UPLOAD).parent.mkdir(parents=True)
        shutil.copyfile(path, self._folder / UPLOAD)
        return path.stat().st_size

    async def _job(self, kind: str) -> dict[str, Any]:
        data = {"fileId": "file-1", "filePath": UPLOAD, "userId": "1"}
        if kind == "image":
            made: Any = await self._image(ImagePayload.model_validate(data), FakeContext())
        elif kind == "video":
            made = await self._video(VideoPayload.model_validate(data), FakeContext())
        else:
            made = await self._file(FileJob.model_validate(data | {"operation": "extract_text"}), FakeContext())
        result: dict[str, Any] = made.model_dump(by_alias=True, mode="json")
        return result

    def _seen(self, result: dict[str, Any]) -> Row:
        with Image.open(self._folder / result["compressedUrl"].removeprefix("https://cdn.test/")) as image:
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image.convert("RGBA"))
            return {"size": list(image.size), "grid": grid(white.convert("RGB"))}


def grid(image: Image.Image) -> list[list[int]]:
    """The mean colours of 8 x 8 fields, row by row."""
    return [list(pixel) for pixel in _pixels(image.resize(GRID, Image.Resampling.BOX))]


def _pixels(image: Image.Image) -> Iterable[tuple[int, int, int]]:
    data = image.tobytes()
    return zip(data[::3], data[1::3], data[2::3], strict=True)
