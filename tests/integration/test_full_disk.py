"""A full temporary directory, on a small file system of its own: it is no job's fault, whichever job meets it."""

from __future__ import annotations

import os
import random
import tempfile
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from processors.media.payload import ImagePayload
from processors.media.process_image import ProcessImage
from processors.sandbox.shortage import NoRoomError
from queue_lib.errors import SnoozeError, TransientError
from tests.support.fakes import FakeContext
from tests.support.small_disk import SIZE, fill

if TYPE_CHECKING:
    from pathlib import Path

    from processors.media.dependencies import MediaDependencies
    from tests.support.media import FolderStore

JOB = ImagePayload.model_validate({"fileId": "file-1", "filePath": "uploads/a.png", "userId": 1})
FULL = r"^the temporary directory .* is full \(ENOSPC\)$"


@pytest.fixture
def disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small disk, for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    return small_disk


async def test_a_full_disk_puts_jobs_off(disk: Path, dependencies: MediaDependencies) -> None:
    """Job and queue check both name the directory; with room, jobs run."""
    await dependencies.sandbox.check()
    filler = fill(disk)

    with pytest.raises(SnoozeError, match=FULL):
        await ProcessImage(dependencies)(JOB, FakeContext())
    with pytest.raises(NoRoomError, match=FULL):
        await dependencies.sandbox.check()
    filler.unlink()
    await dependencies.sandbox.check()
    await ProcessImage(dependencies)(JOB, FakeContext())


async def test_a_disk_that_fills_up_under_a_child(
    disk: Path, dependencies: MediaDependencies, store: FolderStore
) -> None:
    """There is room for the upload, but none for the child's output: the image is not refused."""
    upload = store.folder / "uploads" / "a.png"
    Image.frombytes("RGB", (400, 400), random.Random(1).randbytes(400 * 400 * 3)).save(upload)
    fill(disk, leave=upload.stat().st_size + 16 * 1024)

    with pytest.raises(SnoozeError, match=FULL):
        await ProcessImage(dependencies)(JOB, FakeContext())


@pytest.mark.usefixtures("disk")
async def test_a_job_that_is_too_large_for_the_disk(dependencies: MediaDependencies, store: FolderStore) -> None:
    """Even alone on an empty disk: it uses up its attempts, and so does not come back for ever."""
    os.truncate(store.folder / "uploads" / "a.png", SIZE + 1)

    with pytest.raises(TransientError, match=r"^it needs more room than there is: the temporary directory .* is full"):
        await ProcessImage(dependencies)(JOB, FakeContext())
