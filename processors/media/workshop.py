"""What all media jobs do around their task: fetch the upload, publish results, clean up, and say what went wrong."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError

from processors.media.payload import AvatarPayload, FilePayload
from processors.media.sandbox.room import NoRoomError
from processors.outage import PAUSE, outages_put_off
from queue_lib.errors import PermanentError, SnoozeError, TransientError
from queue_lib.processor import Model
from storage.errors import InvalidKeyError, NotOwnerError, ObjectNotFoundError, ObjectTooLargeError, RowNotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from processors.media.parts import MediaParts
    from queue_lib.processor import Context
    from storage.objects.base import ObjectStore, Stored

CHUNK = 1024 * 1024
HASH_DIGITS = 16
# Not `immutable` and not for a year: such a key is made of the file's id, so a file that is processed again gets other
# bytes under the same URL. After a day a browser asks whether they have changed, and mostly hears 304.
FOR_A_DAY = "public, max-age=86400"
FOR_EVER = "public, max-age=31536000, immutable"


class Output(Model):
    """A file that a child says it has made. It is checked like any input: the child had hostile bytes in it."""

    variant: Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}$")]
    name: Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}\.[a-z0-9]{2,4}$")]
    format: Annotated[str, Field(pattern=r"^[a-z0-9]{1,10}$")]
    content_type: Literal[
        "image/jpeg", "image/webp", "image/avif", "image/png", "image/gif", "video/mp4", "text/plain; charset=utf-8"
    ]
    width: Annotated[int, Field(ge=0)] = 0
    height: Annotated[int, Field(ge=0)] = 0
    bytes: Annotated[int, Field(ge=0)]


class PictureReport(Model):
    """What a child says of the pictures that it has made."""

    files: Annotated[tuple[Output, ...], Field(min_length=1, max_length=64)]
    blurhash: Annotated[str, Field(max_length=100)]
    dominant_color: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")]
    animation: Literal["kept", "first-frame"] | None
    kind: Annotated[str, Field(pattern=r"^[A-Z]{3,4}$")]  # of the upload

    def output(self, variant: str) -> Output:
        """The first file of this variant; the child has made one, or KeyError."""
        for file in self.files:
            if file.variant == variant:
                return file
        raise KeyError(variant)


@contextmanager
def believed() -> Iterator[None]:
    """Where a child's report is read: one that can't be is its crash. Raises TransientError."""
    try:
        yield
    except (ValidationError, KeyError) as error:
        msg = f"the task's report can't be read ({type(error).__name__})"
        raise TransientError(msg) from error


@asynccontextmanager
async def fetched(parts: MediaParts, payload: FilePayload | AvatarPayload, max_bytes: int) -> AsyncIterator[Path]:
    """A folder with the upload in the file `source`, gone when the job ends.

    The row of a file is looked at first: nothing is done, or left in the store, for one that is missing or not the
    user's.

    Raises PermanentError for an object or a row that no attempt can help, SnoozeError while storage is away
    or the machine has no room.
    """
    with outages_put_off(), _final(max_bytes):
        async with parts.sandbox.room_told(), _folder(parts) as folder:
            if isinstance(payload, FilePayload):
                await parts.files.check_owner(payload.file_id, payload.user_id)
                await parts.files.mark_processing(payload.file_id)
            await parts.objects.fetch(payload.file_path, folder / "source", max_bytes)
            yield folder


@asynccontextmanager
async def _folder(parts: MediaParts) -> AsyncIterator[Path]:
    folder = await parts.sandbox.folder()
    try:
        yield folder
    finally:
        await asyncio.to_thread(_remove, folder)


def _remove(folder: Path) -> None:
    """Remove the folder. What was killed in there may not be gone yet, and write a last time."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        time.sleep(0.2)
        shutil.rmtree(folder)


@contextmanager
def _final(max_bytes: int) -> Iterator[None]:
    """Turn storage's final answers into PermanentError, and a machine without room into SnoozeError.

    All others mean another attempt.
    """
    try:
        yield
    except ObjectNotFoundError as error:
        msg = "nothing is stored under its filePath"
        raise PermanentError(msg) from error
    except ObjectTooLargeError as error:
        msg = f"the upload is larger than {max_bytes // 1024**2} MiB"
        raise PermanentError(msg) from error
    except (RowNotFoundError, NotOwnerError, InvalidKeyError) as error:
        raise PermanentError(str(error)) from error
    except NoRoomError as error:
        raise SnoozeError(str(error), PAUSE) from error


async def publish(
    objects: ObjectStore, folder: Path, output: Output, base: str, *, upload: str, hashed: bool
) -> Stored:
    """Store one result under a key that begins with `base`. With `hashed` the key changes with the content.

    Raises PermanentError where that is the key of the `upload`: the job could not run a second time.
    """
    path = folder / output.name
    if path.is_symlink() or not path.is_file():
        msg = f"the task has not made the file {output.name}"
        raise TransientError(msg)
    key = f"{base}-{output.variant}{f'-{_digest(path)}' if hashed else ''}{path.suffix}"
    if key == upload:
        msg = "the result would replace the upload; store uploads under other keys, as in uploads/"
        raise PermanentError(msg)
    return await objects.store(path, key, output.content_type, FOR_EVER if hashed else FOR_A_DAY)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:HASH_DIGITS]


def tally_bytes(context: Context, folder: Path, outputs: Sequence[Output]) -> None:
    """Tell how large the upload was, and what was published of it."""
    made = sum(_size(folder / output.name) for output in outputs)
    context.tally("media_bytes", {"in": {"upload": _size(folder / "source")}, "out": {"files": made}})


def _size(path: Path) -> int:
    """Bytes; 0 for a file that the child has taken away: counting must not cost the job."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def row_of(result: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    """Those values of a result that a row may have columns for."""
    return {name: result[name] for name in columns}
