"""What operators see of the jobs of search: what became of a document, and how far an index was filled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.search.payload import BackfillPayload, BackfillResult, IndexPayload, IndexResult
from queue_lib.shown import Facts, Showing, Table, Words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.shown import Part, Seen

WORDS = {
    "indexed": "The document is in the index {index}.",
    "deleted": "The document is deleted from the index {index}.",
    "stale": "The index {index} has a newer version, and keeps it.",
    "missing": "The index {index} had none to delete.",
}


def showing() -> Showing:
    """What is shown."""
    return Showing(parts=lambda seen: [*_of_result(seen), *_of_payload(seen)])


def _of_result(seen: Seen) -> Iterator[Part]:
    match seen.result:
        case IndexResult() as result:
            yield Words(WORDS[result.result].format(index=result.index))
        case BackfillResult() as result:
            yield Words(f"{result.indexed:,} rows are in the index {result.index}; {result.failed:,} failed.")
            yield Facts({"Pages": f"{result.pages:,}", "Time of its runs": f"{result.seconds:,.1f} s"})
            if result.failed_ids:
                yield Table("Rows that failed", ("Id",), [(row_id,) for row_id in result.failed_ids])


def _of_payload(seen: Seen) -> Iterator[Part]:
    match seen.payload:
        case IndexPayload() as payload:
            yield Facts({"Entity": payload.entity, "Row": payload.id, "Action": payload.action})
        case BackfillPayload() as payload:
            yield Facts({"Entity": payload.entity, "Into": "a new index" if payload.rebuild else "the index"})
