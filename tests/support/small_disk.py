"""A small file system for temporary files, which a test can fill. Mounting it needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.shortage import ROOM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = ROOM + 8 * MEBIBYTE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The mount point of one of 24 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run([_program("mount"), "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not allow mounting a file system")
    try:
        yield disk
    finally:
        subprocess.run([_program("umount"), "--lazy", disk], check=True)


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"there is no {name}")
    return path


def fill(disk: Path, leave: int = 0) -> Path:
    """Write a file that leaves this many bytes free."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(free - leave))
    return filler
