"""Writes the rows of an export as a workbook: first as COPY has them, then as sheets, in a child process."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from pydantic import NonNegativeInt, ValidationError

from processors.exports.lines import Lines, Written, write_lines
from processors.exports.output import Output
from processors.sandbox.client import Task
from processors.sandbox.limits import Limits
from queue_lib.errors import TransientError
from queue_lib.processor import Model
from queue_lib.queues import HOUR

if TYPE_CHECKING:
    from pathlib import Path

    from processors.exports.formats import Writing

TASK = "workbook"
ROWS, MADE = "rows", "export.xlsx"  # the task's files
READ = 40  # percent of the work when the rows are read; the sheets take longer
CPU = 1800  # seconds: for 50 million rows of ten columns


class Report(Model):
    """What the child says of its workbook."""

    rows: NonNegativeInt
    sheets: NonNegativeInt
    cut_cells: NonNegativeInt
    bytes: NonNegativeInt


async def write_rows(writing: Writing) -> Written:
    """Write the rows to a file of their own. Raises as `write_lines` does."""

    async def on_rows(rows: int) -> None:
        await writing.on_percent(READ * rows / max(rows, writing.export.expected))

    with Output(writing.target.with_name(ROWS), writing.dependencies.max_bytes) as output:
        return await write_lines(writing.export, Lines("copy"), output, on_rows)


async def make_workbook(writing: Writing) -> Written:
    """Make the workbook of that file. Raises as `Sandbox.run` does: PermanentError for what no workbook holds."""
    folder, max_bytes = writing.target.parent, writing.dependencies.max_bytes

    async def on_percent(percent: float) -> None:
        await writing.on_percent(READ + percent * (100 - READ) / 100)

    columns = [(column.name, column.kind) for column in writing.export.columns]
    limits = Limits(CPU, HOUR, max_bytes)
    said = await writing.dependencies.sandbox.run(Task(TASK, folder, {"columns": columns}, limits), on_percent)
    report = _read(said)
    digest = await asyncio.to_thread(_taken_over, folder / MADE, writing.target)
    return Written(report.rows, report.bytes, digest, report.sheets, report.cut_cells)


def _read(said: object) -> Report:
    try:
        return Report.model_validate(said)
    except ValidationError as error:
        msg = f"the task's report can't be read ({type(error).__name__})"
        raise TransientError(msg) from error


def _taken_over(made: Path, target: Path) -> str:
    """Give the child's file its name. Returns its SHA-256 in hex. It blocks."""
    if made.is_symlink() or not made.is_file():
        msg = f"the task has not made the file {made.name}"
        raise TransientError(msg)
    made.rename(target)
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
