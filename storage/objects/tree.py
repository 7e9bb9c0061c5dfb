"""The regular files below a directory, listed and deleted without following a symbolic link.

Each directory is opened by its name inside the one above it, with O_NOFOLLOW. So one that is swapped for a link at any
moment leads nowhere: at worst its files stay.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager, suppress
from itertools import groupby, islice
from typing import TYPE_CHECKING

from storage.objects.base import PAGE, Deleted, Listed, is_key

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from pathlib import Path

    from storage.objects.transfer import Stop

INCOMING = ".incoming-"  # prefix of files that are being written; a killed process leaves them behind
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What a directory answers that is gone, is none any more, or is a link by now.
GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Tree:
    """What is below `root`, which is no link itself."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def files(self, folder: str, unread: list[str]) -> Generator[Listed]:
        """The files below the folder, whose paths are keys. `unread` gets what can't be read, each with why."""
        waiting = [folder]
        while waiting:
            at = waiting.pop()
            try:
                with self._opened(at) as descriptor, os.scandir(descriptor) as entries:
                    for path, status in _with_keys(at, entries):
                        if stat.S_ISDIR(status.st_mode):
                            waiting.append(path)
                        elif stat.S_ISREG(status.st_mode) and not _is_incoming(path):
                            yield Listed(path, status.st_size, status.st_mtime, _tag(status))
            except OSError as error:
                if error.errno not in GONE:
                    unread.append(f"{at}: {_words(error)}")

    def delete(self, files: Sequence[Listed], stop: Stop) -> Deleted:
        """Delete those that are as they were listed."""
        gone: set[str] = set()
        refused: dict[str, str] = {}
        for folder, inside in groupby(files, key=lambda file: file.key.rpartition("/")[0]):
            group = list(inside)
            try:
                with self._opened(folder) as descriptor:
                    for file in group:
                        stop.check()
                        _delete(descriptor, file, gone, refused)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    gone.update(file.key for file in group)
                elif error.errno not in GONE:
                    refused |= {file.key: _words(error) for file in group}
        return Deleted(frozenset(gone), refused)

    @contextmanager
    def _opened(self, folder: str) -> Iterator[int]:
        descriptor = os.open(self._root, FOLDER)
        try:
            for name in folder.split("/") if folder else ():
                inner = os.open(name, FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)


def next_page(files: Iterator[Listed], _stop: Stop) -> list[Listed]:
    """The next files; none at the end."""
    return list(islice(files, PAGE))


def _delete(descriptor: int, file: Listed, gone: set[str], refused: dict[str, str]) -> None:
    name = file.key.rpartition("/")[2]
    try:
        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        if stat.S_ISREG(status.st_mode) and _tag(status) == file.tag:
            os.unlink(name, dir_fd=descriptor)
            gone.add(file.key)
    except FileNotFoundError:
        gone.add(file.key)
    except OSError as error:
        refused[file.key] = _words(error)


def _tag(status: os.stat_result) -> str:
    return f"{status.st_dev}-{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"


def _with_keys(folder: str, entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[str, os.stat_result]]:
    """Those whose paths are keys, or begin some: below any other there is nothing that a payload could name."""
    for entry in entries:
        if is_key(path := f"{folder}/{entry.name}"):
            with suppress(OSError):  # it has just been deleted
                yield path, entry.stat(follow_symlinks=False)


def _is_incoming(path: str) -> bool:
    """Whether it is a file that is being written."""
    return path.rpartition("/")[2].startswith(INCOMING)


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
