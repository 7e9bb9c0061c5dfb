"""The results as a table in Markdown."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.corpus.jobs import Row

MEAN, FIELD = 3, 16  # of 255: differences of the mean colour, of an image and of one field, from which colours differ
HEAD = (
    "| | files | done | refused for good | sharp alone | ours alone | other size | other colours |\n" + "|---" * 8 + "|"
)


def is_final(row: Row) -> bool:
    """Whether the job was done or refused for good."""
    return row["end"] in {"done", "PermanentError"}


def table(rows: Sequence[Row]) -> str:
    """A row for each kind of file, then the reasons, then the differences from sharp."""
    endings = defaultdict(list)
    for row in rows:
        endings[row["kind"], row["path"].rpartition(".")[2].lower()].append(row)
    lines = [HEAD, *(_line(f"{kind}, {ending}", of) for (kind, ending), of in sorted(endings.items()))]
    reasons = Counter((row["kind"], re.sub(r"\d+", "N", row["reason"])) for row in rows if row["end"] != "done")
    lines += ["", *(f"- {count} x {kind}: {reason}" for (kind, reason), count in reasons.most_common())]
    lines += ["", *(f"- {row['path']}: {words}" for row in rows if (words := difference(row)) is not None)]
    return "\n".join(lines)


def _line(name: str, rows: Sequence[Row]) -> str:
    ends = Counter(row["end"] for row in rows)
    kinds = Counter((difference(row) or "").partition(":")[0] for row in rows)
    cells = (len(rows), ends["done"], ends["PermanentError"], *(kinds[each] for each in KINDS_OF_DIFFERENCE))
    return f"| {name} | {' | '.join(map(str, cells))} |"


KINDS_OF_DIFFERENCE = ("sharp alone", "ours alone", "size", "colours")


def difference(row: Row) -> str | None:
    """The difference from sharp's result, beginning with one of KINDS_OF_DIFFERENCE; None if there is none."""
    peer = row.get("sharp")
    if peer is None or ("error" in peer and row["end"] != "done"):
        return None
    if row["end"] != "done":
        return f"sharp alone: {row['reason']}"
    if "error" in peer:
        return f"ours alone: {' '.join(peer['error'].split())}"
    if row["size"] != peer["size"]:
        return f"size: {row['size']} to sharp's {peer['size']}"
    pairs = [
        pair for ours, other in zip(row["grid"], peer["grid"], strict=True) for pair in zip(ours, other, strict=True)
    ]
    field = max(abs(a - b) for a, b in pairs)
    mean = max(abs(sum(a - b for a, b in pairs[band::3])) / len(row["grid"]) for band in range(3))
    return f"colours: by {mean:.0f} in the mean, {field} at most" if mean > MEAN or field > FIELD else None
