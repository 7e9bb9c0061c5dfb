"""Reads workbooks, by what ECMA-376 says and not by how ours are written, and writes rows as COPY does."""

from __future__ import annotations

import re
import zipfile
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from xml.etree.ElementTree import Element

Value = None | bool | Decimal | date | datetime | str
Rows = list[list[Value]]

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
CODED = re.compile("_x([0-9A-Fa-f]{4})_")
COPIED = {"\\": r"\\", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
DAYS = date(1899, 12, 30)
MILLISECONDS_OF_A_DAY = 86_400_000


def copied(values: Sequence[str | None]) -> str:
    """A line of COPY's text format."""
    return "\t".join(r"\N" if each is None else "".join(COPIED.get(c, c) for c in each) for each in values) + "\n"


def read(file: Path) -> list[Rows]:
    """The sheets in their order, by the relations of the package: the values of each row, with None for no cell."""
    with zipfile.ZipFile(file) as package:
        assert package.testzip() is None
        related = {each.get("Id"): str(each.get("Target")) for each in _part(package, "xl/_rels/workbook.xml.rels")}
        sheets = _part(package, "xl/workbook.xml").iterfind(f"{MAIN}sheets/{MAIN}sheet")
        formats = number_formats(file)
        return [_rows(_part(package, f"xl/{related[each.get(f'{RELATION}id')]}"), formats) for each in sheets]


def number_formats(file: Path) -> list[str]:
    """The number format of each style, by the numbers that cells name."""
    with zipfile.ZipFile(file) as package:
        styles = _part(package, "xl/styles.xml")
    codes = {each.get("numFmtId"): str(each.get("formatCode")) for each in styles.iter(f"{MAIN}numFmt")}
    return [codes.get(each.get("numFmtId"), "General") for each in styles.iterfind(f"{MAIN}cellXfs/{MAIN}xf")]


def styles_of(file: Path, sheet: int = 1) -> dict[str, str]:
    """The number format of each cell of a sheet, by the cell's name."""
    formats = number_formats(file)
    with zipfile.ZipFile(file) as package:
        cells = _part(package, f"xl/worksheets/sheet{sheet}.xml").iter(f"{MAIN}c")
        return {str(cell.get("r")): formats[int(cell.get("s", "0"))] for cell in cells}


def _part(package: zipfile.ZipFile, name: str) -> Element:
    return ET.fromstring(package.read(name))  # noqa: S314 -- written here


def _rows(sheet: Element, formats: Sequence[str]) -> list[list[Value]]:
    rows: Rows = []
    for number, row in enumerate(sheet.iterfind(f"{MAIN}sheetData/{MAIN}row"), start=1):
        assert str(number) == row.get("r")
        cells = {_place(str(cell.get("r")), number): _value(cell, formats) for cell in row}
        rows.append([cells.get(place) for place in range(max(cells, default=-1) + 1)])
    return rows


def _place(name: str, row: int) -> int:
    """The column of a cell, from 0: A is the first, AA the 27th."""
    place = 0
    for letter in name.removesuffix(str(row)):
        place = place * 26 + ord(letter) - ord("A") + 1
    return place - 1


def _value(cell: Element, formats: Sequence[str]) -> Value:
    if cell.get("t") == "inlineStr":
        text = "".join(each.text or "" for each in cell.iterfind(f"{MAIN}is/{MAIN}t"))
        return CODED.sub(lambda found: chr(int(found[1], 16)), text)
    value = cell.findtext(f"{MAIN}v", "")
    if cell.get("t") == "b":
        return value == "1"
    code = formats[int(cell.get("s", "0"))]
    if "h" in code:
        milliseconds = round(float(value) * MILLISECONDS_OF_A_DAY)
        return datetime.combine(DAYS, datetime.min.time()) + timedelta(milliseconds=milliseconds)
    return DAYS + timedelta(days=int(value)) if "y" in code else Decimal(value)
