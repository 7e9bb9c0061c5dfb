"""`python -m benchmarks.push_fanout [fan-out] [jobs] [latency] [memory] [million]`: all but the last if none is named.

Ours and the peer run in turn against the same servers, one at a time; medians of ROUNDS. Needs Node and npm.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import psutil

from benchmarks.harness import child, in_turn, median
from benchmarks.push_fanout.stage import HERE, PAYLOAD, PROJECT, Stage, set_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Start = Callable[[], AbstractContextManager[subprocess.Popen[bytes]]]

ROUNDS = 5
DEVICES, USERS, RATE, SECONDS = 10_000, 3_000, 50, 10
MEGABYTE = 1024 * 1024
NPM = shutil.which("npm") or sys.exit("npm is not on PATH")


def contestants(stage: Stage, database: str) -> dict[str, Start]:
    """How to start each worker: ours also as two processes, one a core; the peer also with as many sockets as ours."""
    env = stage.env(database)
    trusting = {"NODE_EXTRA_CA_CERTS": str(stage.certificate)}
    peer = ["node", str(HERE / "peer.mjs")]
    worker, ours = [sys.executable, str(PROJECT / "worker.py")], _ours(stage, env)
    return {
        "ours": partial(stage.worker, worker, ours),
        "ours, two processes": partial(stage.worker, worker, ours | {"PUSH_NOTIFICATIONS_PROCESSES": "2"}),
        "peer": partial(stage.worker, peer, env | trusting),
        "peer, 50 sockets": partial(stage.worker, peer, env | trusting | {"SOCKETS": "50"}),
    }


def _ours(stage: Stage, env: dict[str, str]) -> dict[str, str]:
    return env | {
        "WIRES": "bullmq",
        "QUEUES": "push-notifications",
        "STORAGE_URL": f"file://{stage.folder}",
        "PUSH_ALLOW_LOCAL_ENDPOINTS": "1",
        "PUSH_NOTIFICATIONS_RATE_MAX": "0",
        "LOG_FORMAT": "json",
        "SSL_CERT_FILE": str(stage.certificate),
    }


def fan_out(stage: Stage, start: Start) -> float:
    """Pushes a second: one job for a user with 10,000 devices, from enqueue to the last push."""
    stage.clear()
    with start():
        since = time.time()
        stage.enqueue("push-notification", [{"userId": "fan", "payload": PAYLOAD}])
        told = stage.arrived(DEVICES)
    return DEVICES / (float(told["last"]) / 1000 - since)


def jobs(stage: Stage, start: Start) -> float:
    """Jobs a second: 3,000 jobs of one device each, waiting when the worker starts, from the first push to the last."""
    stage.clear()
    stage.enqueue("push-notification", [{"userId": f"u{n}", "payload": PAYLOAD} for n in range(USERS)])
    with start():
        told = stage.arrived(USERS)
    return (USERS - 1) / float(told["last"] - told["first"]) * 1000


def latency(stage: Stage, start: Start) -> tuple[float, float]:
    """Milliseconds from enqueue to the push service, p50 and p99, at 50 jobs a second."""
    stage.clear()
    sent: dict[str, float] = {}
    with start():
        stage.enqueue("push-notification", [{"userId": f"u{USERS - 1}", "payload": PAYLOAD}] * 20)
        stage.arrived(20)
        stage.ask("reset")
        stage.paced(RATE, RATE * SECONDS, sent)
        arrivals = stage.arrived(RATE * SECONDS)["arrivals"]
    delays = [arrivals[user] - at for user, at in sent.items()]
    cuts = statistics.quantiles(delays, n=100)
    return cuts[49], cuts[98]


def memory(stage: Stage, rows: int) -> Iterator[str]:
    """What a batch to everybody costs in memory and time."""
    database = f"batch{rows}"
    stage.fill(database, [("u%", rows, "/wp/")])
    stage.clear()
    with contestants(stage, database)["ours"]() as worker:
        idle = _resident(worker)
        since = time.time()
        stage.enqueue("push-batch", [{"all": True, "payload": PAYLOAD}])
        peak, told = idle, stage.ask()
        while told["count"] < rows:
            time.sleep(0.1)
            peak, told = max(peak, _resident(worker)), stage.ask()
    rate = rows / (told["last"] / 1000 - since)
    yield f"| {rows:,} | {idle / MEGABYTE:.0f} | {peak / MEGABYTE:.0f} | {rate:,.0f} |"


def _resident(worker: subprocess.Popen[bytes]) -> int:
    process = psutil.Process(worker.pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))


def compare(title: str, stage: Stage, measure: Callable[[Stage, Start], float]) -> None:
    """Run all in turn and print their medians, and that of the rounds' ratios: a round is over in a minute."""
    runs = in_turn({name: partial(measure, stage, start) for name, start in contestants(stage, "app").items()}, ROUNDS)
    best = [max(figures) for figures in zip(*(runs[name] for name in runs if name.startswith("peer")), strict=True)]
    print(f"\n{title}")
    for name, figures in runs.items():
        each = ", ".join(f"{figure:,.0f}" for figure in figures)
        print(f"| {name} | {median(figures):,.0f} | {each} |")
    for name in ("ours", "ours, two processes"):
        ratios = [mine / theirs for mine, theirs in zip(runs[name], best, strict=True)]
        print(f"{name} : the better peer = {median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})")


def main(parts: list[str]) -> None:
    """Print the tables of README.md."""
    subprocess.run([NPM, "install", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    with set_up() as stage:
        stage.fill("app", [("fan", DEVICES, "/wp/"), ("u%", USERS, "/timed/u")])
        if "fan-out" in parts:
            compare("pushes a second", stage, fan_out)
            print(child("benchmarks.push_fanout.floor", stage.endpoint, str(stage.certificate)))
        if "jobs" in parts:
            compare("jobs a second", stage, jobs)
        if "latency" in parts:
            for name, start in contestants(stage, "app").items():
                figures = [latency(stage, start) for _ in range(ROUNDS)]
                p50, p99 = (median([run[part] for run in figures]) for part in (0, 1))
                print(f"| {name} | {p50:.2f} ms | {p99:.2f} ms |")
        sizes = [10_000, 100_000] * ("memory" in parts) + [1_000_000] * ("million" in parts)
        for rows in sizes:
            print(*memory(stage, rows), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["fan-out", "jobs", "latency", "memory"])
