"""Processor time a job, of one worker process and of the server.

    python -m benchmarks.scale.processor [jobs] [rounds]

The worker is started and warmed by some jobs, and stopped while the long queue is filled. So neither its start nor the
filling is counted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from redis import Redis

from benchmarks.harness import median
from benchmarks.scale.__main__ import BASE, COMMANDS, KIT
from embedded.redis_server import RedisServer

WARM = 500  # jobs
LOOK_EVERY = 0.2  # seconds
TICK = os.sysconf("SC_CLK_TCK")  # a second
Times = tuple[float, float, float]  # seconds: of the worker in its own code, in the kernel for it, of the server


def fill(url: str, jobs: int) -> None:
    """Add jobs as a Next.js app does."""
    subprocess.run(["node", KIT, "fill", url, str(jobs)], check=True)  # noqa: S607 -- the node of PATH


def wait_for(redis: Redis, jobs: int) -> None:
    """Wait until so many are completed."""
    while int(redis.hget(f"{BASE}:metrics:completed", "count") or 0) < jobs:
        time.sleep(LOOK_EVERY)


def times(worker: int, redis: Redis) -> Times:
    """What was used until now."""
    fields = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()
    server = redis.info("cpu")
    return int(fields[11]) / TICK, int(fields[12]) / TICK, server["used_cpu_user"] + server["used_cpu_sys"]


def run(who: str, jobs: int) -> Times:
    """One contestant, on a server of its own; microseconds a job."""
    with RedisServer() as server, Redis.from_url(server.url, decode_responses=True) as redis:
        fill(server.url, WARM)
        worker = subprocess.Popen([*COMMANDS[who], server.url], stdout=subprocess.DEVNULL)
        try:
            wait_for(redis, WARM)
            worker.send_signal(signal.SIGSTOP)
            fill(server.url, jobs)
            before = times(worker.pid, redis)
            worker.send_signal(signal.SIGCONT)
            wait_for(redis, WARM + jobs)
            after = times(worker.pid, redis)
        finally:
            worker.kill()
            worker.wait()
    user, kernel, of_server = ((late - early) / jobs * 1e6 for early, late in zip(before, after, strict=True))
    return user, kernel, of_server


def main() -> None:
    """Run both in turn, and print the medians."""
    jobs, rounds = (int(argument) for argument in (sys.argv[1:] + ["20000", "3"][len(sys.argv) - 1 :]))
    found: dict[str, list[Times]] = {who: [] for who in COMMANDS}
    for _ in range(rounds):
        for who, rows in found.items():
            rows.append(run(who, jobs))
    for who, rows in found.items():
        user, kernel, server = (median([row[part] for row in rows]) for part in range(3))
        totals = ", ".join(f"{row[0] + row[1]:.0f}" for row in rows)
        print(f"{who}: {user + kernel:.0f} us a job ({totals}), in the kernel {kernel:.0f}; server {server:.0f} us")


if __name__ == "__main__":
    main()
