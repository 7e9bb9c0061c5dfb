"""`python -m benchmarks.corpus DIRECTORY [RESULTS]`: each image, video and document below it as a job of its own.

It prints the tables of docs/formats.md and writes a line of JSON for each file to RESULTS (corpus.jsonl). With npm it
compares images with sharp's. It exits with 1 if a job was neither done nor refused for good.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.corpus.jobs import KINDS, Jobs
from benchmarks.corpus.peer import Sharp
from benchmarks.corpus.table import is_final, table

if TYPE_CHECKING:
    from benchmarks.corpus.jobs import Row


def found(directory: Path) -> list[Path]:
    """The files that a job might take, by their extensions."""
    return sorted(path for path in directory.rglob("*") if path.suffix.lower() in KINDS and path.is_file())


async def main(files: list[Path], results: Path) -> int:
    """Run all jobs, one after the other. Returns the exit status."""
    rows: list[Row] = []
    async with Jobs() as jobs, Sharp() as sharp:
        with results.open("w") as file:
            for path in files:
                row = await jobs.run(path)
                if row["kind"] == "image":
                    row["sharp"] = await sharp.measure(path)
                file.write(json.dumps(row) + "\n")
                file.flush()
                rows.append(row)
    print(table(rows))
    odd = [row for row in rows if not is_final(row)]
    for row in odd:
        print(f"{row['path']}: {row['reason']}", file=sys.stderr)
    return 1 if odd else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(found(Path(sys.argv[1]).resolve()), Path((sys.argv[2:] or ["corpus.jsonl"])[0]))))
