"""What operators see of an export: what is in the file, its link while it is valid, and the file's checksum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.exports.payload import ExportPayload, ExportResult
from queue_lib.shown import Facts, Link, Showing
from storage.objects.places import expires_at, public_places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.shown import Part, Seen
    from storage.settings import ObjectsSettings


def showing(settings: ObjectsSettings | None) -> Showing:
    """What is shown where the store has these settings, if they are known."""
    return Showing(
        parts=lambda seen: [*_of_result(seen), *_of_payload(seen)],
        below=public_places(settings) if settings else (),
    )


def _of_result(seen: Seen) -> Iterator[Part]:
    if not isinstance(result := seen.result, ExportResult):
        return
    yield Link(result.url, "The file", expires_at(result.url))
    facts = {
        "Rows": f"{result.rows:,}",
        "Bytes": f"{result.bytes:,}",
        "Sheets": "" if result.sheets is None else str(result.sheets),
        "The link expires": result.expires_at or "never",
        "SHA-256": result.sha256,
    }
    yield Facts({name: value for name, value in facts.items() if value})


def _of_payload(seen: Seen) -> Iterator[Part]:
    if isinstance(payload := seen.payload, ExportPayload):
        facts = {"Type": payload.export_type, "Of": payload.name or "the only view", "User": payload.user_id or ""}
        yield Facts({name: value for name, value in facts.items() if value})
