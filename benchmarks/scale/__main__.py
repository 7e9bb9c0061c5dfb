"""Ours and Node's workers work off the same long queue in turn, while one process is killed every few seconds.

    python -m benchmarks.scale [jobs] [processes] [seconds between kills] [rounds]

Every 50 ms a job is added at the front of the line. How long it waits is how long a claim takes. At the end each job
must have been completed; what ran on a killed process is completed once its lease, or Node's lock, has run out.
"""

from __future__ import annotations

import contextlib
import itertools
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis import Redis

from benchmarks.harness import PREFIX, QUEUE, median
from embedded.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KIT = Path(__file__).parent / "kit.mjs"
COMMANDS = {
    "ours": [sys.executable, "-m", "benchmarks.scale.ours"],
    "node": ["node", str(KIT), "work"],
}
PROBE_EVERY = 0.05  # seconds
LOOK_EVERY = 0.5  # seconds
LONGEST_TAIL = 120.0  # seconds that the jobs of killed processes may take
BASE = f"{PREFIX}:{QUEUE.name}"


@dataclass(slots=True)
class Round:
    """What one contestant did. `waits` are the seconds until each probe was claimed."""

    jobs_per_second: float = 0.0
    tail: float = 0.0
    kills: int = 0
    processor_ms: float = 0.0
    bytes_before: int = 0
    bytes_peak: int = 0
    missing: int = 0
    server_p99_us: float = 0.0
    waits: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        """Of the claims."""
        return statistics.quantiles(self.waits, n=100)[98] * 1000


class Crew:
    """So many processes of one contestant."""

    def __init__(self, command: Sequence[str], size: int) -> None:
        """Start them."""
        self._command = command
        self._members = [self._start() for _ in range(size)]
        self.kills = 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdout=subprocess.DEVNULL)

    def kill_one(self) -> None:
        """Kill the oldest, and start another one in its place."""
        _end(self._members.pop(0))
        self._members.append(self._start())
        self.kills += 1

    def close(self) -> None:
        """Kill all."""
        for member in self._members:
            _end(member)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@contextlib.contextmanager
def crew(who: str, url: str, size: int) -> Iterator[Crew]:
    """A crew while it works."""
    members = Crew([*COMMANDS[who], url], size)
    try:
        yield members
    finally:
        members.close()


class Line:
    """The queue, seen from outside."""

    def __init__(self, redis: Redis) -> None:
        """`redis` is the server's client."""
        self._redis = redis
        self._numbers = itertools.count()

    def probe(self) -> None:
        """Add a job at the front, as bullmq's `lifo` does."""
        job_id, now = f"probe-{next(self._numbers)}", round(time.time() * 1000)
        job: dict[Any, Any] = {
            "name": "noop",
            "data": '{"userId": "u"}',
            "opts": '{"removeOnComplete": false}',
            "timestamp": now,
        }
        with self._redis.pipeline() as pipe:
            pipe.hset(f"{BASE}:{job_id}", mapping=job)
            pipe.rpush(f"{BASE}:wait", job_id)
            pipe.zadd(f"{BASE}:marker", {"0": 0})  # wakes a worker, if all of them wait
            pipe.execute()

    def left(self) -> tuple[int, int]:
        """How many jobs wait and run."""
        with self._redis.pipeline() as pipe:
            pipe.llen(f"{BASE}:wait")
            pipe.llen(f"{BASE}:active")
            waiting, active = pipe.execute()
            return int(waiting), int(active)

    def probes(self) -> tuple[int, list[float]]:
        """How many there are, and how long each one waited, in seconds."""
        keys = [f"{BASE}:probe-{number}" for number in range(next(self._numbers))]
        with self._redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.hmget(key, "timestamp", "processedOn")
            times = [(int(added), int(started)) for added, started in pipe.execute() if started]
        return len(keys), [max(0, started - added) / 1000 for added, started in times]

    def completed(self) -> int:
        """As bullmq's own metrics count."""
        return int(self._redis.hget(f"{BASE}:metrics:completed", "count") or 0)


def work_off(line: Line, members: Crew, every: float) -> float:
    """Kill and probe until nothing waits; returns the seconds that it took."""
    while not line.completed():  # a process takes a while to start, and is not what is measured
        time.sleep(PROBE_EVERY)
    begun = time.monotonic()
    next_kill, next_look = begun + every, begun + LOOK_EVERY
    while True:
        now = time.monotonic()
        if now >= next_look and not line.left()[0]:
            return now - begun
        next_look = now + LOOK_EVERY if now >= next_look else next_look
        if now >= next_kill:
            members.kill_one()
            next_kill += every
        line.probe()
        time.sleep(PROBE_EVERY)


def settle(line: Line) -> float:
    """Wait for the jobs of killed processes; returns the seconds that it took."""
    begun = time.monotonic()
    while any(line.left()) and time.monotonic() - begun < LONGEST_TAIL:
        time.sleep(LOOK_EVERY)
    return time.monotonic() - begun


def run(who: str, jobs: int, size: int, every: float) -> Round:
    """One contestant, on a server of its own."""
    seen = Round()
    with RedisServer() as server, Redis.from_url(server.url, decode_responses=True) as redis:
        subprocess.run(["node", KIT, "fill", server.url, str(jobs)], check=True)  # noqa: S607 -- the node of PATH
        facts: dict[str, Any] = redis.info("memory")
        seen.bytes_before = facts["used_memory"]
        redis.config_resetstat()
        line, used = Line(redis), _processor_seconds()
        with crew(who, server.url, size) as members:
            seconds = work_off(line, members, every)
            seen.tail = settle(line)
            seen.kills = members.kills
        seen.bytes_peak = redis.info("memory")["used_memory_peak"]
        seen.server_p99_us = redis.info("latencystats")["latency_percentiles_usec_evalsha"]["p99"]
        probes, seen.waits = line.probes()
        seen.missing = jobs + probes - line.completed()
        seen.jobs_per_second = jobs / seconds
        seen.processor_ms = (_processor_seconds() - used) / jobs * 1000
    return seen


def _processor_seconds() -> float:
    """Of all children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    """Run both in turn, print each round, and the median of the ratios."""
    given = [float(argument) for argument in sys.argv[1:]]
    jobs, size, every, rounds = [*given, *[1_000_000, 10, 10.0, 1][len(given) :]]
    ratios = []
    for _ in range(int(rounds)):
        found = {who: run(who, int(jobs), int(size), every) for who in COMMANDS}
        for who, seen in found.items():
            print(
                f"{who}: {seen.jobs_per_second:.0f} jobs/s, {seen.processor_ms:.2f} ms of processor a job, "
                f"claim p50 {median(seen.waits) * 1000:.0f} ms, p99 {seen.p99_ms:.0f} ms, "
                f"longest {max(seen.waits) * 1000:.0f} ms, script p99 {seen.server_p99_us:.0f} us, "
                f"{seen.bytes_before / jobs:.0f} bytes a job, peak {seen.bytes_peak / 2**20:.0f} MiB, "
                f"{seen.kills} kills, the last job {seen.tail:.0f} s later, {seen.missing} missing",
                flush=True,
            )
        ratios.append(found["ours"].jobs_per_second / found["node"].jobs_per_second)
    print(f"{median(ratios):.2f} x Node's jobs a second ({', '.join(f'{ratio:.2f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()
