"""What the metrics cost: their time for each no-op job, and the processor time of the whole job.

    python -m benchmarks.observers [jobs] [rounds]

The time is measured call by call during a run, when the caches are as cold as in production. The difference of two
whole runs would be smaller than the machine's noise. The figures are medians and include the timer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from benchmarks.harness import QUEUE, Counter, child, launcher, median, rq_enqueue
from benchmarks.throughput import bullmq_enqueue
from queue_lib.observe.metrics import Metrics
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from queue_lib.observe.events import Event


class Timed(Counter):
    """Passes events to the log and the metrics, and measures the metrics."""

    def __init__(self, expected: int) -> None:
        super().__init__(expected)
        self.spent: dict[str, list[float]] = defaultdict(list)  # kind of event -> microseconds
        self._metrics = Metrics(CollectorRegistry(), {QUEUE.name: ["noop"]})

    def observe(self, event: Event) -> None:
        """Count the event."""
        since = time.perf_counter_ns()
        self._metrics(event)
        self.spent[type(event).__name__].append((time.perf_counter_ns() - since) / 1000)
        super().observe(event)


async def work(url: str, wire: str, jobs: int) -> tuple[float, float]:
    """Microseconds for each job: in the metrics, and of processor time in all."""
    counter = Timed(jobs)
    runner = launcher(url, wire, counter)
    since = time.process_time()
    await runner.start()
    await counter.all_done.wait()
    in_all = (time.process_time() - since) / jobs * 1e6
    await runner.stop(5)
    return sum(median(counter.spent[kind]) for kind in ("JobStarted", "JobEnded")), in_all


def contestant(wire: str, url: str, jobs: int) -> tuple[float, float]:
    """One run in this process."""
    if wire == "bullmq":
        asyncio.run(bullmq_enqueue(url, jobs))
    else:
        rq_enqueue(url, jobs)
    return asyncio.run(work(url, wire, jobs))


def main() -> None:
    """Run both wires in turn, and print the metrics' share."""
    jobs, rounds = (int(argument) for argument in (sys.argv[1:] + ["3000", "5"][len(sys.argv) - 1 :]))
    with RedisServer() as server:
        for wire in ("bullmq", "rq"):
            runs = []
            for _ in range(rounds):
                server.flush()
                runs.append(child(__spec__.name, "--contestant", wire, server.url, str(jobs)))
            mine, in_all = (median(list(column)) for column in zip(*runs, strict=True))
            print(f"{wire:7} {mine:5.1f} of {in_all:5.0f} us a job in the metrics: {100 * mine / in_all:.1f} %")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--contestant"]:
        print(json.dumps(contestant(sys.argv[2], sys.argv[3], int(sys.argv[4]))), file=sys.stderr)
    else:
        main()
