"""A job that died leaves word in the row of its upload: a page that shows the row must not wait for ever."""

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

NOBODY = ""  # no user's id


class Whose(Model):
    """As much of a payload as says which row is meant: all else may be what the job died of.

    A payload without a user is anybody's, and reaches rows alone that are anybody's.
    """

    file_id: FileId
    user_id: UserId | None = None


class DeadUploads:
    """Tells the row why. The port `OnDead`."""

    def __init__(self, dependencies: MediaDependencies) -> None:
        """Take where the rows are."""
        self._dependencies = dependencies

    async def __call__(self, job: Job, failure: Failure, /) -> None:
        """Write it. Raises SnoozeError while the database is away."""
        try:
            upload = Whose.model_validate(job.data)
        except ValidationError:
            return  # it names no row
        with outages_put_off():
            await self._dependencies.files.mark_failed(upload.file_id, upload.user_id or NOBODY, failure.reason)
