"""Bytes of Redis for each job, on both wires: `python -m benchmarks.scale.memory [jobs]`.

The jobs are pushes to one user, as stock producers in Python add them. Counted is what the server uses more, with all
that a wire keeps beside the payload. The allocator is the embedded server's.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Any

from bullmq import Queue as BullQueue
from redis import Redis
from rq import Queue as RQQueue

from benchmarks.harness import QUEUE, Counter, launcher
from embedded.redis_server import RedisServer
from queue_lib.processor import Model

PAYLOAD: dict[str, Any] = {
    "userId": "cm3k2v9xw0001l508h4q7f2zd",
    "payload": {"title": "A new message", "body": "Ada: see you tomorrow?", "url": "/messages/42"},
}
AT_ONCE = 500
DELAY = 3600  # seconds
KEPT = QUEUE.keep_completed.count or 0  # completed jobs


class Push(Model):
    """The payload, as it comes."""

    user_id: str
    payload: dict[str, str]


async def add_bullmq(url: str, jobs: int, delay: int = 0) -> None:
    """Add with bullmq's own producer."""
    queue = BullQueue(QUEUE.name, {"connection": url})
    one = {"name": "noop", "data": PAYLOAD, "opts": {"delay": delay * 1000}}
    for _ in range(0, jobs, AT_ONCE):
        await queue.addBulk([one] * AT_ONCE)
    await queue.close()


def add_rq(url: str, jobs: int, delay: int = 0) -> None:
    """Add with stock RQ, and the JSON serializer."""
    with Redis.from_url(url) as connection:
        queue = RQQueue(QUEUE.name, connection=connection, serializer="json")
        for _ in range(jobs if delay else 0):
            queue.enqueue_in(timedelta(seconds=delay), "noop", PAYLOAD)
        for _ in range(0, 0 if delay else jobs, AT_ONCE):
            queue.enqueue_many([RQQueue.prepare_data("noop", (PAYLOAD,), result_ttl=86_400)] * AT_ONCE)


def add(url: str, wire: str, jobs: int, delay: int = 0) -> None:
    """Add jobs to one wire."""
    if wire == "rq":
        add_rq(url, jobs, delay)
    else:
        asyncio.run(add_bullmq(url, jobs, delay))


async def complete(url: str, wire: str, jobs: int) -> None:
    """Run all."""
    counter = Counter(jobs)
    runner = launcher(url, wire, counter, Push)
    await runner.start()
    await counter.all_done.wait()
    await runner.stop(5)


def measure(wire: str, state: str, jobs: int) -> float:
    """Bytes a job, on a server of its own: a flushed one gives memory back later."""
    with RedisServer() as server, Redis.from_url(server.url) as redis:
        empty = int(redis.info("memory")["used_memory"])
        add(server.url, wire, 2 * KEPT if state == "completed" else jobs, DELAY if state == "delayed" else 0)
        if state == "completed":
            asyncio.run(complete(server.url, wire, 2 * KEPT))
            redis.delete(f"bull:{QUEUE.name}:events")  # bullmq's last 10,000 events, for the whole queue
            jobs = KEPT
        now: dict[str, int] = redis.info("memory")
        return (now["used_memory"] - now["used_memory_scripts_eval"] - empty) / jobs


def main() -> None:
    """Print a line for each wire and state, on standard error: the worker's log is on standard output."""
    jobs = int(sys.argv[1]) if sys.argv[1:] else 20_000
    for wire in ("bullmq", "rq"):
        for state in ("waiting", "delayed", "completed"):
            print(f"{wire}, {state}: {measure(wire, state, jobs):.0f} bytes a job", file=sys.stderr)


if __name__ == "__main__":
    main()
