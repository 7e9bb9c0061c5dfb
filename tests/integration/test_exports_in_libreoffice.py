"""Workbooks as LibreOffice reads them: it finds and shows in each cell what the row had."""

from __future__ import annotations

import csv
import io
import subprocess
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.exports.xlsx.workbook import Size, Workbook
from tests.support.programs import CiSettings, find_program
from tests.support.workbooks import copied

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.matrix

# Comma, quotes, UTF-8, from the first line on; texts as shown; all sheets, each into a file of its own.
CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
COLUMNS = [
    ("whole", "integer"),
    ("price", "decimal"),
    ("ok", "boolean"),
    ("day", "date"),
    ("at", "timestamp"),
    ("<\"'&>", "text"),
    ("meta", "json"),
]
TEXTS = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=50)
HOSTILE = st.sampled_from(["=1+1", "+1", "-1", "@a", "https://a.example", "007", "TRUE", "1e5", "_x0041_", " a "])
DECIMALS = st.decimals(-(10**12), 10**12, places=3).map("{:f}".format)
DAYS = st.dates().map(str) | st.sampled_from(["infinity", "0044-03-15 BC"])
TIMES = st.datetimes().map(str) | st.sampled_from(["-infinity", "9999-12-31 23:59:59.999999"])
ROWS = st.tuples(
    st.none() | st.integers(-(10**20), 10**20).map(str),
    st.none() | DECIMALS,
    st.none() | st.sampled_from(["true", "false"]),
    st.none() | DAYS,
    st.none() | TIMES,
    st.none() | TEXTS | HOSTILE,
    st.none() | TEXTS,
)


@pytest.fixture
def office() -> str:
    """The path of the program."""
    missing = "LibreOffice is not installed: apt-get install --no-install-recommends libreoffice-calc-nogui"
    return find_program(CiSettings(), missing, "soffice")


def sheets(office: str, file: Path) -> list[list[list[str]]]:
    """What it shows in each sheet."""
    command = [office, f"-env:UserInstallation=file://{file.parent}/profile", "--headless", "--convert-to", CSV]
    subprocess.run([*command, "--outdir", file.parent, file], check=True, capture_output=True, timeout=300)
    found = sorted(file.parent.glob("*.csv"))
    return [list(csv.reader(io.StringIO(each.read_bytes().decode(), newline=""), strict=True)) for each in found]


def drawn() -> list[tuple[str | None, ...]]:
    """Some thousand rows."""
    rows: list[tuple[str | None, ...]] = []

    @given(st.lists(ROWS, min_size=20, max_size=30))
    def draw(some: list[tuple[str | None, ...]]) -> None:
        rows.extend(some)

    draw()
    return rows


def shown(kind: str, value: str | None, found: str) -> bool:
    """Whether it shows the value."""
    if value is None:
        return not found
    if kind in {"integer", "decimal"}:
        return Decimal(value) == Decimal(found)
    if kind == "boolean":
        return value.upper() == found
    if kind == "timestamp" and found != value:
        return abs(datetime.fromisoformat(value) - datetime.fromisoformat(found)) < timedelta(milliseconds=1)
    return found == value


def test_each_cell_is_what_it_was(office: str, tmp_path: Path) -> None:
    """Numbers, days and times are such; no text becomes a formula, a number or a truth. A further sheet goes on."""
    rows, file = drawn(), tmp_path / "export.xlsx"
    Workbook(file, COLUMNS, Size(rows=len(rows) // 2 + 2)).write(copied(row) for row in rows)
    [first, second] = sheets(office, file)
    assert first[0] == second[0] == ["whole", "price", "ok", "day", "at (UTC)", "<\"'&>", "meta"]
    found = [*first[1:], *second[1:]]
    assert len(rows) == len(found) > 500
    wrong = [
        (kind, value, cell)
        for row, cells in zip(rows, found, strict=True)
        for (_, kind), value, cell in zip(COLUMNS, row, cells, strict=True)
        if not shown(kind, value, cell)
    ]
    assert [] == wrong
