"""The folders that tasks work in: gone when their task ends, or, if the worker was killed, when the next one begins."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "pushmill-worker-"


class Folders:
    """Makes them in a directory of this process alone, which is locked as long as the process lives.

    The lock is flock(2) on the directory itself: the kernel releases it however the process ends, and
    systemd-tmpfiles leaves alone what has one.
    """

    def __init__(self, root: Path | None = None) -> None:
        """Nothing is made yet. `root` is where (default: the system's directory for temporary files)."""
        self._root = root
        self._home: Path | None = None
        self._lock = -1

    @property
    def root(self) -> Path:
        """The directory for temporary files."""
        return self._root or Path(tempfile.gettempdir())

    @property
    def are_empty(self) -> bool:
        """Whether no task has one now."""
        return self._home is None or not any(self._home.iterdir())

    def new(self) -> Path:
        """An empty folder. The first time, what killed workers of this user have left is removed. It blocks."""
        if self._home is None:
            _sweep(self.root)
            self._home, self._lock = _locked(self.root)
        return Path(tempfile.mkdtemp(dir=self._home))

    def close(self) -> None:
        """Remove the directory."""
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            os.close(self._lock)
            self._home = None


def _locked(root: Path) -> tuple[Path, int]:
    """A new directory and the descriptor that holds its lock. Another process may sweep it before it is locked."""
    while True:
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        if (lock := _lock(home)) is None:
            continue
        if home.exists():
            return home, lock
        os.close(lock)


def _sweep(root: Path) -> None:
    for home in root.glob(f"{PREFIX}*"):
        if (lock := _lock(home)) is not None:
            shutil.rmtree(home, ignore_errors=True)
            os.close(lock)


def _lock(home: Path) -> int | None:
    """The descriptor that holds the directory's lock; None if another process has it, or it is another user's."""
    with suppress(OSError):
        lock = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return lock
        except OSError:
            pass
        os.close(lock)
    return None
