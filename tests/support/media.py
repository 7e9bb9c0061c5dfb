"""Helpers that the media tests share."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from processors.media.dependencies import MediaDependencies, VideoLimits, VideoSlots
from processors.sandbox.client import Sandbox
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import RefusedError
from storage.errors import NotOwnerError, ObjectNotFoundError, ObjectTooLargeError, RowNotFoundError
from storage.objects.base import Stored

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from pathlib import Path

    from storage.objects.base import Deleted, Listed

MAX_UPLOAD = 64 * MEBIBYTE


class FakeParent:
    """A task's parent that grants everything, or nothing."""

    def __init__(self, refuses: str | None = None) -> None:
        """With `refuses` no memory is granted, for that reason."""
        self.reserved: list[int] = []
        self.percents: list[float] = []
        self._refuses = refuses

    def progress(self, percent: float) -> None:
        """See Parent."""
        self.percents.append(percent)

    def allow(self, unused: int) -> None:
        """See Parent."""

    def reserve(self, need: int, unused: int = 0) -> None:
        """See Parent."""
        if self._refuses is not None:
            raise RefusedError(self._refuses)
        self.reserved.append(need)


def image_options(**changes: Any) -> dict[str, Any]:
    """The image task's arguments for a job without options."""
    return {
        "formats": ["jpeg"],
        "quality": 85,
        "progressive": False,
        "widths": [],
        "crop": "center",
        "background": "#ffffff",
        "alpha": "flatten",
        "animation": "keep",
        **changes,
    }


class Uncleared:
    """The half of the object store's port that no test of media needs."""

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Listed]]:
        """See the port."""
        raise NotImplementedError
        yield ()

    async def delete(self, objects: Sequence[Listed]) -> Deleted:
        """See the port."""
        raise NotImplementedError


class FolderStore(Uncleared):
    """The object store's port over a directory; `stored` holds the other arguments of each object."""

    def __init__(self, folder: Path) -> None:
        """Keep objects in this directory."""
        self.folder = folder
        self.stored: dict[str, tuple[str, str]] = {}

    async def fetch(self, key: str, target: Path, max_bytes: int) -> int:
        """See the port."""
        source = self.folder / key
        if not source.exists():
            raise ObjectNotFoundError(key)
        if source.stat().st_size > max_bytes:
            raise ObjectTooLargeError(key)
        shutil.copyfile(source, target)
        return source.stat().st_size

    async def store(
        self, source: Path, key: str, content_type: str, cache_control: str, disposition: str | None = None
    ) -> Stored:
        """See the port."""
        (self.folder / key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, self.folder / key)
        self.stored[key] = (content_type, cache_control)
        return Stored(f"https://cdn.test/{key}", f"kept:{key}")

    async def signed_link(self, key: str, seconds: int) -> str | None:
        """See the port."""
        return f"https://signed.test/{key}?for={seconds}"

    async def check(self) -> None:
        """See the port."""

    async def close(self) -> None:
        """See the port."""


class MemoryFiles:
    """The files' port over a dictionary."""

    def __init__(self) -> None:
        """Begin with one row."""
        self.rows: dict[str, dict[str, Any]] = {"file-1": {}}

    async def check_owner(self, file_id: str, user_id: str) -> None:
        """See the port."""
        if file_id not in self.rows:
            msg = "no file has its fileId"
            raise RowNotFoundError(msg)
        if self.rows[file_id].get("userId", user_id) != user_id:
            msg = "the file with its fileId is another user's"
            raise NotOwnerError(msg)

    async def mark_processing(self, file_id: str) -> None:
        """See the port."""
        self.rows[file_id].pop("error", None)

    async def mark_failed(self, file_id: str, user_id: str, reason: str) -> None:
        """See the port."""
        if file_id in self.rows and self.rows[file_id].get("userId", user_id) == user_id:
            self.rows[file_id]["error"] = reason

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """See the port."""
        if file_id not in self.rows:
            msg = "no file has its fileId"
            raise RowNotFoundError(msg)
        self.rows[file_id] |= values | {"processed": True}


class MemoryAvatars:
    """The avatars' port over a dictionary."""

    def __init__(self) -> None:
        """Begin without users."""
        self.rows: dict[str, str] = {}

    async def update(self, user_id: str, url: str) -> None:
        """See the port."""
        self.rows[user_id] = url


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """The real one, with an empty environment."""
    sandbox = Sandbox()
    sandbox.preload("image")
    yield sandbox
    await sandbox.close()


@pytest.fixture
def dependencies(store: FolderStore, files: MemoryFiles, sandbox: Sandbox) -> MediaDependencies:
    """All dependencies of the processors."""
    videos = VideoLimits(duration=60.0, upload=MAX_UPLOAD, memory=290 * MEBIBYTE)
    return MediaDependencies(store, files, MemoryAvatars(), sandbox, "no ffmpeg", videos, VideoSlots(1), (64, 256))


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A store with one image in it."""
    (tmp_path / "store" / "uploads").mkdir(parents=True)
    Image.new("RGB", (2400, 1800), (200, 30, 30)).save(tmp_path / "store" / "uploads" / "a.png")
    return FolderStore(tmp_path / "store")


@pytest.fixture
def files() -> MemoryFiles:
    """The app's files."""
    return MemoryFiles()
