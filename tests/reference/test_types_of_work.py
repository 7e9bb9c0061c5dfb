"""Further job types of a queue manager, with the payloads that they have there.

What such a job may read is decided by the app's migrations and the worker's operator, not by the job.
"""

from __future__ import annotations

import csv
import json
import os
import re
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reference.conftest import Team

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {
    "QUEUES": "exports,maintenance",
    "CACHE_PREFIX": "cache:",
    "CLEANUP_PREFIXES": "tmp",
    "CLEANUP_LOGS": "AuditLog.createdAt",
    "CLEANUP_SESSIONS": "Session.expires",
}
APP = {
    "queue.manager.ts": """
import { Queue } from "bullmq";
import { connection } from "@/lib/connection";

const QUEUES = {
  DATA_EXPORT: new Queue("exports", { connection }),
  CACHE_WARM: new Queue("maintenance", { connection }),
  CLEANUP: new Queue("maintenance", { connection }),
};

export const addJob = (type: keyof typeof QUEUES, data: object) => QUEUES[type].add(type, data);
"""
}


DAY = 24 * 60 * 60 * 1000  # milliseconds


async def done(team: Team, kind: str, **data: Any) -> dict[str, Any]:
    """The result of a job of this type."""
    code = """
import { addJob } from "@/queue.manager";
import { finished } from "@/lib/finished";

export default await finished(await addJob(given.kind, given.data));
"""
    return dict(await team.node(code, kind=kind, data=data))


@pytest.mark.parametrize("export_type", ["csv", "json", "xlsx"])
async def test_an_export(team: Team, export_type: str) -> None:
    """`DATA_EXPORT` with `filters` and `columns`. The rows are those of the view that the migrations call an export."""
    data = {"exportType": export_type, "filters": {"product": "Tea"}, "columns": ["id", "product"]}
    result = await done(team, "DATA_EXPORT", **data)
    file = team.app.folder / "store" / result["key"]

    assert 2 == result["rows"]
    assert [["id", "product"], ["o1", "Tea"], ["o3", "Tea"]] == READERS[export_type](file)


def of_csv(file: Path) -> list[list[str]]:
    """The rows of a file."""
    return list(csv.reader(file.read_text("utf-8-sig").splitlines()))


def of_json(file: Path) -> list[list[str]]:
    """The names of the columns, and the rows."""
    rows = json.loads(file.read_text())
    return [[*rows[0]], *([*row.values()] for row in rows)]


def of_xlsx(file: Path) -> list[list[str]]:
    """The rows of the first sheet, whose texts stand in the cells."""
    with zipfile.ZipFile(file) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    return [re.findall(r"<t[^>]*>([^<]*)</t>", row) for row in re.findall(r"<row.*?</row>", sheet, re.DOTALL)]


READERS = {"csv": of_csv, "json": of_json, "xlsx": of_xlsx}


async def test_a_cache_is_warmed(team: Team) -> None:
    """`CACHE_WARM`: `dataSource` names a view, and `ttl` is in seconds.

    The key begins with `CACHE_PREFIX`: no job overwrites another key of that Redis.
    """
    result = await done(team, "CACHE_WARM", cacheKey="cache:orders", dataSource="view:orders", ttl=600)

    assert "cache:orders" == result["cacheKey"]
    assert 3 == len(json.loads(str(team.redis.get("cache:orders"))))
    assert 0 < team.redis.ttl("cache:orders") <= 660


async def test_old_files_are_deleted(team: Team) -> None:
    """`CLEANUP` of `temp_files`, older than so many milliseconds, whose names fit: below a prefix that is allowed."""
    folder = team.app.folder / "store" / "tmp"
    folder.mkdir()
    for name, age in (("old.csv", 2 * DAY), ("new.csv", 0), ("old.txt", 2 * DAY)):
        (folder / name).write_text(name)
        moment = time.time() - age / 1000
        os.utime(folder / name, (moment, moment))
    result = await done(team, "CLEANUP", targetType="temp_files", olderThan=DAY, path="tmp", pattern="*.csv")

    assert 1 == result["deleted"]
    assert ["new.csv", "old.txt"] == sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("target", "table", "column"), [("old_logs", "AuditLog", "createdAt"), ("expired_sessions", "Session", "expires")]
)
async def test_old_rows_are_deleted(team: Team, target: str, table: str, column: str) -> None:
    """`CLEANUP` of `old_logs` and of `expired_sessions`: of the table and the column that the operator names."""
    for row_id, age in (("old", 30), ("new", 0)):
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - age * DAY / 1000))
        team.app.sql(f'INSERT INTO "{table}" ("id", "{column}") VALUES (?, ?)', row_id, moment)  # noqa: S608 -- its own
    result = await done(team, "CLEANUP", targetType=target, olderThan=7 * DAY)

    assert 1 == result["deleted"]
    assert [("new",)] == team.app.sql(f'SELECT "id" FROM "{table}"')  # noqa: S608 -- its own
