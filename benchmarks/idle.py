"""What an idle worker costs: Redis commands a minute, connections, resident memory.

    python -m benchmarks.idle [seconds]

It measures the real `worker.py` on both wires with both queues. The peers are two of bullmq's own Workers, one for each
queue, and RQ's SimpleWorker with its scheduler on two queues. MONITOR counts the commands: those that clients send, and
those that scripts run inside the server.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from redis import Redis

from tests.support.push_service import make_vapid_keys
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable

SETTLE = 5.0  # seconds without a new connection before counting starts
QUEUES = ("push-notifications", "file-processing")
STOCK_BULLMQ = """
import asyncio, sys
from bullmq import Worker
async def main():
    async def process(job, token): pass
    workers = [Worker(name, process, {"connection": sys.argv[1] + "?socket_timeout=30"}) for name in sys.argv[2:]]
    await asyncio.sleep(3600)
asyncio.run(main())
"""
STOCK_RQ = """
import sys
from redis import Redis
from rq import Queue, SimpleWorker
connection = Redis.from_url(sys.argv[1])
queues = [Queue(name, connection=connection) for name in sys.argv[2:]]
SimpleWorker(queues, connection=connection).work(with_scheduler=True)
"""


def ours(url: str, folder: Path) -> subprocess.Popen[bytes]:
    """The real worker."""
    private, public = make_vapid_keys()
    database, store = folder / "app.db", folder / "store"
    store.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            'CREATE TABLE "PushSubscription" (id TEXT, "userId" TEXT, endpoint TEXT, p256dh TEXT, auth TEXT);'
            'CREATE TABLE "File" (id TEXT, "compressedUrl" TEXT, "thumbnailUrl" TEXT, processed BOOLEAN);'
        )
    variables = {
        "REDIS_URL": url,
        "DATABASE_URL": f"sqlite:///{database}",
        "STORAGE_URL": f"file://{store}",
        "VAPID_PRIVATE_KEY": private,
        "VAPID_PUBLIC_KEY": public,
        "VAPID_SUBJECT": "mailto:ops@example.com",
    }
    command = [sys.executable, "worker.py"]
    return subprocess.Popen(command, env=os.environ | variables, stdout=subprocess.DEVNULL)  # noqa: TID251 -- passed on


def stock(code: str) -> Callable[[str, Path], subprocess.Popen[bytes]]:
    """A stock worker in a process of its own."""

    def start(url: str, _: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", code, url, *QUEUES]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return start


def measure(start: Callable[[str, Path], subprocess.Popen[bytes]], seconds: float) -> str:
    """Run a worker without jobs, and print what it costs."""
    with RedisServer() as server, tempfile.TemporaryDirectory() as folder:
        process = start(server.url, Path(folder))
        connections = settled_connections(server.url)
        counts = commands(server.url, seconds)
        root = psutil.Process(process.pid)
        memory = sum(each.memory_info().rss for each in (root, *root.children(recursive=True)))
        process.kill()
        process.wait()
    sent, in_scripts = counts["client"] * 60 / seconds, counts["script"] * 60 / seconds
    return (
        f"{sent:5.0f} commands/min ({sent / 60 / len(QUEUES):.2f}/s a queue) + {in_scripts:5.0f} in scripts   "
        f"{connections:2} connections   {memory / 2**20:4.0f} MiB"
    )


def settled_connections(url: str) -> int:
    """Wait until the worker has made no new connection for SETTLE seconds. Returns how many it has."""
    with Redis.from_url(url) as client:
        seen, since = 0, time.monotonic()
        while not seen or time.monotonic() - since < SETTLE:
            time.sleep(0.5)
            now = len(client.client_list()) - 1
            if now != seen:
                seen, since = now, time.monotonic()
    return seen


def commands(url: str, seconds: float) -> Counter[str]:
    """Count the server's commands for `seconds`, and until the next command after that."""
    counts: Counter[str] = Counter()
    with Redis.from_url(url, socket_timeout=None) as client, client.monitor() as monitor:
        end = time.monotonic() + seconds
        for command in monitor.listen():
            if time.monotonic() >= end:
                return counts
            counts["script" if command["client_type"] == "lua" else "client"] += 1
    return counts


def main() -> None:
    """Measure all workers, one after the other."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    for name, start in (("pushmill", ours), ("bullmq x2", stock(STOCK_BULLMQ)), ("rq+scheduler", stock(STOCK_RQ))):
        print(f"{name:12} {measure(start, seconds)}", flush=True)


if __name__ == "__main__":
    main()
