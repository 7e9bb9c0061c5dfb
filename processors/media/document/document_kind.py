"""The kind of a document, detected by its bytes. The file name does not matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.media.document import docx
from processors.media.document.charset import CONTROL
from processors.media.document.text import NOT_TAKEN
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 64 * 1024  # bytes that are read
PDF, PDF_STARTS = b"%PDF-", 1024  # a PDF's signature, and the bytes in which readers search it
PDF_BLANKS = b"\xef\xbb\xbf \t\r\n\f"
RTF = b"{\\rtf"  # consists of characters, but is no readable text
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # an old Office document, or a new one with a password
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def kind_of(path: Path) -> str:
    """`pdf`, `docx` or `text`. Raises RefusedError for anything else."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        msg = "the file is empty"
        raise RefusedError(msg)
    if head.startswith(COMPOUND) and ENCRYPTED in path.read_bytes():
        msg = "the document is protected by a password"
        raise RefusedError(msg)
    if head.startswith((COMPOUND, RTF)) or (head.startswith(ZIP) and not docx.is_one(path)):
        raise RefusedError(NOT_TAKEN)
    if head.startswith(ZIP):
        return "docx"
    return "pdf" if _is_pdf(head) else "text"


def _is_pdf(head: bytes) -> bool:
    """Whether the signature is at the start, or later in a file that is not text: a text may mention it."""
    if head.lstrip(PDF_BLANKS).startswith(PDF):
        return True
    return PDF in head[:PDF_STARTS] and CONTROL.search(head.decode("latin-1")) is not None
