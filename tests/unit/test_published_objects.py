"""Fetching and publishing objects for all features: storage's errors become the job's ending."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from processors import objects
from processors.outage import PAUSE
from queue_lib.errors import PermanentError, SnoozeError
from storage.errors import InvalidKeyError, StorageAwayError
from tests.support.media import FolderStore, Uncleared

if TYPE_CHECKING:
    from pathlib import Path

    from storage.objects.base import Stored


class BrokenStore(Uncleared):
    """An object store whose every answer is an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def fetch(self, key: str, target: Path, max_bytes: int) -> int:
        """See the port."""
        raise self.error

    async def store(
        self, source: Path, key: str, content_type: str, cache_control: str, disposition: str | None = None
    ) -> Stored:
        """See the port."""
        raise self.error

    async def signed_link(self, key: str, seconds: int) -> str | None:
        """See the port."""
        raise self.error

    async def check(self) -> None:
        """See the port."""

    async def close(self) -> None:
        """See the port."""


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A store with one object in it."""
    (tmp_path / "store" / "uploads").mkdir(parents=True)
    (tmp_path / "store" / "uploads" / "b.txt").write_bytes(b"hello")
    return FolderStore(tmp_path / "store")


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """A result to be published."""
    path = tmp_path / "report.csv"
    path.write_bytes(b"a,b\n")
    return path


async def test_an_object_is_fetched(store: FolderStore, tmp_path: Path) -> None:
    """It is in the target file, and its size is returned."""
    size = await objects.fetch(store, "uploads/b.txt", tmp_path / "target", 5)

    assert (5, b"hello") == (size, (tmp_path / "target").read_bytes())


async def test_the_reason_names_the_field(store: FolderStore, tmp_path: Path) -> None:
    """A missing or too large object fails for good, and the reason names the payload's field."""
    os.truncate(store.folder / "uploads" / "b.txt", 3 * 1024**2)

    with pytest.raises(PermanentError, match=r"^nothing is stored under its attachments\.0\.path$"):
        await objects.fetch(store, "uploads/none", tmp_path / "target", 5, "attachments.0.path")
    with pytest.raises(PermanentError, match=r"^the upload under its filePath is larger than 2 MiB$"):
        await objects.fetch(store, "uploads/b.txt", tmp_path / "target", 2 * 1024**2)


async def test_a_result_is_published(store: FolderStore, report: Path) -> None:
    """Its key is the base and the file's extension, and caches ask again after a day."""
    stored = await objects.publish(store, report, "exports/u1/7", "text/csv")

    assert "https://cdn.test/exports/u1/7.csv" == stored.url
    assert {"exports/u1/7.csv": ("text/csv", "public, max-age=86400")} == store.stored
    assert b"a,b\n" == (store.folder / "exports/u1/7.csv").read_bytes()


async def test_a_hashed_key_changes_with_the_content(store: FolderStore, report: Path) -> None:
    """So caches may keep it for ever."""
    stored = await objects.publish(store, report, "exports/7", "text/csv", hashed=True)

    digest = hashlib.sha256(b"a,b\n").hexdigest()[:16]
    assert f"https://cdn.test/exports/7-{digest}.csv" == stored.url
    assert {f"exports/7-{digest}.csv": ("text/csv", "public, max-age=31536000, immutable")} == store.stored


async def test_a_result_never_replaces_its_source(store: FolderStore, report: Path) -> None:
    """A second run would find the result in the upload's place."""
    with pytest.raises(PermanentError, match="would replace the upload;"):
        await objects.publish(store, report, "7", "text/csv", source="7.csv")
    assert {} == store.stored


@pytest.mark.parametrize("action", ["fetch", "publish"])
async def test_storage_errors_become_the_jobs(report: Path, action: str) -> None:
    """A store that is away puts the job off; an invalid key is permanent; other errors stay as they are."""

    async def act(error: Exception) -> None:
        store = BrokenStore(error)
        if action == "fetch":
            await objects.fetch(store, "a", report, 5)
        else:
            await objects.publish(store, report, "a", "text/csv")

    with pytest.raises(SnoozeError, match="no answer") as caught:
        await act(StorageAwayError("no answer"))
    assert PAUSE == caught.value.delay
    with pytest.raises(PermanentError, match="not a storage key"):
        await act(InvalidKeyError("not a storage key"))
    with pytest.raises(ConnectionError):
        await act(ConnectionError())
