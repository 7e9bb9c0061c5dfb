"""`process-image`: an upload becomes a compressed picture and a thumbnail."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from processors.media.payload import ImagePayload, ImageResult
from processors.media.sandbox import Sandbox
from processors.outage import outages_put_off
from queue_lib.errors import PermanentError
from storage.errors import InvalidKeyError, ObjectNotFoundError, ObjectTooLargeError, RowNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.processor import Context
    from storage.objects.base import ObjectStore
    from storage.ports import Files

MAX_UPLOAD = 64 * 1024 * 1024
CONTENT_TYPE = "image/jpeg"
# Not `immutable` and not for a year: the keys are made of the file's id, so a file that is processed again gets other
# bytes under the same URL. After a day a browser asks whether they have changed, and mostly hears 304.
CACHE_CONTROL = "public, max-age=86400"


class ProcessImage:
    """Fetches the upload, encodes it in a child process, stores the results and marks the file's row."""

    def __init__(self, objects: ObjectStore, files: Files, sandbox: Sandbox | None = None) -> None:
        """Take where pictures and rows are, and where to encode."""
        self._objects = objects
        self._files = files
        self._sandbox = sandbox or Sandbox()

    async def __call__(self, payload: ImagePayload, context: Context, /) -> ImageResult:
        """Run one job. Raises PermanentError for a picture, an object or a row that no attempt can help."""
        with _workspace() as folder, outages_put_off(), _final(payload):
            await self._objects.fetch(payload.file_path, folder / "source", MAX_UPLOAD)
            await context.progress(10)
            size = await self._encode(folder)
            await context.progress(50)
            result = await self._store(payload, folder, size)
            await context.progress(90)
            await self._files.mark_processed(payload.file_id, result.model_dump(by_alias=True))
            await context.progress(100)
        return result

    async def _encode(self, folder: Path) -> tuple[int, int]:
        paths = (str(folder / name) for name in ("source", "compressed", "thumbnail"))
        report = await self._sandbox.run("processors.media.image", *paths)
        return report["width"], report["height"]

    async def _store(self, payload: ImagePayload, folder: Path, size: tuple[int, int]) -> ImageResult:
        compressed, thumbnail = [
            await self._objects.store(folder / name, f"{payload.file_id}-{name}.jpg", CONTENT_TYPE, CACHE_CONTROL)
            for name in ("compressed", "thumbnail")
        ]
        return ImageResult(compressed_url=compressed, thumbnail_url=thumbnail, width=size[0], height=size[1])


@contextmanager
def _workspace() -> Iterator[Path]:
    """A folder that is gone when the job ends."""
    with tempfile.TemporaryDirectory(prefix="pushmill-image-") as folder:
        yield Path(folder)


@contextmanager
def _final(payload: ImagePayload) -> Iterator[None]:
    """Turn storage's final answers into PermanentError; all others mean another attempt."""
    try:
        yield
    except ObjectNotFoundError as error:
        msg = f"nothing is stored under {payload.file_path!r}"
        raise PermanentError(msg) from error
    except ObjectTooLargeError as error:
        msg = f"{payload.file_path!r} is larger than {MAX_UPLOAD // 1024**2} MiB"
        raise PermanentError(msg) from error
    except RowNotFoundError as error:
        msg = f"there is no file with the id {payload.file_id!r}"
        raise PermanentError(msg) from error
    except InvalidKeyError as error:
        raise PermanentError(str(error)) from error
