"""Shortages of the machine."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from processors.sandbox import shortage


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, "the temporary directory /tmp/x is full (ENOSPC)"),
        (errno.EDQUOT, "the temporary directory /tmp/x is over its quota (EDQUOT)"),
        (errno.EROFS, "the temporary directory /tmp/x is read-only (EROFS)"),
        (errno.EIO, "the temporary directory /tmp/x has a disk that fails (EIO)"),
        (errno.EMFILE, "this process has no file descriptor left"),
        (errno.ENFILE, "this machine has no file descriptor left"),
        (errno.ENOMEM, "this machine is out of memory"),
        (errno.ENOENT, None),
        (errno.EISDIR, None),
    ],
)
def test_trouble(number: int, expected: str | None) -> None:
    """The text is for operators; an error that the job may have caused has none."""
    assert expected == shortage.trouble(OSError(number, "said"), Path("/tmp/x"))  # noqa: S108 -- nothing is there


def test_a_directory_with_room(tmp_path: Path) -> None:
    """It is left as it was."""
    shortage.check(tmp_path)

    assert [] == list(tmp_path.iterdir())


def test_a_directory_with_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as full before the last byte is: an image needs some."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=shortage.ROOM - 1))

    with pytest.raises(shortage.NoRoomError, match=r"is full \(ENOSPC\)"):
        shortage.check(tmp_path)


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(shortage.NoRoomError, match=rf"{tmp_path}/gone can't be used: No such file or directory"):
        shortage.check(tmp_path / "gone")
