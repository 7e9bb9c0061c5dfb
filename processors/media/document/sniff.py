"""What kind of document the bytes are, whatever their name."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

from processors.media.document.guard import refusing
from processors.media.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 64 * 1024  # bytes that are looked at
PDF, PDF_STARTS = b"%PDF-", 1024  # a PDF's mark, and the bytes in which readers look for it
PDF_BLANKS = b"\xef\xbb\xbf \t\r\n\f"
CONTROLS = r"[\x00-\x08\x0e-\x1a\x1c-\x1f]"  # no text has one of these
BINARY = re.compile(CONTROLS.encode())
WORD = "word/document.xml"
TAKEN = "PDF, DOCX, plain text and Markdown"


def kind_of(path: Path) -> str:
    """`pdf`, `docx` or `text`. Raises RefusedError for all else."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        msg = "the file is empty"
        raise RefusedError(msg)
    if head.startswith(b"PK"):
        return _of_zip(path)
    return "pdf" if _is_pdf(head) else "text"


def _is_pdf(head: bytes) -> bool:
    """Whether the mark is at the beginning, or behind something else in a file that is no text: text may name it."""
    if head.lstrip(PDF_BLANKS).startswith(PDF):
        return True
    return PDF in head[:PDF_STARTS] and BINARY.search(head) is not None


def _of_zip(path: Path) -> str:
    with refusing(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        if WORD in archive.namelist():
            return "docx"
    msg = f"not a document of a known kind; taken are {TAKEN}"
    raise RefusedError(msg)
