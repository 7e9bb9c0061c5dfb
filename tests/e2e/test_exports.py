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

import boto3
import psycopg
import pytest

from tests.support.polling import until
from tests.support.s3 import CREDENTIALS
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import Bucket
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


@pytest.mark.parametrize("wire", ["bullmq", pytest.param("rq", marks=pytest.mark.matrix)])
async def test_a_worker_killed_in_the_middle_leaves_a_whole_file_or_none(
    mess: Mess, postgres_url: str, s3_bucket: Bucket, wire: str
) -> None:
    """The next worker removes what was left on the disk, and the file is as if nothing had happened."""
    view_of_pace(postgres_url, 0.003)
    temporary = mess.folder / "tmp"
    temporary.mkdir()
    env = {
        "DATABASE_URL": postgres_url,
        "STORAGE_URL": f"s3://{s3_bucket.name}",
        "S3_ENDPOINT_URL": s3_bucket.endpoint_url,
        "TMPDIR": str(temporary),
        "LEASE_DURATION": "2",
        **CREDENTIALS,
    }
    wanted = {"exportType": "csv", "bom": False}
    job_id = (
        await mess.bullmq("data-export", wanted, queue=QUEUE)
        if wire == "bullmq"
        else mess.rq("data-export", wanted, queue=QUEUE)
    )[0]
    async with started(mess, **env) as dying:
        await until(lambda: 40 <= percent(mess, wire, job_id) < 90)
        await dying.kill()
    assert keys(s3_bucket) == []
    assert sum(path.stat().st_size for path in temporary.rglob("export")) > 0

    view_of_pace(postgres_url, 0)
    async with started(mess, **env) as worker:
        [done] = await worker.logged("job_done", queue=QUEUE, id=job_id)
        assert list(temporary.rglob("export")) == []
        assert len(list(temporary.glob("pushmill-worker-*"))) == 1
    data, disposition = only_object(s3_bucket)
    assert disposition == "attachment; filename=\"slow.csv\"; filename*=UTF-8''slow.csv"
    lines = data.split(b"\r\n")
    assert [line.partition(b",")[0] for line in lines] == [b"n", *(b"%d" % n for n in range(1, 1501)), b""]
    assert done["export_rows"] == {"files": {"csv": 1500}}


def view_of_pace(url: str, seconds: float) -> None:
    """A view of 1,500 rows and 6 MB, with so many seconds between two rows; the planner knows their number."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS pace (seconds float8)")
        connection.execute("DELETE FROM pace")
        connection.execute("INSERT INTO pace VALUES (%s)", [seconds])
        connection.execute(
            """CREATE OR REPLACE VIEW export_slow AS SELECT n, repeat('x', 4000) AS x,
            (SELECT pg_sleep(seconds) FROM pace WHERE n > 0) IS NULL AS slept FROM generate_series(1, 1500) AS n"""
        )


def percent(mess: Mess, wire: str, job_id: str) -> float:
    """The job's progress."""
    if wire == "bullmq":
        return float(json.loads(mess.redis.hget(f"bull:{QUEUE}:{job_id}", "progress") or "0"))
    job = mess.lane(QUEUE).fetch_job(job_id)
    return float((job.meta if job else {}).get("progress", 0))


def keys(bucket: Bucket) -> list[str]:
    """What the bucket has."""
    with closing(boto3.client("s3", endpoint_url=bucket.endpoint_url)) as client:
        return [each["Key"] for each in client.list_objects_v2(Bucket=bucket.name).get("Contents", [])]


def only_object(bucket: Bucket) -> tuple[bytes, str]:
    """The bucket's only object, and its Content-Disposition."""
    [key] = keys(bucket)
    with closing(boto3.client("s3", endpoint_url=bucket.endpoint_url)) as client:
        found = client.get_object(Bucket=bucket.name, Key=key)
        return found["Body"].read(), found["ContentDisposition"]


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
