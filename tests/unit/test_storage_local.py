"""The directory's own promises, beyond the contract."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from storage.errors import InvalidKeyError, ObjectNotFoundError, StorageAwayError, StorageUnavailableError
from storage.objects.local import LocalStore
from storage.objects.location import LocalLocation

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The store's directory."""
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def store(root: Path) -> LocalStore:
    """A store over it."""
    return LocalStore(LocalLocation(root))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to store."""
    path = tmp_path / "source"
    path.write_bytes(b"image")
    return path


def _contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("key", ["link", "dir/secret"])
async def test_links_out_of_the_store(store: LocalStore, root: Path, source: Path, tmp_path: Path, key: str) -> None:
    """A symbolic link that leads out of the directory is followed neither for reading nor for writing."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "link").symlink_to(outside / "secret")
    (root / "dir").symlink_to(outside)

    with pytest.raises(InvalidKeyError, match="leads out of the store"):
        await store.fetch(key, tmp_path / "target", 100)
    with pytest.raises(InvalidKeyError, match="leads out of the store"):
        await store.store(source, key, "image/png", "no-cache")

    assert {"secret": b"secret"} == _contents(outside)


async def test_a_half_written_file_is_no_object(store: LocalStore, root: Path, source: Path, tmp_path: Path) -> None:
    """It can be neither fetched nor overwritten under its name."""
    (root / "dir").mkdir()
    (root / "dir" / ".incoming-x1").write_text("hal")

    with pytest.raises(InvalidKeyError, match="no object has such a key"):
        await store.fetch("dir/.incoming-x1", tmp_path / "target", 100)
    with pytest.raises(InvalidKeyError, match="no object has such a key"):
        await store.store(source, ".incoming-x2", "image/png", "no-cache")


async def test_old_half_written_files_are_removed(store: LocalStore, root: Path, tmp_path: Path) -> None:
    """The check at start removes those older than a day, but no objects, and nothing behind a link."""
    outside = tmp_path / "outside"
    for directory in (root / "dir", outside):
        directory.mkdir()
    (root / "link").symlink_to(outside)
    long_ago = time.time() - 90_000
    for path in (root / "dir" / ".incoming-old", root / "dir" / "object", outside / ".incoming-old"):
        path.write_bytes(b"x")
        os.utime(path, (long_ago, long_ago))
    (root / "dir" / ".incoming-new").write_bytes(b"x")

    await store.check()

    assert {"object": b"x", ".incoming-new": b"x"} == _contents(root / "dir")
    assert {".incoming-old": b"x"} == _contents(outside)


async def test_readiness_does_not_look_through_the_whole_store(store: LocalStore, root: Path) -> None:
    """It asks often: only the first check, at start, removes anything."""
    await store.check()
    old = root / ".incoming-old"
    old.write_bytes(b"x")
    os.utime(old, (0, 0))

    await store.check()

    assert old.exists()


async def test_a_name_that_the_file_system_cannot_hold(store: LocalStore, source: Path) -> None:
    """The key is at fault, and that does not change."""
    with pytest.raises(InvalidKeyError, match="longer than the file system allows"):
        await store.store(source, f"avatars/{'%C3%BC' * 100}.png", "image/png", "no-cache")


async def test_a_directory_that_is_missing(root: Path, source: Path, tmp_path: Path) -> None:
    """It is never created: it is misspelt, or a volume that will be back, and no object counts as gone."""
    store = LocalStore(LocalLocation(root))
    await store.store(source, "a.png", "image/png", "no-cache")
    shutil.move(root, tmp_path / "unmounted")

    with pytest.raises(StorageUnavailableError, match=f"^STORAGE_URL: there is no directory {root}; make it"):
        await store.check()
    with pytest.raises(StorageAwayError, match="is gone"):
        await store.fetch("a.png", tmp_path / "target", 100)
    with pytest.raises(StorageAwayError, match="is gone"):
        await store.store(source, "b.png", "image/png", "no-cache")

    shutil.move(tmp_path / "unmounted", root)  # into it, if somebody had made it again
    await store.check()
    assert 5 == await store.fetch("a.png", tmp_path / "target", 100)


async def test_a_root_that_is_a_link(root: Path, source: Path, tmp_path: Path) -> None:
    """The directory itself may be a symbolic link."""
    (tmp_path / "alias").symlink_to(root)
    store = LocalStore(LocalLocation(tmp_path / "alias"))

    await store.store(source, "a.png", "image/png", "no-cache")

    assert 5 == await store.fetch("a.png", tmp_path / "target", 100)


async def test_a_loop_of_links(store: LocalStore, root: Path, tmp_path: Path) -> None:
    """Links in a circle hold no object."""
    (root / "a").symlink_to(root / "b")
    (root / "b").symlink_to(root / "a")

    with pytest.raises(ObjectNotFoundError):
        await store.fetch("a", tmp_path / "target", 100)


async def test_a_failed_store_leaves_the_old_object(
    store: LocalStore, root: Path, source: Path, tmp_path: Path
) -> None:
    """When storing fails half-way, the old object is still there and nothing else is."""
    await store.store(source, "a.png", "image/png", "no-cache")

    with pytest.raises(IsADirectoryError):
        await store.store(tmp_path, "a.png", "image/png", "no-cache")

    assert {"a.png": b"image"} == _contents(root)


async def test_stored_files_are_readable(store: LocalStore, root: Path, source: Path) -> None:
    """Another user, such as a web server's, may read a stored object."""
    await store.store(source, "a.png", "image/png", "no-cache")

    assert 0o644 == (root / "a.png").stat().st_mode & 0o777


async def test_default_url(store: LocalStore, root: Path, source: Path) -> None:
    """Without a public URL, an object's URL is the file's."""
    stored = await store.store(source, "a b.png", "image/png", "no-cache")

    assert (f"{root.as_uri()}/a%20b.png",) * 2 == (stored.url, stored.lasting)
