"""The text of a Word document: its paragraphs and tables in their order."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from processors.media.document.guard import refusing
from processors.media.sandbox.limits import MEBIBYTE
from processors.media.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ENTRIES = 2000
CHUNK = 1024 * 1024  # bytes
# Bytes of memory, as measured with python-docx 1.2: the libraries, and for each byte unpacked; more for one of XML.
BASE, COPIES, XML_COPIES = 60 * MEBIBYTE, 2, 12

RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
BEFORE, BEHIND = ("header",), ("footnotes", "endnotes", "footer")  # parts that are read beside the main one

WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
PARAGRAPH, ROW, CELL = WORD + "p", WORD + "tr", WORD + "tc"
TEXTS = frozenset({WORD + "t", "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"})
MARKS = {WORD + "tab": "\t", WORD + "br": "\n", WORD + "cr": "\n", WORD + "noBreakHyphen": "-"}
# What was deleted or moved away while changes were tracked; the shape of paragraphs, whose tab stops are no tabs; and
# what is there for programs that can't show a text box, the same text again.
LEFT_OUT = frozenset(
    {
        *(WORD + name for name in ("del", "moveFrom", "pPr", "rPr")),
        "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback",
    }
)


def blocks(path: Path) -> Iterator[str]:
    """The text of each paragraph and each table row: headers, the body, notes, footers. Raises RefusedError.

    `need` has looked for bombs before.
    """
    from docx import Document  # noqa: PLC0415 -- 20 MB that a picture's process has no use for
    from docx.exceptions import PythonDocxError  # noqa: PLC0415
    from lxml.etree import LxmlError  # noqa: PLC0415

    with refusing(PythonDocxError, LxmlError):
        main = Document(str(path)).part
        for part in (*_related(main, BEFORE), main.element, *_related(main, BEHIND)):
            texts = _blocks(part)
            yield from texts if part is main.element else filter(str.strip, texts)


def _related(main: Any, kinds: tuple[str, ...]) -> Iterator[Any]:
    """The content of the parts of these kinds, in the order of the kinds."""
    from docx.oxml import parse_xml  # noqa: PLC0415

    for kind in kinds:
        for relation in main.rels.values():
            if relation.reltype == RELATIONS + kind and not relation.is_external:
                yield parse_xml(relation.target_part.blob)


def _blocks(parent: Any) -> Iterator[str]:
    """Paragraphs and rows, however they are wrapped: in content controls, insertions, tables in tables."""
    for child in parent:
        if child.tag == PARAGRAPH:
            yield "".join(_text(child))
        elif child.tag == ROW:
            yield "\t".join(_cells(child))
        elif child.tag not in LEFT_OUT:
            yield from _blocks(child)


def _cells(parent: Any) -> Iterator[str]:
    """A row's cells, each once, however many columns it goes across; empty lines in it are left out."""
    for child in parent:
        if child.tag == CELL:
            yield "\n".join(filter(str.strip, _blocks(child)))
        elif child.tag not in LEFT_OUT:
            yield from _cells(child)


def _text(parent: Any) -> Iterator[str]:
    """A paragraph's text, with that of text boxes in it on lines of their own."""
    for child in parent:
        if child.tag in TEXTS:
            yield child.text or ""
        elif child.tag in MARKS:
            yield MARKS[child.tag]
        elif child.tag not in LEFT_OUT:
            yield from ("\n",) if child.tag == PARAGRAPH else ()
            yield from _text(child)


def need(path: Path, max_unpacked: int) -> int:
    """The bytes of memory that reading takes.

    All is unpacked for that, keeping nothing: what a ZIP says of its sizes need not be true. Raises RefusedError.
    """
    left, copies = max_unpacked, 0
    with refusing(zipfile.BadZipFile, zlib.error, lzma.LZMAError), zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if len(entries) > MAX_ENTRIES:
            msg = f"the document has more than {MAX_ENTRIES} parts"
            raise RefusedError(msg)
        for entry in entries:
            size = _unpacked(archive, entry, left)
            left -= size
            copies += size * (XML_COPIES if entry.filename.endswith(".xml") else COPIES)
    if left < 0:
        msg = f"the document unpacks to more than {max_unpacked // MEBIBYTE} MiB"
        raise RefusedError(msg)
    return BASE + copies


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> int:
    """The bytes of a part; those beyond the limit are not unpacked."""
    size = 0
    with archive.open(entry) as file:
        while size <= limit and (chunk := file.read(CHUNK)):
            size += len(chunk)
    return size
