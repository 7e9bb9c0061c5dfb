"""No-op jobs per second: ours over BullMQ against bullmq's own Worker, ours over RQ against RQ's SimpleWorker.

    python -m benchmarks.throughput [jobs] [rounds]

Each run is a new process with a new queue of `jobs` jobs. It is timed from the first claim to the last outcome.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from functools import partial

from bullmq import Queue as BullQueue
from bullmq import Worker
from redis import Redis
from rq import Queue as RQQueue
from rq import SimpleWorker

from benchmarks.harness import QUEUE, Counter, child, in_turn, launcher, median, rq_enqueue
from tests.support.redis_server import RedisServer


def noop(_: object) -> None:
    """The function that RQ's own worker runs."""


async def bullmq_enqueue(url: str, jobs: int) -> None:
    """Add jobs with bullmq's own producer."""
    queue = BullQueue(QUEUE.name, {"connection": url})
    for start in range(0, jobs, 500):
        numbers = range(start, min(jobs, start + 500))
        await queue.addBulk([{"name": "noop", "data": {"userId": f"u{n}"}, "opts": {}} for n in numbers])
    await queue.close()


async def ours(url: str, wire: str, jobs: int) -> float:
    """Seconds that our runner takes."""
    counter = Counter(jobs)
    runner = launcher(url, wire, counter)
    started = time.perf_counter()
    await runner.start()
    await counter.all_done.wait()
    seconds = time.perf_counter() - started
    await runner.stop(5)
    return seconds


async def stock_bullmq(url: str, jobs: int) -> float:
    """Seconds that bullmq's Worker takes, with the same concurrency and retention."""
    all_done = asyncio.Event()
    left = jobs

    async def process(_job: object, _token: str) -> None:
        return None

    def completed(*_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            all_done.set()

    options = {"connection": f"{url}?socket_timeout=30", "concurrency": QUEUE.concurrency, "autorun": False}
    worker = Worker(QUEUE.name, process, options | {"removeOnComplete": {"age": 3600, "count": 1000}})
    worker.on("completed", completed)
    started = time.perf_counter()
    running = asyncio.ensure_future(worker.run())
    await all_done.wait()
    seconds = time.perf_counter() - started
    await worker.close()
    await running
    return seconds


def stock_rq(url: str) -> float:
    """Seconds that RQ's SimpleWorker takes."""
    connection = Redis.from_url(url)
    worker = SimpleWorker(
        [RQQueue(QUEUE.name, connection=connection, serializer="json")], connection=connection, serializer="json"
    )
    started = time.perf_counter()
    worker.work(burst=True, logging_level="WARNING")
    return time.perf_counter() - started


def contestant(who: str, url: str, jobs: int) -> float:
    """One run in this process."""
    if who.endswith("bullmq"):
        asyncio.run(bullmq_enqueue(url, jobs))
        return asyncio.run(ours(url, "bullmq", jobs) if who.startswith("ours") else stock_bullmq(url, jobs))
    rq_enqueue(url, jobs, "noop" if who == "ours-rq" else f"{__spec__.name}.noop")
    return asyncio.run(ours(url, "rq", jobs)) if who == "ours-rq" else stock_rq(url)


def main() -> None:
    """Run the contestants in turn, and print the ratios."""
    jobs, rounds = (int(argument) for argument in (sys.argv[1:] + ["2000", "5"][len(sys.argv) - 1 :]))
    names = ["ours-bullmq", "stock-bullmq", "ours-rq", "stock-rq"]
    with RedisServer() as server:

        def run(name: str) -> float:
            server.flush()
            return jobs / float(child(__spec__.name, "--contestant", name, server.url, str(jobs)))

        figures = in_turn({name: partial(run, name) for name in names}, rounds)
    medians = {name: median(values) for name, values in figures.items()}
    for name, values in figures.items():
        print(f"{name:14} {medians[name]:7.0f} jobs/s   (runs: {', '.join(f'{value:.0f}' for value in values)})")
    print(f"BullMQ: {medians['ours-bullmq'] / medians['stock-bullmq']:.2f} x the stock worker")
    print(f"RQ:     {medians['ours-rq'] / medians['stock-rq']:.2f} x SimpleWorker")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        print(json.dumps(contestant(sys.argv[2], sys.argv[3], int(sys.argv[4]))), file=sys.stderr)
    else:
        main()
