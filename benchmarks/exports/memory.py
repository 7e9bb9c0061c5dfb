"""`python -m benchmarks.exports.memory [rows]`: the greatest memory of a csv with few rows, and with many."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.exports.__main__ import FILL, MEBIBYTE, TABLE, ours
from tests.support.postgres import running_postgres

FEW = 10_000


def main(rows: int = 10_000_000) -> None:
    """Print a line for each number of rows."""
    with running_postgres() as server, tempfile.TemporaryDirectory() as folder:
        server.run("postgres", *TABLE)
        for count in (FEW, rows):
            server.run("postgres", 'TRUNCATE "Order"', FILL.format(count))
            file = Path(folder, "export.csv")
            done = ours(server, "csv", file)
            print(
                f"{count:,} rows, {file.stat().st_size / MEBIBYTE:,.0f} MiB: {done.seconds:,.1f} s, "
                f"at most {done.memory / MEBIBYTE:.0f} MiB of memory"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
