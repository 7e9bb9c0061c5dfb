"""Workbooks from a real Postgres's COPY, made by a real child process within its limits."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from processors.exports.dependencies import ExportDependencies
from processors.exports.formats import write_file
from processors.exports.payload import ExportPayload
from processors.exports.xlsx.workbook import ROWS
from processors.sandbox.client import Sandbox, Task
from processors.sandbox.limits import MEBIBYTE, Limits
from queue_lib.errors import PermanentError
from storage.database import Database
from storage.export_postgres import PostgresExports
from storage.objects.local import LocalStore
from storage.objects.location import LocalLocation
from storage.ports import ExportRequest
from tests.support.polling import until
from tests.support.workbooks import read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from processors.sandbox.client import OnProgress

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


class Watched(Sandbox):
    """A sandbox whose task begins when no export's view is read: a backend sees the end of its line a bit later."""

    def __init__(self, url: str) -> None:
        super().__init__(memory=128 * MEBIBYTE)
        self._url = url
        self.runs = 0

    async def run(self, task: Task, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """Wait until nothing reads, then run the task."""
        await until(self._is_unread)
        self.runs += 1
        return await super().run(task, on_progress)

    def _is_unread(self) -> bool:
        with psycopg.connect(self._url, autocommit=True) as connection:
            found = connection.execute(
                """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND pid <> pg_backend_pid() AND query LIKE '%export_x%'"""
            ).fetchone()
        return found == (0,)


async def test_no_transaction_is_open_while_the_workbook_is_made(postgres_url: str, tmp_path: Path) -> None:
    """It would keep Postgres from cleaning up for as long as that takes."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE VIEW export_x AS SELECT n AS id FROM generate_series(1, 3) AS n")
    database, sandbox = await Database.open(postgres_url, {}), Watched(postgres_url)
    store = LocalStore(LocalLocation(tmp_path))
    dependencies = ExportDependencies(PostgresExports(database), store, sandbox, None, 64 * MEBIBYTE, 60)
    payload = ExportPayload.model_validate({"exportType": "xlsx"})
    percents: list[float] = []

    async def hear(percent: float) -> None:
        percents.append(percent)

    request = ExportRequest(None, None, None, {}, 60.0)
    name, written = await write_file(dependencies, payload, request, tmp_path / "export", hear)
    await sandbox.close()
    await database.close()

    assert ("x", 3, 1) == (name, written.rows, sandbox.runs)
    assert [["id"], [1], [2], [3]] == read(tmp_path / "export")[0]
    assert percents == sorted(percents)


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
