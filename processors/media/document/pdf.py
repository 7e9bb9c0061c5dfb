"""The text of a PDF, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.media.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from processors.media.sandbox.wire import Parent


def pages(path: Path, max_pages: int, parent: Parent) -> Iterator[str]:
    """The text of each page, up to `max_pages`. Raises RefusedError."""
    from pypdf import PdfReader  # noqa: PLC0415 -- 20 MB that a picture's process has no use for
    from pypdf.errors import PyPdfError  # noqa: PLC0415

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            msg = "the document is protected by a password"
            raise RefusedError(msg)
        count = len(reader.pages)
        for number in range(min(count, max_pages)):
            yield reader.pages[number].extract_text()
            parent.progress(100 * (number + 1) / count)
    # Hostile bytes lead the library to any of these, as well as to its own.
    except (PyPdfError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        msg = f"the document is damaged: {error or type(error).__name__}"
        raise RefusedError(msg) from error


def count_pages(path: Path) -> int:
    """How many pages there are; `pages` has read some by then."""
    from pypdf import PdfReader  # noqa: PLC0415

    return len(PdfReader(path).pages)
