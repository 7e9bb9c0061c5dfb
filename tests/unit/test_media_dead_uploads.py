"""The row of an upload says that its job is dead."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from processors.media.dead_uploads import DeadUploads
from processors.media.feature import MEDIA
from processors.media.opening import OF_FILES
from queue_lib.errors import SnoozeError
from queue_lib.outcome import Failure
from storage.errors import StorageAwayError
from tests.support.fakes import make_job
from tests.support.media import MemoryFiles

FAILURE = Failure("its worker died 3 times while running it")


async def dead(files: Any, data: Any) -> None:
    """A job with this data has died."""
    await DeadUploads(cast("Any", SimpleNamespace(files=files)))(make_job(data=data), FAILURE)


@pytest.mark.parametrize(
    "data",
    [
        {"fileId": "file-1", "filePath": "uploads/a.png", "userId": "ada"},
        {"fileId": "file-1", "userId": "ada", "filePath": "https://not.a/key", "options": {"quality": 1000}},
        {"fileId": "file-1", "userId": "ada", "operation": "explode"},
        {"fileId": "file-1"},
    ],
)
async def test_the_row_says_why(data: Any) -> None:
    """Even if the payload was the reason, if it names the file and the user."""
    files = MemoryFiles()

    await dead(files, data)

    assert {"file-1": {"error": FAILURE.reason}} == files.rows


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "file-1",
        {},
        {"fileId": "file-1", "userId": {}},
        {"fileId": "../1", "userId": "ada"},
        {"fileId": ["file-1"]},
    ],
)
async def test_a_payload_that_names_no_row(data: Any) -> None:
    """Nothing is written."""
    files = MemoryFiles()

    await dead(files, data)

    assert {"file-1": {}} == files.rows


@pytest.mark.parametrize("data", [{"fileId": "file-1"}, {"fileId": "file-1", "userId": "ada"}])
async def test_a_row_of_another_user(data: Any) -> None:
    """It is left alone, whether the job names a user or none."""
    files = MemoryFiles()
    files.rows["file-1"]["userId"] = "grace"

    await dead(files, data)

    assert {"file-1": {"userId": "grace"}} == files.rows


async def test_while_the_database_is_away() -> None:
    """The job is put off, and the row is written when it dies again."""

    class Away(MemoryFiles):
        async def mark_failed(self, file_id: str, user_id: str, reason: str) -> None:
            msg = f"{file_id} {user_id} {reason}"
            raise StorageAwayError(msg)

    with pytest.raises(SnoozeError, match="file-1 ada its worker died"):
        await dead(Away(), {"fileId": "file-1", "userId": "ada"})


def test_the_jobs_whose_uploads_have_rows() -> None:
    """All of file-processing, except avatars, which belong to a user."""
    assert {*OF_FILES, "optimize-avatar"} == {job.name for job in MEDIA.jobs}
