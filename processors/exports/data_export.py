"""`data-export`: the rows of a view as a file in the object store, and a link to it."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from processors.exports.feature import BYTES, ROWS
from processors.exports.formats import FORMATS, GZIP, write_file
from processors.exports.names import disposition, file_name, key_of
from processors.exports.payload import ExportResult
from processors.exports.telling import address_of, tell
from processors.job_folder import job_folder
from processors.outage import outages_put_off
from queue_lib.errors import PermanentError, TransientError
from storage.errors import ConditionRefusedError, InvalidKeyError, SchemaError, StatementRefusedError
from storage.ports import ExportRequest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from processors.exports.dependencies import ExportDependencies
    from processors.exports.lines import Written
    from processors.exports.payload import ExportPayload
    from queue_lib.processor import Context

IN_KEY = "inKey"  # the name of the note
NEVER_CACHED = "private, no-store"
WRITTEN = 90  # percent of the job when the file is written; storing it is the rest


class DataExport:
    """Reads the view, writes the file, stores it under a key that a second run of the job has, too, and tells."""

    def __init__(self, dependencies: ExportDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: ExportPayload, context: Context, /) -> ExportResult:
        """Run one job. Raises PermanentError for a view, columns or filters that are not there, and a file too large.

        A second run replaces the file by a newer one. What it is told about has one job for each channel.
        """
        to = await address_of(payload, self._dependencies.addresses)
        with outages_put_off(), _refusals_told():
            async with job_folder(self._dependencies.sandbox) as folder:
                name, written = await self._write(payload, context, folder / "export")
                result = await self._store(payload, context, folder / "export", name, written)
        for metric, count in ((ROWS, result.rows), (BYTES, result.bytes)):
            context.count(metric, {"files": {payload.export_type: count}})
        await tell(payload, name, result, to, context)
        await context.progress(100)
        return result

    async def _write(self, payload: ExportPayload, context: Context, target: Path) -> tuple[str, Written]:
        request = ExportRequest(payload.name, payload.user_id, payload.columns, payload.filters, context.remaining())

        async def on_percent(percent: float) -> None:
            await context.progress(round(percent * WRITTEN / 100))

        return await write_file(self._dependencies, payload, request, target, on_percent)

    async def _store(
        self, payload: ExportPayload, context: Context, file: Path, name: str, written: Written
    ) -> ExportResult:
        objects, ending = self._dependencies.objects, f".{payload.export_type}{'.gz' if payload.gzip else ''}"
        key = key_of(payload.user_id, context.job.id, await _token(context), ending)
        header = disposition(file_name(payload.filename, name, ending))
        await context.progress(WRITTEN)
        content_type = GZIP if payload.gzip else FORMATS[payload.export_type].content_type
        stored = await objects.store(file, key, content_type, NEVER_CACHED, header)
        ends = self._dependencies.clock() + self._dependencies.link_expiry
        link = await objects.signed_link(key, self._dependencies.link_expiry)
        return ExportResult(
            url=link or stored.url,
            key=key,
            rows=written.rows,
            bytes=written.bytes,
            sheets=written.sheets,
            cut_cells=written.cut_cells,
            expires_at=_written(ends) if link else None,
            sha256=written.sha256,
        )


async def _token(context: Context) -> str:
    """What nobody can guess in the key. It is noted, so that a second run of the job replaces the file of the first."""
    notes = await context.notes()
    token = notes.get(IN_KEY) or secrets.token_urlsafe(16)
    if IN_KEY not in notes:
        await context.note({IN_KEY: token})
    return token


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@contextmanager
def _refusals_told() -> Iterator[None]:
    """What the payload asks for and the view has not is PermanentError; a statement that failed may be run again."""
    try:
        yield
    except (SchemaError, ConditionRefusedError, InvalidKeyError) as error:
        raise PermanentError(str(error)) from error
    except StatementRefusedError as error:
        raise TransientError(str(error)) from error
