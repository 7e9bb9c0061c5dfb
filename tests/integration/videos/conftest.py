"""The video task in a folder of its own, with each ffmpeg that is tested."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from processors.media.video import make_video
from processors.sandbox.limits import MEBIBYTE
from tests.support import videos
from tests.support.media import FakeParent

if TYPE_CHECKING:
    from pathlib import Path

    from processors.media.video.ffmpeg_tools import FfmpegTools

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A video by its recipe, made once."""
    folder = tmp_path_factory.mktemp("videos")

    def made(recipe: str) -> Path:
        path = folder / recipe
        if not path.exists():
            videos.make(recipe, path)
        return path

    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The task's folder."""
    (tmp_path / "task").mkdir()
    monkeypatch.chdir(tmp_path / "task")
    return tmp_path / "task"


@pytest.fixture
def run(kit: FfmpegTools, folder: Path) -> Run:
    """Run the task on a video."""

    def perform(source: Path | bytes, parent: FakeParent | None = None, **changes: Any) -> dict[str, Any]:
        if isinstance(source, bytes):
            (folder / "source").write_bytes(source)
        else:
            shutil.copy(source, folder / "source")
        arguments = {
            "ffmpeg": str(kit.ffmpeg),
            "ffprobe": str(kit.ffprobe),
            "version": kit.version,
            "av1": kit.av1,
            "maxDuration": 60.0,
            "maxPixels": 4096 * 2304,
            "memory": 290 * MEBIBYTE,
            "remux": True,
            **changes,
        }
        return make_video.run(arguments, parent or FakeParent())

    return perform
