"""Writes the rows of an export as lines: csv, json and jsonl."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.export_lines import csv_line, escaped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from processors.exports.output import Output
    from processors.exports.payload import ExportPayload
    from storage.ports import Export, ExportColumn, ExportForm

    OnRows = Callable[[int], Awaitable[None]]

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Written:
    """A file: how many rows, bytes and sheets it has (None: it is no workbook), and its SHA-256.

    `cut_cells`: how many texts of a workbook were too long for a cell.
    """

    rows: int
    bytes: int
    sha256: str
    sheets: int | None = None
    cut_cells: int | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """The form of the rows, and what stands before, between and after them."""

    form: ExportForm
    head: bytes = b""
    between: bytes = b""
    tail: bytes = b""
    escape_formulas: bool = False


def lines_of(payload: ExportPayload, columns: Sequence[ExportColumn]) -> Lines:
    """The lines of the type that the payload wants."""
    match payload.export_type:
        case "json":
            return Lines("json", head=b"[\n", between=b",\n", tail=b"\n]\n")
        case "jsonl":
            return Lines("json", between=b"\n", tail=b"\n")
    names = [escaped(column.name) if payload.escape_formulas else column.name for column in columns]
    head = (BOM if payload.bom else b"") + csv_line(names)
    return Lines("csv", head=head, escape_formulas=payload.escape_formulas)


async def write_lines(export: Export, lines: Lines, output: Output, on_rows: OnRows) -> Written:
    """Write all rows; `on_rows` hears from time to time how many there are.

    One batch of them is in memory. Raises PermanentError for a file that is too large, and what reading raises.
    """
    rows, before = 0, lines.head
    async with aclosing(export.batches(lines.form, escape_formulas=lines.escape_formulas)) as found:
        async for batch in found:
            await asyncio.to_thread(output.write, before + lines.between.join(batch))
            rows, before = rows + len(batch), lines.between
            await on_rows(rows)
    await asyncio.to_thread(output.write, lines.tail if rows else lines.head + lines.tail)
    digest = await asyncio.to_thread(output.finish)  # which writes the end of a gzip
    return Written(rows, output.bytes, digest)
