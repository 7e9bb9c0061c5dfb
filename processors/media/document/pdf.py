"""The text of a PDF, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.media.document.guard import refusing
from processors.media.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from processors.media.sandbox.wire import Parent


def pages(path: Path, max_pages: int, parent: Parent) -> Iterator[str]:
    """The text of each page, up to `max_pages`. Raises RefusedError."""
    from pypdf import PdfReader  # noqa: PLC0415 -- 20 MB that a picture's process has no use for
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    with refusing(PyPdfError):
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            msg = "the document is protected by a password"
            raise RefusedError(msg)
        count = len(reader.pages)
        for number in range(min(count, max_pages)):
            yield reader.pages[number].extract_text()
            parent.progress(100 * (number + 1) / count)


def count_pages(path: Path) -> int:
    """How many pages there are; `pages` has read some by then."""
    from pypdf import PdfReader  # noqa: PLC0415
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    with refusing(PyPdfError):
        return len(PdfReader(path).pages)
