"""Workbooks from a real Postgres's COPY, made by a real child process within its limits."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import psycopg
import pytest

from processors.exports.xlsx.workbook import ROWS
from processors.sandbox.client import Sandbox, Task
from processors.sandbox.limits import MEBIBYTE, Limits
from queue_lib.errors import PermanentError
from tests.support.workbooks import read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LIMITS = Limits(cpu=60, wall=120.0, file=64 * MEBIBYTE)
SELECT = """SELECT * FROM (VALUES
    (1::bigint, E'two\\nlines\\tand a \\\\'::text, 12.50::numeric, 0.1::float8, true, '2026-11-30'::date,
     '2026-11-30 12:00:00.25'::timestamp, '2026-11-30 12:00:00+05:30'::timestamptz, '{"a": ["<&>"]}'::jsonb),
    (9223372036854775807, '', 12345678901234567890.5, 'NaN', false, 'infinity', '1812-06-24', NULL, NULL)) AS export"""
COLUMNS = [
    ("id", "integer"),
    ("text", "text"),
    ("price", "decimal"),
    ("ratio", "number"),
    ("paid", "boolean"),
    ("day", "date"),
    ("at", "timestamp"),
    ("since", "timestamptz"),
    ("more", "json"),
]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox with 128 MiB, the least that MEDIA_MEMORY may be."""
    sandbox = Sandbox(memory=128 * MEBIBYTE)
    yield sandbox
    await sandbox.close()


def copy(url: str, file: Path) -> None:
    """Write the rows of SELECT as Postgres does."""
    with psycopg.connect(url) as connection, file.open("wb") as rows:
        connection.execute("SET TIME ZONE 'Asia/Kathmandu'")
        with connection.cursor().copy(f"COPY ({SELECT}) TO STDOUT".encode()) as pieces:
            for piece in pieces:
                rows.write(piece)


async def test_rows_of_postgres_become_a_workbook(sandbox: Sandbox, postgres_url: str, tmp_path: Path) -> None:
    """Each type comes as COPY writes it, in any time zone."""
    copy(postgres_url, tmp_path / "rows")

    report = await sandbox.run(Task("workbook", tmp_path, {"columns": COLUMNS}, LIMITS))

    [[_, *rows]] = read(tmp_path / "export.xlsx")
    noon, since = datetime.fromisoformat("2026-11-30 12:00:00.25"), datetime.fromisoformat("2026-11-30 06:30")
    assert [
        [
            *(Decimal(1), "two\nlines\tand a \\", Decimal("12.5"), Decimal("0.1"), True, date(2026, 11, 30)),
            *(noon, since, '{"a": ["<&>"]}'),
        ],
        ["9223372036854775807", "", "12345678901234567890.5", "NaN", False, "infinity", "1812-06-24 00:00:00"],
    ] == rows
    assert {"rows": 2, "sheets": 1, "cutCells": 0, "bytes": (tmp_path / "export.xlsx").stat().st_size} == report


LINE = b"some text\n"


@pytest.mark.parametrize(
    ("rows", "limits", "reason"),
    [
        pytest.param(
            LINE * 3_000_000, Limits(1, 120.0, LIMITS.file), "it takes more than 1 s of processor time", id="time"
        ),
        pytest.param(
            b"".join(b"%d\n" % (n**9) for n in range(200_000)),
            Limits(60, 120.0, MEBIBYTE),
            "a result is larger than 1 MiB",
            id="file",
        ),
        pytest.param(
            LINE * 2 + b"x" * 120 * MEBIBYTE + b"\n",
            Limits(60, 120.0, 256 * MEBIBYTE),
            "row 3 is too large for a workbook: take csv or jsonl",
            id="memory",
        ),
    ],
)
async def test_a_limit_ends_the_job_with_its_reason(
    sandbox: Sandbox, tmp_path: Path, rows: bytes, limits: Limits, reason: str
) -> None:
    """No attempt can help. The next workbook is made all the same."""
    columns = {"columns": [("text", "text")]}
    (tmp_path / "rows").write_bytes(rows)
    with pytest.raises(PermanentError) as raised:
        await sandbox.run(Task("workbook", tmp_path, columns, limits))
    assert reason == str(raised.value)

    (tmp_path / "rows").write_bytes(LINE)
    report = await sandbox.run(Task("workbook", tmp_path, columns, LIMITS))
    assert 1 == report["rows"]


@pytest.mark.matrix
async def test_more_rows_than_a_sheet_has_go_on_in_the_next(sandbox: Sandbox, tmp_path: Path) -> None:
    """The second sheet begins with the header, and with the row after the last one."""
    with (tmp_path / "rows").open("w") as rows:
        rows.writelines(f"{number}\n" for number in range(ROWS + 1))
    percents: list[float] = []

    async def hear(percent: float) -> None:
        percents.append(percent)

    limits = Limits(cpu=600, wall=1200.0, file=256 * MEBIBYTE)
    report = await sandbox.run(Task("workbook", tmp_path, {"columns": [("n", "integer")]}, limits), hear)

    assert (ROWS + 1, 2) == (report["rows"], report["sheets"])
    assert len(percents) > 20
    first, second = read(tmp_path / "export.xlsx")
    assert (ROWS, [["n"], [ROWS - 1], [ROWS]]) == (len(first), second)
    assert all(row == [number] for number, row in enumerate(first[1:]))
