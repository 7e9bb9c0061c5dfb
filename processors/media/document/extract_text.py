"""The document task: write the text of an upload into a file of UTF-8."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.document import docx, text
from processors.media.document.document_kind import kind_of
from processors.media.document.pdf import Pages
from processors.sandbox.limits import MEBIBYTE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processors.sandbox.protocol import Parent

SOURCE, RESULT = Path("source"), Path("text.txt")
# Bytes of memory: for the library, and for each byte of the upload.
PDF_BASE, PDF_COPIES = 80 * MEBIBYTE, 3
TEXT_BASE, TEXT_COPIES = 48 * MEBIBYTE, 8


def run(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Write `text.txt` from the file `source`; returns the report. Raises RefusedError.

    `arguments`: `maxCharacters`, `maxPages`, `maxUnpacked` (bytes of a DOCX) and `hint`, a content type or None.
    """
    kind = kind_of(SOURCE)
    parent.reserve(_need(kind, arguments))
    pages = Pages(SOURCE, arguments["maxPages"], parent) if kind == "pdf" else None
    characters, is_cut = _write(_texts(kind, arguments) if pages is None else pages, arguments["maxCharacters"])
    return {
        "kind": "markdown" if kind == "text" and arguments["hint"] == "text/markdown" else kind,
        "characters": characters,
        "pages": pages and pages.read,
        "pagesWithoutText": pages and pages.empty,
        "truncated": is_cut or (pages is not None and pages.count > pages.read),
        "bytes": RESULT.stat().st_size,
    }


def _need(kind: str, arguments: dict[str, Any]) -> int:
    size = SOURCE.stat().st_size
    if kind == "docx":
        return docx.need(SOURCE, arguments["maxUnpacked"])
    if kind == "pdf":
        return PDF_BASE + PDF_COPIES * size
    return TEXT_BASE + TEXT_COPIES * min(size, text.wanted(arguments["maxCharacters"]))


def _texts(kind: str, arguments: dict[str, Any]) -> Iterable[str]:
    if kind == "docx":
        return docx.blocks(SOURCE, arguments["maxUnpacked"])
    return (text.read(SOURCE, arguments["maxCharacters"]),)


def _write(texts: Iterable[str], limit: int) -> tuple[int, bool]:
    """Write the texts, each on lines of its own; returns the number of characters, and whether the limit cut it."""
    count = 0
    with RESULT.open("w", encoding="utf-8", newline="\n") as file:
        for each in texts:
            line = text.cleaned(each)
            line = line if line.endswith("\n") else line + "\n"
            file.write(line[: limit - count])
            count += len(line)
            if count > limit:
                return limit, True
    return count, False
