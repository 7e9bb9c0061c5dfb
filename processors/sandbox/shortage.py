"""What the machine may be short of: disk space, file descriptors, memory. That is no job's fault."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOM = 16 * 1024**2  # bytes that must be free: most images and their results need less
PROBE = 64 * 1024  # bytes that are written, because only a write shows a quota
DIRECTORY = {
    errno.ENOSPC: "is full",
    errno.EDQUOT: "is over its quota",
    errno.EROFS: "is read-only",
    errno.EIO: "has a disk that fails",
}
PROCESS = {
    errno.EMFILE: "this process has no file descriptor left",
    errno.ENFILE: "this machine has no file descriptor left",
    errno.ENOMEM: "this machine is out of memory",
}


class NoRoomError(Exception):
    """No task can run now; the message says what is short, and where."""


def trouble(error: OSError, directory: Path) -> str | None:
    """What the machine is short of, in words for an operator; None for other errors."""
    if (words := DIRECTORY.get(error.errno or 0)) is not None:
        return f"the temporary directory {directory} {words} ({errno.errorcode[error.errno or 0]})"
    return PROCESS.get(error.errno or 0)


def check(directory: Path) -> None:
    """Raise NoRoomError unless `directory` can be written and has ROOM bytes free. It blocks."""
    try:
        _probe(directory)
    except OSError as error:
        words = trouble(error, directory) or f"the temporary directory {directory} can't be used: {error.strerror}"
        raise NoRoomError(words) from error


def _probe(directory: Path) -> None:
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        if file.write(bytes(PROBE)) < PROBE or shutil.disk_usage(directory).free < ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
