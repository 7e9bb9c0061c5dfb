"""`python -m benchmarks.push_fanout [fan-out] [distance] [slots] [jobs] [latency] [memory] [million]`.

Without arguments it runs all but the last. Ours and the peer run in turn against the same servers. The figures are
medians of ROUNDS. Needs Node and npm.
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
DISTANCES = (20, 100, 300)  # milliseconds that the push service takes for each answer
SLOTS = (5, 10, 20, 30, 50)
FAR = 100  # milliseconds
MEGABYTE = 1024 * 1024
NPM = shutil.which("npm") or sys.exit("npm is not on PATH")


def contestants(stage: Stage, database: str) -> dict[str, Start]:
    """How to start each worker: ours with one and two processes, the peer also with as many sockets as ours."""
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


def fan_out(stage: Stage, start: Start, user: str = "fan") -> float:
    """Pushes a second: one job for a user with 10,000 devices, from enqueue to the last push."""
    stage.clear()
    with start():
        since = time.time()
        stage.enqueue("push-notification", [{"userId": user, "payload": PAYLOAD}])
        told = stage.arrived(DEVICES)
    return DEVICES / (float(told["last"]) / 1000 - since)


def jobs(stage: Stage, start: Start) -> float:
    """Jobs a second: 3,000 jobs of one device each, waiting when the worker starts, from the first push to the last."""
    stage.clear()
    stage.enqueue("push-notification", [{"userId": f"u{n}", "payload": PAYLOAD} for n in range(USERS)])
    with start():
        told = stage.arrived(USERS)
    return (USERS - 1) / float(told["last"] - told["first"]) * 1000


def of_slots(stage: Stage, slots: int) -> float:
    """Jobs a second: 600 one-device jobs at a distance, with so many slots and the queue's limit of 100/s."""
    env = _ours(stage, stage.env("app")) | {"PUSH_NOTIFICATIONS_CONCURRENCY": str(slots)}
    del env["PUSH_NOTIFICATIONS_RATE_MAX"]
    count = USERS // 5
    stage.clear()
    stage.enqueue("push-notification", [{"userId": f"far{n}", "payload": PAYLOAD} for n in range(count)])
    with stage.worker([sys.executable, str(PROJECT / "worker.py")], env):
        told = stage.arrived(count)
    return (count - 1) / float(told["last"] - told["first"]) * 1000


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


def memory(stage: Stage, rows: int, path: str = "/wp/") -> Iterator[str]:
    """What a batch to all users costs in memory, processor time and time."""
    database = f"batch{rows}{path.replace('/', '')}"
    stage.fill(database, [("u%", rows, path)])
    stage.clear()
    with contestants(stage, database)["ours"]() as worker:
        idle, before = _resident(worker), _processor_time(worker)
        since = time.time()
        stage.enqueue("push-batch", [{"all": True, "payload": PAYLOAD}])
        peak, told = idle, stage.ask()
        while told["count"] < rows:
            time.sleep(0.1)
            peak, told = max(peak, _resident(worker)), stage.ask()
        each = (_processor_time(worker) - before) / rows * 1_000_000
    rate = rows / (told["last"] / 1000 - since)
    figures = f"{idle / MEGABYTE:.0f} | {peak / MEGABYTE:.0f} | {rate:,.0f} | {told['peak']} | {each:.0f}"
    yield f"| {rows:,} at {path} | {figures} |"


def _resident(worker: subprocess.Popen[bytes]) -> int:
    process = psutil.Process(worker.pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))


def _processor_time(worker: subprocess.Popen[bytes]) -> float:
    times = psutil.Process(worker.pid).cpu_times()
    return float(times.user + times.system)


def compare(title: str, stage: Stage, measure: Callable[[Stage, Start], float]) -> None:
    """Run all in turn. Print their medians, and the median of the rounds' ratios: a round takes a minute."""
    runs = in_turn({name: partial(measure, stage, start) for name, start in contestants(stage, "app").items()}, ROUNDS)
    best = [max(figures) for figures in zip(*(runs[name] for name in runs if name.startswith("peer")), strict=True)]
    print(f"\n{title}")
    for name, figures in runs.items():
        each = ", ".join(f"{figure:,.0f}" for figure in figures)
        print(f"| {name} | {median(figures):,.0f} | {each} |")
    for name in ("ours", "ours, two processes"):
        ratios = [mine / theirs for mine, theirs in zip(runs[name], best, strict=True)]
        print(f"{name} : the better peer = {median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})")


def at_hand(stage: Stage) -> None:
    """A fan-out to a push service on the same machine, and its floor."""
    compare("pushes a second", stage, fan_out)
    print(child("benchmarks.push_fanout.floor", stage.endpoint, str(stage.certificate)))


def at_a_distance(stage: Stage) -> None:
    """A fan-out to a push service at a distance."""
    for each in DISTANCES:
        compare(f"pushes a second, {each} ms an answer", stage, partial(fan_out, user=f"far-{each}"))


def slots(stage: Stage) -> None:
    """The concurrency that reaches the queue's limit."""
    for count in SLOTS:
        print(f"| {count} | {median([of_slots(stage, count) for _ in range(ROUNDS)]):.0f} |", flush=True)


def latencies(stage: Stage) -> None:
    """The time from enqueue to the push service."""
    for name, start in contestants(stage, "app").items():
        figures = [latency(stage, start) for _ in range(ROUNDS)]
        p50, p99 = (median([run[part] for run in figures]) for part in (0, 1))
        print(f"| {name} | {p50:.2f} ms | {p99:.2f} ms |")


def batches(stage: Stage) -> None:
    """What batches cost, near and at a distance."""
    for rows, path in ((10_000, "/wp/"), (100_000, "/wp/"), (100_000, f"/after/{FAR}/")):
        print(*memory(stage, rows, path), flush=True)


def million(stage: Stage) -> None:
    """A batch to a million devices, near and at a distance."""
    for path in ("/wp/", f"/after/{FAR}/"):
        print(*memory(stage, 1_000_000, path), flush=True)


PARTS: dict[str, Callable[[Stage], None]] = {
    "fan-out": at_hand,
    "distance": at_a_distance,
    "slots": slots,
    "jobs": lambda stage: compare("jobs a second", stage, jobs),
    "latency": latencies,
    "memory": batches,
    "million": million,
}


def main(parts: list[str]) -> None:
    """Print the tables of README.md."""
    subprocess.run([NPM, "install", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    with set_up() as stage:
        far = [(f"far-{each}", DEVICES, f"/after/{each}/") for each in DISTANCES]
        ones = [("u%", USERS, "/timed/u"), ("far%", USERS, f"/after/{FAR}/")]
        stage.fill("app", [("fan", DEVICES, "/wp/"), *ones, *far])
        for part in parts:
            PARTS[part](stage)


if __name__ == "__main__":
    main(sys.argv[1:] or [part for part in PARTS if part != "million"])
