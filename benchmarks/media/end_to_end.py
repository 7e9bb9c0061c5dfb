"""`python -m benchmarks.media.end_to_end`: image jobs from enqueue to the row, over S3, beside a Node worker.

Redis, Postgres and S3 (moto, a Python process that takes part of the time) are on the same machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
import psycopg
from botocore.config import Config
from bullmq import Queue
from redis import Redis

from benchmarks.harness import in_turn, median
from benchmarks.media import images
from embedded.push_service import SUBJECT, make_vapid_keys
from embedded.redis_server import RedisServer
from queue_lib.observe import memory
from tests.support.postgres import PostgresServer, running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
JOBS, ROUNDS = 100, 5
BUCKET, QUEUE, DATABASE = "bench", "file-processing", "app"
MEGABYTE = 1024 * 1024
NPM = shutil.which("npm") or sys.exit("npm is not on PATH")
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
TABLES = (
    """CREATE TABLE "PushSubscription" ("id" TEXT, "userId" TEXT, "endpoint" TEXT, "p256dh" TEXT, "auth" TEXT)""",
    """CREATE TABLE "File" ("id" TEXT PRIMARY KEY, "compressedUrl" TEXT, "thumbnailUrl" TEXT, "processed" BOOLEAN)""",
)


@dataclass(frozen=True)
class Stage:
    """The servers of both workers."""

    redis_url: str
    postgres: PostgresServer
    s3_url: str
    folder: Path

    def env(self) -> dict[str, str]:
        """The environment of a worker."""
        public, private = make_vapid_keys()[::-1]
        return CREDENTIALS | {
            "PATH": os.defpath,
            "REDIS_URL": self.redis_url,
            "DATABASE_URL": self.postgres.url(DATABASE),
            "S3_ENDPOINT_URL": self.s3_url,
            "STORAGE_URL": f"s3://{BUCKET}",
            "BUCKET": BUCKET,
            "VAPID_PUBLIC_KEY": public,
            "VAPID_PRIVATE_KEY": private,
            "VAPID_SUBJECT": SUBJECT,
            "WIRES": "bullmq",
            "FILE_PROCESSING_RATE_MAX": "0",
            "LOG_FORMAT": "json",
        }

    def measure(self, command: Sequence[str], peaks: list[int], processor: list[float]) -> float:
        """Jobs a second of one worker, from enqueue to the last row.

        Appends its peak memory (bytes) to `peaks`, and the processor time of a job (seconds) to `processor`.
        """
        with Redis.from_url(self.redis_url) as redis:
            redis.flushall()
        self.postgres.run(DATABASE, 'UPDATE "File" SET "processed" = false')
        with self._worker(command) as worker:
            since, peak, before = time.perf_counter(), 0, _processor_time(worker.pid)
            asyncio.run(self._enqueue())
            while self._processed() < JOBS:
                peak = max(peak, _memory(worker.pid))
                time.sleep(0.1)
            spent = time.perf_counter() - since
            processor.append((_processor_time(worker.pid) - before) / JOBS)
        peaks.append(peak)
        return JOBS / spent

    @contextlib.contextmanager
    def _worker(self, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
        log = self.folder / "worker.log"
        with log.open("wb") as output:
            worker = subprocess.Popen(
                command,
                env=self.env(),
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                while b"started" not in log.read_bytes():
                    if worker.poll() is not None:
                        sys.exit(log.read_text())
                    time.sleep(0.02)
                yield worker
            finally:
                worker.kill()
                worker.wait()

    async def _enqueue(self) -> None:
        queue = Queue(QUEUE, {"connection": self.redis_url})
        data = [{"fileId": f"f{number}", "filePath": f"uploads/{number}", "userId": "u"} for number in range(JOBS)]
        await queue.addBulk([{"name": "process-image", "data": each, "opts": {}} for each in data])
        await queue.close()

    def _processed(self) -> int:
        with psycopg.connect(self.postgres.url(DATABASE)) as connection:
            row = connection.execute('SELECT count(*) FROM "File" WHERE "processed"').fetchone()
        return int(row[0]) if row else 0


def _memory(pid: int) -> int:
    worker = psutil.Process(pid)
    return sum(map(memory.of, (worker, *worker.children(recursive=True))))


def _processor_time(pid: int) -> float:
    """Processor time in seconds of the process and all its descendants, ended ones included."""
    return sum(
        sum(each.cpu_times()[:4]) for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    )


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Moto's S3, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def fill(stage: Stage) -> None:
    """A row and an upload of twelve megapixels for each job."""
    stage.postgres.run("postgres", f'CREATE DATABASE "{DATABASE}"')
    rows = f"""INSERT INTO "File" SELECT 'f' || n, NULL, NULL, false FROM generate_series(0, {JOBS - 1}) n"""  # noqa: S608 -- ours
    stage.postgres.run(DATABASE, *TABLES, rows)
    _, photo = next(images.make(stage.folder))
    client = boto3.client(
        "s3",
        endpoint_url=stage.s3_url,
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 -- moto takes any
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 10}),
    )
    client.create_bucket(Bucket=BUCKET)
    for number in range(JOBS):
        client.put_object(Bucket=BUCKET, Key=f"uploads/{number}", Body=photo.read_bytes())
    client.close()


def main() -> None:
    """Print the table of README.md."""
    subprocess.run([NPM, "install", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    with (
        tempfile.TemporaryDirectory() as name,
        RedisServer() as redis,
        running_postgres() as postgres,
        s3_server() as s3,
    ):
        stage = Stage(redis.url, postgres, s3, Path(name))
        fill(stage)
        commands = {
            "ours": [sys.executable, str(PROJECT / "worker.py")],
            "sharp and the AWS SDK": [shutil.which("node") or "node", str(HERE / "worker.mjs")],
        }
        peaks: dict[str, list[int]] = {title: [] for title in commands}
        processor: dict[str, list[float]] = {title: [] for title in commands}
        runs: dict[str, Callable[[], float]] = {
            title: partial(stage.measure, command, peaks[title], processor[title])
            for title, command in commands.items()
        }
        for title, figures in in_turn(runs, ROUNDS).items():
            each = ", ".join(f"{figure:.1f}" for figure in figures)
            milliseconds = 1000 * median(processor[title])
            peak = max(peaks[title]) / MEGABYTE
            print(f"| {title} | {median(figures):.1f} | {each} | {milliseconds:.0f} ms | {peak:.0f} MiB |")


if __name__ == "__main__":
    main()
