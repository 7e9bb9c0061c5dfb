"""A directory as an object store: for development, the demo and tests."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from storage.errors import (
    InvalidKeyError,
    ObjectNotFoundError,
    StorageAwayError,
    StorageRefusedError,
    StorageUnavailableError,
)
from storage.objects.base import Deleted, Listed, Stored, check_key
from storage.objects.transfer import CHUNK, Stop, in_thread, refuse_above, save
from storage.objects.tree import INCOMING, Tree, next_page

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from storage.objects.location import LocalLocation

ABANDONED = 86400.0  # seconds since the last byte, after which such a file is abandoned
OUTAGES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})
PASSING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO}
)  # this must not prevent the start
READABLE = 0o644  # the program that serves the directory may run as another user


class LocalStore:
    """Keys are paths below the directory. It keeps no content types: the program that serves the files guesses them."""

    def __init__(self, location: LocalLocation, public_base_url: str | None = None) -> None:
        """`public_base_url`: the URL under which the directory is served (default: its file URL)."""
        self._root = Path(os.path.realpath(location.root))
        self._public_base_url = public_base_url or self._root.as_uri()
        self._tree = Tree(self._root)
        self._is_swept = False

    async def check(self) -> None:
        """Check that the directory exists and can be written. Raises StorageUnavailableError.

        A missing directory is not created: its name may be misspelt, or its volume not mounted.

        The first check, at start, removes files that killed processes left half written more than a day ago.
        """
        await in_thread(None, self._probe)
        if not self._is_swept:  # only once: readiness checks run every ten seconds, and this reads every directory
            self._is_swept = True
            await in_thread(None, self._sweep)

    async def fetch(self, key: str, target: Path, max_bytes: int) -> int:
        """Copy to the file `target`. Returns the size in bytes."""
        return await in_thread(None, partial(self._copy_out, self._path(key), target, max_bytes))

    async def store(
        self,
        source: Path,
        key: str,
        content_type: str,  # noqa: ARG002 -- the port's
        cache_control: str,  # noqa: ARG002 -- the port's
        disposition: str | None = None,  # noqa: ARG002 -- the port's
    ) -> Stored:
        """Copy the file `source` into the directory. Returns its URLs."""
        try:
            await in_thread(None, partial(self._copy_in, source, self._path(key)))
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                msg = "a part of the key is longer than the file system allows"
                raise InvalidKeyError(msg) from error
            if error.errno not in OUTAGES:
                raise
            msg = f"the object store's directory {self._root} can't be written: {error.strerror}"
            raise StorageAwayError(msg) from error
        url = f"{self._public_base_url}/{quote(key)}"
        return Stored(url, url)

    async def signed_link(self, key: str, seconds: int) -> str | None:  # noqa: ARG002 -- the port's
        """None: a directory signs no links."""
        check_key(key)
        return None

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Listed]]:
        """See the port."""
        await in_thread(None, lambda _: self._refuse_missing())
        unread: list[str] = []
        files = self._tree.files(check_key(folder), unread)
        try:
            while page := await in_thread(None, partial(next_page, files)):
                yield page
        finally:
            with suppress(ValueError):  # a thread that still runs it closes it by itself
                files.close()
        if unread:
            msg = f"{len(unread)} directories can't be read, such as {unread[0]}"
            raise StorageRefusedError(msg)

    async def delete(self, objects: Sequence[Listed]) -> Deleted:
        """See the port."""
        await in_thread(None, lambda _: self._refuse_missing())
        for each in objects:
            check_key(each.key)
        return await in_thread(None, partial(self._tree.delete, objects))

    async def close(self) -> None:
        """Do nothing: nothing is held open."""

    def _probe(self, _stop: Stop) -> None:
        if not self._root.is_dir():
            msg = f"STORAGE_URL: there is no directory {self._root}; make it, or set the one where the uploads are"
            raise StorageUnavailableError(msg)
        try:
            with tempfile.TemporaryFile(dir=self._root):
                pass
        except OSError as error:
            msg = f"STORAGE_URL: the directory {self._root} can't be written: {error.strerror}"
            raise (StorageAwayError if error.errno in PASSING else StorageUnavailableError)(msg) from error

    def _sweep(self, stop: Stop) -> None:
        oldest = time.time() - ABANDONED
        for directory, _, names in os.walk(self._root):  # follows no links
            stop.check()
            for path in (Path(directory, name) for name in names if name.startswith(INCOMING)):
                with suppress(OSError):  # another process removed it, or it belongs to another user
                    if path.lstat().st_mtime < oldest:
                        path.unlink()

    def _refuse_missing(self) -> None:
        """Raise StorageAwayError if the directory is gone: its volume may be mounted again, with all objects."""
        if not self._root.is_dir():
            msg = f"the object store's directory {self._root} is gone"
            raise StorageAwayError(msg)

    def _path(self, key: str) -> Path:
        """The object's path, with symbolic links resolved.

        Raises InvalidKeyError if it leads out of the store, or has the name of a file that is being written.
        """
        path = Path(os.path.realpath(self._root / check_key(key)))
        if not path.is_relative_to(self._root):
            msg = "the key leads out of the store"
            raise InvalidKeyError(msg)
        if path.name.startswith(INCOMING):
            msg = "no object has such a key"
            raise InvalidKeyError(msg)
        return path

    def _copy_out(self, path: Path, target: Path, max_bytes: int, stop: Stop) -> int:
        self._refuse_missing()
        refuse_above(max_bytes, _size(path))
        with path.open("rb") as file:
            return save(iter(partial(file.read, CHUNK), b""), target, max_bytes, stop)

    def _copy_in(self, source: Path, path: Path, stop: Stop) -> None:
        self._refuse_missing()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written to a temporary file and renamed: readers see the old object or the new one, never a part.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=INCOMING)
        try:
            with os.fdopen(descriptor, "wb") as file, source.open("rb") as original:
                shutil.copyfileobj(original, file, CHUNK)
            stop.check()
            Path(name).chmod(READABLE)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _size(path: Path) -> int:
    """The object's size in bytes. Only regular files count: opening a pipe would block."""
    try:
        status = path.stat()
    except OSError:
        status = None
    if status is None or not stat.S_ISREG(status.st_mode):
        msg = "no object has the key"
        raise ObjectNotFoundError(msg)
    return status.st_size
