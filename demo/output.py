"""Where a demo leaves its images and the worker's log."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from demo.failure import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[1] / "demo-output"


@contextmanager
def output() -> Iterator[Path]:
    """An empty folder, locked until the demo ends. A second demo at the same time uses `demo-output-2`, and so on.

    Raises DemoError.
    """
    for folder in _candidates():
        try:
            folder.mkdir(exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            msg = f"{folder} can't be created: {error.strerror}"
            raise DemoError(msg) from error
        try:
            if _locked(descriptor):
                _empty(folder)
                yield folder
                return
        finally:
            os.close(descriptor)  # this also releases the lock


def _candidates() -> Iterator[Path]:
    yield FOLDER
    for number in itertools.count(2):
        yield FOLDER.with_name(f"{FOLDER.name}-{number}")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _empty(folder: Path) -> None:
    try:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        msg = f"{folder} can't be emptied: {error.strerror}"
        raise DemoError(msg) from error
