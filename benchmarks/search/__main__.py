"""`python -m benchmarks.search [rounds]`: documents a second from job to engine, ours and a Node worker in turn.

Both take `index_doc` jobs as stock bullmq adds them, read each row from Postgres, and send it to an engine that takes
everything. Both have a concurrency of 5, no rate limit, and one process. Needs npm.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import redis
from bullmq import Queue

from benchmarks.harness import in_turn, median
from embedded.redis_server import RedisServer
from tests.support.postgres import running_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ROWS = 5000
NPM = shutil.which("npm") or sys.exit("npm is not on PATH")
TABLE = (
    'CREATE TABLE "Post" ("id" INTEGER PRIMARY KEY, "title" TEXT, "body" TEXT, "at" TIMESTAMP(3), "version" BIGINT)',
    f"""INSERT INTO "Post" SELECT n, 'title ' || n, repeat('some words ', 50), now(), n
    FROM generate_series(1, {ROWS}) n""",  # noqa: S608 -- a number
    'CREATE VIEW "search_Post" AS SELECT * FROM "Post"',
)


@contextmanager
def engine() -> Iterator[str]:
    """The engine; yields its URL."""
    command = ["node", str(HERE / "engine.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()


def taken(url: str) -> int:
    """How many documents it has."""
    with urllib.request.urlopen(f"{url}/taken") as answer:  # noqa: S310 -- this machine's
        return int(json.load(answer)["taken"])


async def add(url: str) -> None:
    """One job for each row."""
    queue = Queue("search", {"connection": url})
    for start in range(1, ROWS + 1, 500):
        jobs = [
            {"name": "index_doc", "data": {"entity": "Post", "id": n}, "opts": {"attempts": 5}}
            for n in range(start, start + 500)
        ]
        await queue.addBulk(jobs)
    await queue.close()


def ours(redis_url: str, database: str, url: str) -> subprocess.Popen[str]:
    """Our worker."""
    own = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": database,
        "SEARCH_URL": url,
        "QUEUES": "search",
        "WIRES": "bullmq",
        "SEARCH_RATE_MAX": "0",
        "LOG_FORMAT": "json",
        "PYTHONPATH": str(ROOT),
        "PATH": os.environ["PATH"],  # noqa: TID251 -- for the child
    }
    command = [sys.executable, str(ROOT / "worker.py")]
    return subprocess.Popen(command, env=own, cwd=tempfile.gettempdir(), stdout=subprocess.PIPE, text=True)


def peers(redis_url: str, database: str, url: str) -> subprocess.Popen[str]:
    """The Node worker."""
    command = ["node", str(HERE / "peer.mjs"), redis_url, database, url]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def spent(pid: int) -> float:
    """Seconds of processor time of a process and its children."""
    process = psutil.Process(pid)
    return sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))


def run(who: str, redis_url: str, database: str, node_database: str, costs: dict[str, list[float]]) -> float:
    """Documents a second, from the first to the last that the engine has. Notes the processor time of one in us."""
    redis.Redis.from_url(redis_url).flushall()
    asyncio.run(add(redis_url))
    with engine() as url:
        process = ours(redis_url, database, url) if who == "ours" else peers(redis_url, node_database, url)
        sink = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)  # noqa: S607
        while (first := taken(url)) == 0:
            time.sleep(0.01)
        began, cpu = time.perf_counter(), spent(process.pid)
        while (last := taken(url)) < ROWS:
            time.sleep(0.05)
        rate = (last - first) / (time.perf_counter() - began)
        costs.setdefault(who, []).append((spent(process.pid) - cpu) / (last - first) * 1e6)
        process.kill()
        process.wait()
        sink.wait()
    return rate


def main(rounds: int = 3) -> None:
    """Print the table of README.md."""
    costs: dict[str, list[float]] = {}
    subprocess.run([NPM, "ci", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    with running_postgres() as server, RedisServer() as redis_server:
        server.run("postgres", *TABLE)
        node = f"postgres://postgres@localhost/postgres?host={server.directory}"
        one = partial(run, redis_url=redis_server.url, database=server.url("postgres"), node_database=node, costs=costs)
        runs = in_turn({who: partial(one, who) for who in ("ours", "peer")}, rounds)
    ratios = [mine / theirs for mine, theirs in zip(runs["ours"], runs["peer"], strict=True)]
    listed = ", ".join(f"{each:.2f}" for each in ratios)
    print("| | documents/s | us of processor time a document | ratio |\n|---|---|---|---|")
    print(f"| ours | {median(runs['ours']):,.0f} | {median(costs['ours']):,.0f} | {median(ratios):.2f} x ({listed}) |")
    print(f"| bullmq and pg | {median(runs['peer']):,.0f} | {median(costs['peer']):,.0f} | |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
