"""Exports through the real worker: of both wires, and killed in the middle."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.wires import Mess

QUEUE, ROWS = "exports", 2000


async def test_jobs_of_both_wires_become_files_and_the_user_is_told(mess: Mess) -> None:
    """A job of either name and wire stores its file; `notify` adds a job in each other queue."""
    fill(mess)
    # As producers write it who know nothing of names and users.
    [plain] = await mess.bullmq(
        "DATA_EXPORT", {"exportType": "csv", "filters": {}, "columns": ["id", "title"]}, queue=QUEUE
    )
    full = {
        "exportType": "jsonl",
        "name": "Post",
        "userId": "u1",
        "filters": {"id": {"gte": 10, "lt": 12}},
        "gzip": True,
        "notify": ["email", "push", "in-app"],
        "email": "ada@example.com",
        "filename": "../Zoë\r\nX: y",
    }
    [told] = mess.rq("data-export", full, queue=QUEUE)
    async with started(mess) as worker:
        await worker.logged("job_done", 2, queue=QUEUE)

    result = json.loads(mess.redis.hget(f"bull:{QUEUE}:{plain}", "returnvalue") or "")
    data = stored(mess, result)
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert (data[:3], rows[0], len(rows), rows[-1]) == (
        b"\xef\xbb\xbf",
        ["id", "title"],
        ROWS + 1,
        ["1999", "title 1999"],
    )
    job = mess.lane(QUEUE).fetch_job(told)
    assert job is not None
    of_rq: dict[str, Any] = job.return_value() or {}
    lines = gzip.decompress(stored(mess, of_rq)).decode().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [10, 11]
    assert of_rq["key"].startswith(f"exports/u1/{told}-")
    assert of_rq["key"].endswith(".jsonl.gz")
    waiting = {name: mess.lane(name).job_ids for name in ("email", "push-notifications", "notifications")}
    assert {name: len(ids) for name, ids in waiting.items()} == dict.fromkeys(waiting, 1)


def stored(mess: Mess, result: dict[str, Any]) -> bytes:
    """The file, which is as its result says."""
    data: bytes = (objects(mess) / result["key"]).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (result["bytes"], result["sha256"])
    assert result["url"] == (objects(mess) / result["key"]).as_uri()
    return data


def objects(mess: Mess) -> Path:
    """The object store."""
    return mess.folder / "objects"


def fill(mess: Mess) -> None:
    """A table with rows, its view, and an object store."""
    objects(mess).mkdir()
    with closing(sqlite3.connect(mess.folder / "app.db", isolation_level=None)) as connection:
        connection.execute('CREATE TABLE "Post" ("id" INTEGER PRIMARY KEY, "title" TEXT)')
        connection.execute('CREATE VIEW "export_Post" AS SELECT * FROM "Post"')
        values = ((number, f"title {number}") for number in range(ROWS))
        connection.executemany('INSERT INTO "Post" VALUES (?, ?)', values)


def started(mess: Mess, **env: str) -> WorkerProcess:
    """A worker of exports alone."""
    own = {
        "REDIS_URL": mess.url,
        "DATABASE_URL": f"sqlite:///{mess.folder}/app.db",
        "STORAGE_URL": objects(mess).as_uri(),
        "QUEUES": QUEUE,
        "LEASE_DURATION": "5",
    }
    return WorkerProcess({**own, **env}, mess.folder)
