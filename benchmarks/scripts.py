"""What each script costs, in seconds and memory, with 10,000 and with 300,000 failed jobs.

    python -m benchmarks.scripts [jobs] [jobs]

Each wire has half of the jobs, each with its dead letter: the real broker makes one of each, which is then copied. Time
and memory (its peak) are those of the whole process; the first row is a script that asks for almost nothing. The last
column is the longest PING of another client meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

from redis import Redis

from benchmarks.admin import FAILURE, PLACES, PUSH, QUEUE, fill
from processors.features import FEATURES
from queue_lib import wiring
from queue_lib.broker.bullmq.dead_letters import BullMQDeadLetters
from queue_lib.broker.connection import client, options
from queue_lib.broker.dead_letters import DeadLetter, dead_letter_id
from queue_lib.job import State, Wire
from queue_lib.settings import WorkerSettings
from tests.support.fakes import make_job
from tests.support.redis_server import RedisServer

KIBIBYTES = 1024  # of a MiB
SCRIPTS = (
    ("queue_stats",),
    ("dead_letters", "list"),
    ("dead_letters", "list", "--json"),
    ("dead_letters", "export"),
    ("dead_letters", "drop", "--all", "--text", "none has it", "--yes"),
    ("retry_failed", "--dry-run"),
    ("clean", "failed", "--older", "0s", "--dry-run"),
    ("retry_failed", "--limit", "1000", "--yes"),
    ("dead_letters", "drop", "--all", "--yes"),
    ("clean", "failed", "--older", "0s", "--yes"),
)


async def _fill(url: str, server: Redis, jobs: int) -> None:
    """Make so many failed jobs, each with a dead letter."""
    parts = options(url)
    shared = client(parts, decode=True, name="bench")
    async with wiring.admin(WorkerSettings(redis_url=url), FEATURES, by="bench") as admin:
        for wire in Wire:
            await fill(admin, server, wire, State.FAILED, jobs // 2)
    letters = BullMQDeadLetters(shared, "bull")
    for wire in Wire:
        ids = [each.decode() for each in cast("list[bytes]", server.zrange(PLACES[wire][State.FAILED], 0, -1))]
        job = make_job(id=ids[0], name="push-notification", queue=QUEUE.name, wire=wire, data=PUSH)
        await letters.add(DeadLetter(job=job, failure=FAILURE, failed_at=time.time()))
        _copy(server, wire, ids)
    await letters.close()


def _copy(server: Redis, wire: Wire, ids: list[str]) -> None:
    """Copy the first job's dead letter for all others."""
    first = dead_letter_id(wire, QUEUE.name, ids[0])
    data = cast("bytes", server.hget(f"bull:dead:{first}", "data")).decode()
    for start in range(1, len(ids), 1000):
        with server.pipeline(transaction=False) as pipe:
            for job_id in ids[start : start + 1000]:
                copy = dead_letter_id(wire, QUEUE.name, job_id)
                pipe.copy(f"bull:dead:{first}", f"bull:dead:{copy}")
                pipe.hset(f"bull:dead:{copy}", "data", data.replace(f'"{ids[0]}"', f'"{job_id}"'))
                pipe.lpush("bull:dead:wait", copy)
            pipe.execute()


def _watch(url: str, child: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wait for the child. Returns its peak memory in MiB, and the longest PING of another client in milliseconds."""
    most = longest = 0.0
    with Redis.from_url(url) as server:
        while child.poll() is None:
            since = time.perf_counter()
            server.ping()
            longest = max(longest, (time.perf_counter() - since) * 1000)
            most = max(most, _high_water(child.pid))
            time.sleep(0.01)
    return most, longest


def _high_water(pid: int) -> float:
    """The peak memory of a process in MiB; 0 if it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / KIBIBYTES for line in lines if line.startswith("VmHWM")), 0.0)


def _run(url: str, script: tuple[str, ...]) -> None:
    """Run one script, and print its row of the table."""
    name, *words = script
    environment = os.environ | {"REDIS_URL": url, "LOG_LEVEL": "error"}  # noqa: TID251 -- a child's
    command, since = [sys.executable, "-m", f"scripts.{name}", *words], time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        most, longest = _watch(url, child)
    spent = time.perf_counter() - since
    print(f"| `{' '.join(script)}` | {spent:.1f} | {most:.0f} | {longest:.0f} | {child.returncode} |", flush=True)


def main() -> None:
    """Make the jobs, and run the scripts one after the other."""
    for jobs in map(int, sys.argv[1:] or ("10000", "300000")):
        print(f"\n{jobs:,} dead jobs\n")
        print("| script | s | MiB | longest PING, ms | status |\n|---|---|---|---|---|")
        with RedisServer() as valkey, Redis.from_url(valkey.url) as server:
            asyncio.run(_fill(valkey.url, server, jobs))
            for script in SCRIPTS:
                _run(valkey.url, script)


if __name__ == "__main__":
    main()
