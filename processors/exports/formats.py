"""The types of files that exports can be: one line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processors.exports.lines import lines_of, write_lines
from processors.exports.output import Output
from processors.exports.sheets import make_workbook, write_rows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from processors.exports.dependencies import ExportDependencies
    from processors.exports.lines import Written
    from processors.exports.payload import ExportPayload
    from storage.ports import Export, ExportRequest

    OnPercent = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Writing:
    """One export that is written: to the file `target`, in a folder of its own."""

    dependencies: ExportDependencies
    payload: ExportPayload
    export: Export
    target: Path
    on_percent: OnPercent

    async def on_rows(self, rows: int) -> None:
        """So many rows are read, of as many as the planner expects, or more."""
        await self.on_percent(100 * rows / max(rows, self.export.expected))


@dataclass(frozen=True, slots=True)
class Format:
    """A type of files: its media type, and what writes the rows; `make` makes the file of them, if they are not it."""

    content_type: str
    write: Callable[[Writing], Awaitable[Written]]
    make: Callable[[Writing], Awaitable[Written]] | None = None


async def _lines(writing: Writing) -> Written:
    payload, max_bytes = writing.payload, writing.dependencies.max_bytes
    with Output(writing.target, max_bytes, gzip=payload.gzip) as output:
        return await write_lines(writing.export, lines_of(payload, writing.export.columns), output, writing.on_rows)


FORMATS: Mapping[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", _lines),
    "json": Format("application/json", _lines),
    "jsonl": Format("application/jsonl", _lines),
    "xlsx": Format("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_rows, make_workbook),
}
GZIP = "application/gzip"


async def write_file(
    dependencies: ExportDependencies,
    payload: ExportPayload,
    request: ExportRequest,
    target: Path,
    on_percent: OnPercent,
) -> tuple[str, Written]:
    """Write the file. Returns the view's name, without `export_`, and what was written.

    The database's transaction ends when the rows are read: a workbook may take long.
    """
    format_ = FORMATS[payload.export_type]
    async with dependencies.exports.open(request) as export:
        writing = Writing(dependencies, payload, export, target, on_percent)
        written = await format_.write(writing)
    if format_.make is not None:
        written = await format_.make(writing)
    return export.name, written
