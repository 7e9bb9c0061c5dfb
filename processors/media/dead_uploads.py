"""Marks the row of an upload when its job is dead, so that a page that shows the row does not wait for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from processors.media.payload import FileId, UserId  # noqa: TC001 -- pydantic reads them
from processors.outage import outages_put_off
from queue_lib.processor import Model

if TYPE_CHECKING:
    from processors.media.dependencies import MediaDependencies
    from queue_lib.job import Job
    from queue_lib.outcome import Failure

NO_USER = ""  # equals no user's id


class RowOfUpload(Model):
    """The fields of a payload that identify a row. The others may be the reason why the job is dead.

    A payload without a user reaches only rows that belong to no user.
    """

    file_id: FileId
    user_id: UserId | None = None


class DeadUploads:
    """Writes the reason into the row. Implements `OnDead`."""

    def __init__(self, dependencies: MediaDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, job: Job, failure: Failure, /) -> None:
        """Mark the row. Raises SnoozeError while the database is away."""
        try:
            upload = RowOfUpload.model_validate(job.data)
        except ValidationError:
            return  # the payload names no row
        with outages_put_off():
            await self._dependencies.files.mark_failed(upload.file_id, upload.user_id or NO_USER, failure.reason)
