"""A workbook, written row by row: when a sheet is full, the next one goes on with the header again.

Written by hand, because a sheet of plain rows is little XML: XlsxWriter takes five times the processor time, and drops
what does not fit with no more than a return code (benchmarks/README.md, "Exports").
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from processors.exports.xlsx import xml
from processors.exports.xlsx.cells import Cells, content
from processors.exports.xlsx.styles import HEADER, styles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

NULL = r"\N"  # COPY's; the cell stays empty
ROWS, COLUMNS = 1_048_576, 16_384  # that a sheet of Excel has
# Bytes of XML in a sheet: Excel warns of ZIP64, which a larger part of the file would need.
SHEET = 2_000_000_000
LEVEL = 4  # of compression: 6 takes twice the time for 6 % less
PIECE = 256 * 1024  # characters that are compressed at once
# In characters; a column is at least as wide as its name.
TIMES = ("timestamp", "timestamptz")  # Excel's times have no zone: the name of the column says it
WIDTHS = {"text": 24, "json": 40, "boolean": 9, "date": 12, "timestamp": 23, "timestamptz": 23}
WIDTH, WIDEST = 14, 60


@dataclass(frozen=True, slots=True)
class Size:
    """How large a sheet may be: `rows` with the header, and about `bytes` of XML."""

    rows: int = ROWS
    bytes: int = SHEET


class Workbook:
    """Writes a workbook into `file`. The same rows make the same bytes."""

    def __init__(self, file: Path, columns: Sequence[tuple[str, str]], size: Size | None = None) -> None:
        """`columns` are names and kinds."""
        self.rows = self.sheets = 0
        self._cells = Cells()
        self._size = size or Size()
        writers = self._cells.writers()
        self._columns = [(letters(place), writers[kind]) for place, (_, kind) in enumerate(columns)]
        self._head = _head(columns)
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=False, compresslevel=LEVEL)

    @property
    def cut(self) -> int:
        """The number of texts that were too long for a cell."""
        return self._cells.cut

    def write(self, lines: Iterable[str]) -> None:
        """Write all sheets. `lines` are rows in COPY's text format. Raises zipfile.LargeZipFile beyond 2 GiB."""
        with self._zip:
            self._part("_rels/.rels", xml.PACKAGE_RELATIONS)
            left = iter(lines)
            for first in left:
                self._sheet(chain((first,), left))
            if self.sheets == 0:
                self._sheet(iter(()))
            self._part("xl/styles.xml", styles())
            self._part("xl/workbook.xml", xml.workbook(self.sheets))
            self._part("xl/_rels/workbook.xml.rels", xml.workbook_relations(self.sheets))
            self._part("[Content_Types].xml", xml.content_types(self.sheets))

    def _part(self, name: str, content: str) -> None:
        with self._zip.open(name, "w") as part:  # of 1980, unlike those of `writestr`
            part.write(content.encode())

    def _sheet(self, lines: Iterator[str]) -> None:
        """Write one sheet of as many lines as it holds."""
        self.sheets += 1
        with self._zip.open(f"xl/worksheets/sheet{self.sheets}.xml", "w") as sheet:
            sheet.write(self._head.encode())
            written = 0
            for piece in self._pieces(islice(lines, self._size.rows - 1)):
                written += sheet.write(piece.encode())
                if written >= self._size.bytes:
                    break
            sheet.write(b"</sheetData></worksheet>")

    def _pieces(self, lines: Iterator[str]) -> Iterator[str]:
        """The XML of the lines, in pieces of at least PIECE characters."""
        rows, length = [], 0
        for number, line in enumerate(lines, start=2):
            rows.append(self._row(str(number), line))
            self.rows += 1
            length += len(rows[-1])
            if length >= PIECE:
                yield "".join(rows)
                rows, length = [], 0
        yield "".join(rows)

    def _row(self, number: str, line: str) -> str:
        cells = [
            f'<c r="{column}{number}"{write(field)}'
            for (column, write), field in zip(self._columns, line.removesuffix("\n").split("\t"), strict=True)
            if field != NULL
        ]
        return f'<row r="{number}">{"".join(cells)}</row>'


def letters(place: int) -> str:
    """The name of a column: A to Z, AA to ZZ, AAA to XFD. `place` counts from 0."""
    left, last = divmod(place, 26)
    return (letters(left - 1) if left else "") + chr(ord("A") + last)


def _head(columns: Sequence[tuple[str, str]]) -> str:
    """A sheet up to its first row: a bold header that stays in view, and columns as wide as their values."""
    names = [f"{name} (UTC)" if kind in TIMES else name for name, kind in columns]
    widths = (
        min(WIDEST, max(WIDTHS.get(kind, WIDTH), len(name) + 2)) for name, (_, kind) in zip(names, columns, strict=True)
    )
    cols = "".join(
        f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
        for number, width in enumerate(widths, start=1)
    )
    cells = "".join(
        f'<c r="{letters(place)}1" s="{HEADER}" t="inlineStr"><is><t>{content(name)}</t></is></c>'
        for place, name in enumerate(names)
    )
    return (
        f'{xml.HEAD}<worksheet xmlns="{xml.MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f'<cols>{cols}</cols><sheetData><row r="1">{cells}</row>'
    )
