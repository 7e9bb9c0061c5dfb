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

from storage.errors import InvalidKeyError, ObjectNotFoundError, StorageAwayError, StorageUnavailableError
from storage.objects.base import Stored, check_key
from storage.objects.transfer import CHUNK, Stop, in_thread, refuse_above, save

if TYPE_CHECKING:
    from storage.objects.location import LocalLocation

INCOMING = ".incoming-"  # how what is being written is called; a killed process leaves it
ABANDONED = 86400.0  # seconds since the last byte, after which nobody writes it any more
OUTAGES = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})
PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO})  # no reason not to start
READABLE = 0o644  # whoever serves the directory is not always who writes it


class LocalStore:
    """Keys are paths below the directory. A content type can't be kept: whoever serves the files guesses it."""

    def __init__(self, location: LocalLocation, public_base_url: str | None = None) -> None:
        """Take the directory, and the URL under which it is served (default: its file URL)."""
        self._root = Path(os.path.realpath(location.root))
        self._public_base_url = public_base_url or self._root.as_uri()
        self._is_swept = False

    async def check(self) -> None:
        """See that the directory is there and can be written: else StorageUnavailableError.

        It is not made: it may be misspelt, or a volume that is not mounted.

        The first time, at start, what killed processes have left half written more than a day ago is removed.
        """
        await in_thread(None, self._probe)
        if not self._is_swept:  # readiness asks every ten seconds, and this looks at every directory
            self._is_swept = True
            await in_thread(None, self._sweep)

    async def fetch(self, key: str, target: Path, max_bytes: int) -> int:
        """Copy to the file `target`; returns the size in bytes."""
        return await in_thread(None, partial(self._copy_out, self._path(key), target, max_bytes))

    async def store(self, source: Path, key: str, content_type: str, cache_control: str) -> Stored:  # noqa: ARG002 -- the port's
        """Copy the file `source` into the directory; returns where it is."""
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

    async def close(self) -> None:
        """Nothing is held open."""

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
                with suppress(OSError):  # another process sweeps as well, or it is another user's
                    if path.lstat().st_mtime < oldest:
                        path.unlink()

    def _refuse_missing(self) -> None:
        """Whoever takes away the directory takes no object away: a volume may be mounted again."""
        if not self._root.is_dir():
            msg = f"the object store's directory {self._root} is gone"
            raise StorageAwayError(msg)

    def _path(self, key: str) -> Path:
        """Where the object is, symbolic links followed; InvalidKeyError if they lead out of the store.

        Or if that is where an object is written before it has its name.
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
        # Written beside it and renamed: a reader sees the old object or the new one, never half of it.
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
    """Bytes of the object. Only a regular file is one: opening a pipe would wait for ever."""
    try:
        status = path.stat()
    except OSError:
        status = None
    if status is None or not stat.S_ISREG(status.st_mode):
        msg = "no object has the key"
        raise ObjectNotFoundError(msg)
    return status.st_size
