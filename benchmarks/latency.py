"""From enqueue to start at 50 jobs a second, p50 and p99, for both wires, beside the stock workers.

    python -m benchmarks.latency [seconds] [rounds]

One process enqueues with the wire's stock producer, another one works. Each job has the time when it was enqueued.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from bullmq import Queue as BullQueue
from bullmq import Worker
from redis import Redis
from rq import Queue as RQQueue
from rq import SimpleWorker

from benchmarks.harness import QUEUE, child, launcher, median
from queue_lib.processor import Model
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from queue_lib.processor import Context

PER_SECOND = 50
SKIPPED = 25  # the first half second is not counted: connections open, code warms up


class Sent(Model):
    """A job's payload: when it was enqueued (seconds since the epoch)."""

    sent: float


class Stopwatch:
    """Records how long each job has waited."""

    def __init__(self, expected: int) -> None:
        self.waits: list[float] = []
        self._expected = expected
        self.all_done = asyncio.Event()

    async def __call__(self, payload: Sent, _context: Context, /) -> None:
        """Record the wait."""
        self.note(payload.sent)

    def note(self, sent: float) -> None:
        """Record the time since `sent`."""
        self.waits.append(time.time() - sent)
        if len(self.waits) == self._expected:
            self.all_done.set()

    def observe(self, _: object) -> None:
        """Ignore events."""


async def produce_bullmq(url: str, jobs: int) -> None:
    """Enqueue with bullmq's own producer, at an even rate."""
    queue = BullQueue(QUEUE.name, {"connection": url})
    for _ in range(jobs):
        await queue.add("noop", {"sent": time.time()}, {"removeOnComplete": True})
        await asyncio.sleep(1 / PER_SECOND)
    await queue.close()


def produce_rq(url: str, jobs: int, name: str) -> None:
    """Enqueue with stock RQ, at an even rate."""
    queue = RQQueue(QUEUE.name, connection=Redis.from_url(url), serializer="json")
    for _ in range(jobs):
        queue.enqueue(name, {"sent": time.time()}, result_ttl=60)
        time.sleep(1 / PER_SECOND)


def produce(who: str, url: str, jobs: int) -> None:
    """Enqueue with the contestant's producer."""
    if who.endswith("bullmq"):
        asyncio.run(produce_bullmq(url, jobs))
    else:
        produce_rq(url, jobs, "noop" if who == "ours-rq" else f"{__spec__.name}.note")


async def ours(url: str, wire: str, watch: Stopwatch) -> None:
    """Work with our runner."""
    runner = launcher(url, wire, watch, payload=Sent)
    await runner.start()
    await watch.all_done.wait()
    await runner.stop(5)


async def stock_bullmq(url: str, watch: Stopwatch) -> None:
    """Work with bullmq's Worker."""

    async def process(job: Any, _token: str) -> None:
        watch.note(job.data["sent"])

    worker = Worker(QUEUE.name, process, {"connection": f"{url}?socket_timeout=30", "concurrency": QUEUE.concurrency})
    await watch.all_done.wait()
    await worker.close()


RQ_WAITS: list[float] = []


def note(payload: dict[str, float]) -> None:
    """The function that RQ's own worker runs."""
    RQ_WAITS.append(time.time() - payload["sent"])


def stock_rq(url: str, jobs: int) -> None:
    """Work with RQ's SimpleWorker."""
    connection = Redis.from_url(url)
    queue = RQQueue(QUEUE.name, connection=connection, serializer="json")
    worker = SimpleWorker([queue], connection=connection, serializer="json")
    sys.modules[__spec__.name] = sys.modules["__main__"]  # where RQ finds `note`
    worker.work(max_jobs=jobs, logging_level="WARNING")


def contestant(who: str, url: str, jobs: int) -> list[float]:
    """The waits (seconds) of one run."""
    producer = multiprocessing.get_context("fork").Process(target=produce, args=(who, url, jobs))
    producer.start()
    if who == "stock-rq":
        stock_rq(url, jobs)
        return RQ_WAITS

    async def work() -> list[float]:
        watch = Stopwatch(jobs)
        await (stock_bullmq(url, watch) if who == "stock-bullmq" else ours(url, who.removeprefix("ours-"), watch))
        return watch.waits

    return asyncio.run(work())


def percentile(values: list[float], share: float) -> float:
    """A percentile, in milliseconds."""
    ordered = sorted(values)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> None:
    """Run the contestants in turn; print the medians of their percentiles."""
    seconds, rounds = (int(argument) for argument in (sys.argv[1:] + ["10", "3"][len(sys.argv) - 1 :]))
    names = ["ours-bullmq", "stock-bullmq", "ours-rq", "stock-rq"]
    waits: dict[str, list[list[float]]] = {name: [] for name in names}
    with RedisServer() as server:
        run = partial(child, __spec__.name, "--contestant")
        for _ in range(rounds):
            for name in names:
                server.flush()
                waits[name].append(run(name, server.url, str(seconds * PER_SECOND))[SKIPPED:])
    for name in names:
        p50, p99 = (median([percentile(values, share) for values in waits[name]]) for share in (0.5, 0.99))
        print(f"{name:14} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        print(json.dumps(contestant(sys.argv[2], sys.argv[3], int(sys.argv[4]))), file=sys.stderr)
    else:
        main()
