"""The folders of tasks, and their clean-up."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from processors.sandbox.client import PROJECT
from processors.sandbox.folders import Folders

if TYPE_CHECKING:
    from pathlib import Path

CODE = (
    "import pathlib, sys; from processors.sandbox.folders import Folders; folders = Folders(pathlib.Path("
    "sys.argv[1])); folder = folders.new(); (folder / 'source').touch(); print(folder, flush=True); sys.stdin.read()"
)


def test_folders_of_a_killed_worker_are_removed_by_the_next(tmp_path: Path) -> None:
    """Not while it lives; after it was killed, the next worker removes them at its first job."""
    command = [sys.executable, "-c", CODE, str(tmp_path)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        source = tmp_path / worker.stdout.readline().strip() / "source"
        beside = Folders(tmp_path)
        beside.new()
        assert source.exists()
        worker.kill()
    following = Folders(tmp_path)
    mine = following.new()
    assert not source.exists()
    assert 2 == len([*tmp_path.iterdir()])

    beside.close()
    assert [mine.parent] == [*tmp_path.iterdir()]
    following.close()
    assert [] == [*tmp_path.iterdir()]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A link and a file with such a name stay, and so does the link's target."""
    (tmp_path / "else" / "kept").mkdir(parents=True)
    (tmp_path / "pushmill-worker-link").symlink_to(tmp_path / "else")
    (tmp_path / "pushmill-worker-file").touch()
    folders = Folders(tmp_path)
    folders.new()
    folders.close()

    assert {"else", "pushmill-worker-link", "pushmill-worker-file"} == set(os.listdir(tmp_path))  # noqa: PTH208
    assert (tmp_path / "else" / "kept").exists()
