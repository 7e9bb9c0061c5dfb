"""`python -m benchmarks.exports [rows] [rounds]`: from Postgres to the file, ours and Node in turn. Needs npm.

Both read the view of the same rows, in a process of its own, and write a csv and an xlsx. Ours also checks the view,
makes a SHA-256, ends lines with CRLF, writes times as ISO 8601, and escapes formulas unless the file is plain. `csv
safe`: Node, too, sends the statement that escapes formulas and writes times so. The memory is the greatest of the
process and its children.

`python -m benchmarks.exports.memory [rows]`: the memory of a csv with many rows.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from benchmarks.exports.ours import REQUEST
from benchmarks.harness import median
from queue_lib.observe import memory
from storage.database import Database
from storage.export_postgres import PostgresExports
from tests.support.postgres import PostgresServer, running_postgres

HERE = Path(__file__).parent
NPM = shutil.which("npm") or sys.exit("npm is not on PATH")
EVERY = 0.05  # seconds between two looks at the memory
MEBIBYTE = 1024**2
TABLE = (
    """CREATE TABLE "Order" ("id" BIGINT, "email" TEXT, "item" TEXT, "quantity" INTEGER, "total" NUMERIC(12, 2),
    "weight" DOUBLE PRECISION, "paid" BOOLEAN, "createdAt" TIMESTAMP(3), "note" TEXT, "meta" JSONB)""",
    'CREATE VIEW "export_orders" AS SELECT * FROM "Order"',
)
FILL = """INSERT INTO "Order" SELECT n, 'user' || n || '@example.com', 'Rye flour, 5 kg', n % 9 + 1, n / 100.0, n / 7.0,
    n % 3 = 0, timestamp '2026-01-01' + n * interval '1 second', 'Two words & more, at the door "B"',
    jsonb_build_object('n', n) FROM generate_series(1, {}) n"""


@dataclass(frozen=True, slots=True)
class Run:
    """One export: seconds, processor seconds, and the greatest memory in bytes."""

    seconds: float
    cpu: float
    memory: int


def run(*command: str | Path) -> Run:
    """Run a program that prints seconds and processor seconds."""
    most = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1]) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            most = max(most, _memory(watched))
            time.sleep(EVERY)
        assert process.stdout is not None
        seconds, cpu = json.loads(process.stdout.read().splitlines()[-1])  # after log lines
    return Run(seconds, cpu, most)


def _memory(process: psutil.Process) -> int:
    try:
        return sum(map(memory.of, [process, *process.children(recursive=True)]))
    except psutil.NoSuchProcess:
        return 0


def ours(server: PostgresServer, kind: str, file: Path) -> Run:
    """One export of ours."""
    return run(sys.executable, "-m", "benchmarks.exports.ours", server.url("postgres"), *kind.split(), file)


def peers(server: PostgresServer, kind: str, file: Path) -> Run:
    """The same of Node's."""
    export_type, *words = kind.split()
    statement = [asyncio.run(_statement(server.url("postgres")))] if words == ["safe"] else []
    return run("node", HERE / "peer.mjs", server.directory, export_type, file, *statement)


async def _statement(url: str) -> str:
    """The statement of ours."""
    database = await Database.open(url, {})
    async with PostgresExports(database).open(REQUEST) as export:
        statement = export.query.copy("csv", escape_formulas=True).as_string(export.connection)
    await database.close()
    return statement


def main(rows: int = 200_000, rounds: int = 5) -> None:
    """Print lines for each kind: medians, and the median of the rounds' own ratios."""
    if not (HERE / "node_modules").is_dir():
        subprocess.run([NPM, "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=HERE, check=True)
    with running_postgres() as server, tempfile.TemporaryDirectory() as folder:
        server.run("postgres", *TABLE, FILL.format(rows), 'VACUUM ANALYZE "Order"')
        for kind in ("csv", "csv safe", "csv plain", "xlsx"):
            contestants = [partial(each, server, kind, Path(folder, "export")) for each in (ours, peers)]
            turns = [[contestant() for contestant in contestants] for _ in range(rounds)]
            for name, runs in zip(("ours", "Node"), zip(*turns, strict=True), strict=True):
                speeds = [rows / each.seconds for each in runs]
                print(
                    f"{kind}, {name}: {median(speeds):,.0f} rows/s ({min(speeds):,.0f} to {max(speeds):,.0f}), "
                    f"{median([each.cpu for each in runs]):.1f} s of CPU, "
                    f"{max(each.memory for each in runs) / MEBIBYTE:.0f} MiB"
                )
            print(
                f"{kind}: {median([theirs.seconds / mine.seconds for mine, theirs in turns]):.2f} x the rows/s, "
                f"{median([mine.cpu / theirs.cpu for mine, theirs in turns]):.2f} x the CPU"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
