"""Runs per second of many job schedulers of one second each: ours against a stock Node worker. Needs npm.

    python -m benchmarks.schedulers [schedulers] [seconds] [rounds]

Both run five no-op jobs at once and have the same retention. The benchmark counts the jobs that are added: one a second
for each scheduler, if the worker keeps up.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any

import psutil
from bullmq import Queue as BullQueue
from redis import Redis

from benchmarks.harness import PREFIX, QUEUE, Counter, launcher, median
from tests.support.node import FOLDER, KITS, SCRIPTS
from tests.support.redis_server import RedisServer

SETTLED = 5.0  # seconds from a worker's start to the first count


async def _schedule(url: str, schedulers: int) -> None:
    queue = BullQueue(QUEUE.name, {"connection": url})
    for number in range(schedulers):
        await queue.upsertJobScheduler(f"tick-{number}", {"every": 1000}, "noop", {"userId": "u"})
    await queue.close()


async def _ours(url: str) -> None:
    await launcher(url, "bullmq", Counter(sys.maxsize)).start()
    await asyncio.Event().wait()


def _command(who: str, url: str) -> list[str]:
    if who == "ours":
        return [sys.executable, "-m", __spec__.name, "--contestant", url]
    options = {"concurrency": QUEUE.concurrency, "removeOnComplete": {"age": 3600, "count": 1000}}
    return ["node", str(SCRIPTS / "worker.mjs"), url, PREFIX, QUEUE.name, json.dumps(options)]


def _measure(who: str, server: RedisServer, schedulers: int, seconds: float) -> tuple[float, float]:
    """Runs a second, and milliseconds of the worker's processor time for each run."""
    server.flush()
    asyncio.run(_schedule(server.url, schedulers))
    env = {**os.environ, FOLDER: str(KITS["bullmq6"])}  # noqa: TID251 -- the child's
    command, pipe = _command(who, server.url), subprocess.PIPE
    with (
        Redis.from_url(server.url) as connection,
        subprocess.Popen(command, env=env, stdin=pipe, stdout=subprocess.DEVNULL) as worker,
    ):
        time.sleep(SETTLED)
        process = psutil.Process(worker.pid)
        before, began = _now(connection, process), time.perf_counter()
        time.sleep(seconds)
        after, ended = _now(connection, process), time.perf_counter()
        worker.kill()
    runs = after[0] - before[0]
    return runs / (ended - began), 1000 * (after[1] - before[1]) / runs


def _now(connection: Redis, process: psutil.Process) -> tuple[int, float]:
    """The number of added jobs, and the worker's processor time in seconds."""
    times = process.cpu_times()
    added: Any = connection.get(f"{PREFIX}:{QUEUE.name}:id")
    return int(added or 0), times.user + times.system


def main() -> None:
    """Run both in turn and print the ratios."""
    given = sys.argv[1:]
    schedulers, seconds, rounds = (int(argument) for argument in given + ["1000", "10", "3"][len(given) :])
    figures: dict[str, list[tuple[float, float]]] = {"ours": [], "node": []}
    with RedisServer() as server:
        for _ in range(rounds):
            for who, measured in figures.items():
                measured.append(_measure(who, server, schedulers, seconds))
    rates = {who: median([rate for rate, _ in measured]) for who, measured in figures.items()}
    costs = {who: median([cost for _, cost in measured]) for who, measured in figures.items()}
    for who, measured in figures.items():
        runs = ", ".join(f"{rate:.0f}" for rate, _ in measured)
        print(f"{who:6} {rates[who]:7.0f} runs/s (runs: {runs}), {costs[who]:.2f} ms of the worker's processor a run")
    print(
        f"{rates['ours'] / rates['node']:.2f} x the Node worker's runs, {costs['ours'] / costs['node']:.2f} x its time"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        asyncio.run(_ours(sys.argv[2]))
    else:
        main()
