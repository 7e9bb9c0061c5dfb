"""The text of one upload, as a file of UTF-8."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.document import docx, pdf, text
from processors.media.document.sniff import kind_of
from processors.media.sandbox.limits import MEBIBYTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.media.sandbox.wire import Parent

SOURCE, RESULT = Path("source"), Path("text.txt")
# Bytes of memory: what the code takes, and for each byte that is read.
PDF_BASE, PDF_COPIES = 80 * MEBIBYTE, 3
TEXT_BASE, TEXT_COPIES = 16 * MEBIBYTE, 8


def run(arguments: dict[str, Any], parent: Parent) -> dict[str, Any]:
    """Write `text.txt` from the file `source`. Raises RefusedError.

    `arguments`: `maxCharacters`, `maxPages`, `maxUnpacked` (bytes of a DOCX) and `hint`, a content type.
    """
    kind = kind_of(SOURCE)
    parent.reserve(_need(kind, arguments))
    characters, pages, is_cut = _write(_parts(kind, arguments, parent), arguments["maxCharacters"])
    if kind == "pdf":
        is_cut = is_cut or pdf.count_pages(SOURCE) > pages
    return {
        "kind": "markdown" if kind == "text" and arguments["hint"] == "text/markdown" else kind,
        "characters": characters,
        "pages": pages if kind == "pdf" else None,
        "truncated": is_cut,
        "bytes": RESULT.stat().st_size,
    }


def _need(kind: str, arguments: dict[str, Any]) -> int:
    size = SOURCE.stat().st_size
    if kind == "docx":
        return docx.need(SOURCE, arguments["maxUnpacked"])
    if kind == "pdf":
        return PDF_BASE + PDF_COPIES * size
    return TEXT_BASE + TEXT_COPIES * min(size, text.wanted(arguments["maxCharacters"]))


def _parts(kind: str, arguments: dict[str, Any], parent: Parent) -> Iterator[str]:
    if kind == "pdf":
        yield from pdf.pages(SOURCE, arguments["maxPages"], parent)
    elif kind == "docx":
        yield from docx.blocks(SOURCE)
    else:
        yield text.read(SOURCE, arguments["maxCharacters"])


def _write(parts: Iterator[str], limit: int) -> tuple[int, int, bool]:
    """Write the parts, a line each at least; returns characters, parts, and whether the limit has cut some off."""
    count = number = 0
    with RESULT.open("w", encoding="utf-8", newline="\n") as file:
        for part in parts:
            number += 1
            line = text.cleaned(part)
            line = line if line.endswith("\n") else line + "\n"
            file.write(line[: limit - count])
            count += len(line)
            if count > limit:
                return limit, number, True
    return count, number, False
