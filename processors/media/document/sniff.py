"""What kind of document the bytes are, whatever their name."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from processors.media.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 1024  # bytes in which a PDF begins, as readers look for it
WORD = "word/document.xml"
TAKEN = "PDF, DOCX, plain text and Markdown"


def kind_of(path: Path) -> str:
    """`pdf`, `docx` or `text`. Raises RefusedError for all else."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        msg = "the file is empty"
        raise RefusedError(msg)
    if b"%PDF-" in head:
        return "pdf"
    if head.startswith(b"PK"):
        return _of_zip(path)
    return "text"


def _of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            if WORD in archive.namelist():
                return "docx"
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        msg = f"the document is damaged: {error}"
        raise RefusedError(msg) from error
    msg = f"not a document of a known kind; taken are {TAKEN}"
    raise RefusedError(msg)
