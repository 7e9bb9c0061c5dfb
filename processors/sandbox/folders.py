"""The folders of tasks. They are removed after the task, or by the next worker if this one is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

PREFIX = "pushmill-worker-"


class Folders:
    """Makes folders in a directory of this process, which is locked as long as the process lives.

    The lock is flock(2) on the directory itself: the kernel releases it however the process ends, and
    systemd-tmpfiles skips locked directories.
    """

    def __init__(self, root: Path | None = None) -> None:
        """Nothing is made yet. `root`: where to make the directory (default: the system's temporary directory)."""
        self._root = root
        self._home: Path | None = None
        self._lock = -1

    @property
    def root(self) -> Path:
        """The temporary directory."""
        return self._root or Path(tempfile.gettempdir())

    @property
    def are_empty(self) -> bool:
        """Whether no task has a folder now."""
        return self._home is None or not any(self._home.iterdir())

    def new(self) -> Path:
        """An empty folder. The first call also removes what killed workers of this user have left. It blocks."""
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
    """A new directory and the descriptor of its lock. Retried if another process sweeps it before it is locked."""
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
    """Lock the directory; returns the descriptor, or None if another process holds it or it is another user's."""
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
