"""The steps that all media jobs share: open the upload, run a task on it, read the report, publish the results."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from processors import objects
from processors.job_folder import job_folder
from processors.media.payload import AvatarPayload, Upload
from processors.media.reports import Report
from processors.outage import outages_put_off
from processors.sandbox.client import Task
from queue_lib.errors import PermanentError, TransientError
from storage.errors import NotOwnerError, RowNotFoundError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from processors.media.dependencies import MediaDependencies
    from processors.media.reports import Output
    from processors.sandbox.client import OnProgress
    from processors.sandbox.limits import Limits
    from queue_lib.processor import Context, Model
    from storage.objects.base import Stored

ReportT = TypeVar("ReportT", bound=Report)


@dataclass(frozen=True, slots=True)
class MediaRun:
    """One run of a media job: the upload is the file `source` in `folder`, and `key` is its storage key."""

    dependencies: MediaDependencies
    context: Context
    folder: Path
    key: str

    async def make(
        self, task: str, arguments: dict[str, Any], limits: Limits, on_progress: OnProgress | None = None
    ) -> Any:
        """Run a task on the upload in a child process; returns its report as JSON. Raises as `Sandbox.run` does."""
        return await self.dependencies.sandbox.run(Task(task, self.folder, arguments, limits), on_progress)

    async def publish(self, outputs: Sequence[Output], base: str, *, hashed: bool = False) -> dict[str, Stored]:
        """Store the files under keys `<base>-<variant>` and count their bytes; returns where each is, by its name.

        Raises as `objects.publish` does, and TransientError if the child has not made a file.
        """
        stored = {output.name: await self._publish(output, base, hashed=hashed) for output in outputs}
        made = sum(_size(self.folder / output.name) for output in outputs)
        self.context.count("media_bytes", {"in": {"upload": _size(self.folder / "source")}, "out": {"files": made}})
        return stored

    async def _publish(self, output: Output, base: str, *, hashed: bool) -> Stored:
        file = self.folder / output.name
        if file.is_symlink() or not file.is_file():
            msg = f"the task has not made the file {output.name}"
            raise TransientError(msg)
        store, key = self.dependencies.objects, f"{base}-{output.variant}"
        return await objects.publish(store, file, key, output.content_type, source=self.key, hashed=hashed)


def _size(path: Path) -> int:
    """Bytes; 0 for a file that the child has removed: counting must not fail the job."""
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def read_report(model: type[ReportT], report: Any) -> ReportT:
    """The child's report, validated. Raises TransientError: a report that can't be read counts as a crash."""
    try:
        return model.model_validate(report)
    except ValidationError as error:
        msg = f"the task's report can't be read ({type(error).__name__})"
        raise TransientError(msg) from error


def row_of(result: Model, columns: Sequence[str]) -> dict[str, Any]:
    """The values of a result for which the row may have columns, by their names on the wire."""
    values = result.model_dump(by_alias=True)
    return {name: values[name] for name in columns}


@asynccontextmanager
async def opened_upload(
    dependencies: MediaDependencies, payload: Upload | AvatarPayload, context: Context, max_bytes: int
) -> AsyncIterator[MediaRun]:
    """Fetch the upload into a folder of its own, which is removed when the job ends.

    The row of a file is checked first, so that nothing is fetched or stored for one that is missing or not the user's.

    Raises PermanentError for an object or a row that no attempt can help, SnoozeError while storage is away or the
    machine has no room.
    """
    with outages_put_off(), _row_errors():
        async with job_folder(dependencies.sandbox) as folder:
            if isinstance(payload, Upload):
                await dependencies.files.check_owner(payload.file_id, payload.user_id)
                await dependencies.files.mark_processing(payload.file_id)
            await objects.fetch(dependencies.objects, payload.file_path, folder / "source", max_bytes)
            yield MediaRun(dependencies, context, folder, payload.file_path)


@contextmanager
def _row_errors() -> Iterator[None]:
    """Turn a row that can't be used into PermanentError."""
    try:
        yield
    except (RowNotFoundError, NotOwnerError) as error:
        raise PermanentError(str(error)) from error
