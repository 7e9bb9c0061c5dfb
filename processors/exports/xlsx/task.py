"""The workbook task: a file of rows becomes an .xlsx."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.exports.xlsx.workbook import COLUMNS, Workbook
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.sandbox.protocol import Parent

SOURCE, RESULT = Path("rows"), Path("export.xlsx")
NEED = 32 * MEBIBYTE  # of memory, whatever the number of rows; most rows take a few kB


def run(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Write `export.xlsx` from the file `rows`; returns the report. Raises RefusedError.

    `rows` is what COPY writes in its text format, in UTF-8 and without a header. `arguments`: `columns`, a list of
    `[name, kind]`.
    """
    columns = [(name, kind) for name, kind in arguments["columns"]]
    if len(columns) > COLUMNS:
        msg = f"a sheet of Excel has {COLUMNS:,} columns, and this export {len(columns):,}: choose `columns`, or csv"
        raise RefusedError(msg)
    parent.reserve(NEED)
    workbook = Workbook(RESULT, columns)
    try:
        workbook.write(_lines(parent))
    except MemoryError as error:
        msg = f"row {workbook.rows + 1:,} is too large for a workbook: take csv or jsonl"
        raise RefusedError(msg) from error
    except UnicodeDecodeError as error:
        msg = (
            f"the rows after row {workbook.rows:,} are not UTF-8, so the database holds text that no encoding describes"
        )
        raise RefusedError(msg) from error
    except zipfile.LargeZipFile as error:
        msg = "the workbook would have more than 2 GiB: take csv or jsonl, or fewer rows"
        raise RefusedError(msg) from error
    return {
        "rows": workbook.rows,
        "sheets": workbook.sheets,
        "cutCells": workbook.cut,
        "bytes": RESULT.stat().st_size,
    }


def _lines(parent: Parent) -> Iterator[str]:
    """The lines of SOURCE. Each percent that is read is reported."""
    size, told = SOURCE.stat().st_size, 0
    with SOURCE.open("rb") as raw, io.TextIOWrapper(raw, "utf-8", newline="\n") as lines:
        for number, line in enumerate(lines):
            yield line
            if number % 1000 == 0 and (percent := raw.tell() * 100 // size) > told:
                told = percent
                parent.progress(percent)
