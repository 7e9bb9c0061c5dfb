"""The text of a Word document: its paragraphs and tables in their order."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from processors.media.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_ENTRIES = 2000
CHUNK = 1024 * 1024  # bytes


def blocks(path: Path, max_unpacked: int) -> Iterator[str]:
    """The text of each paragraph and each table row. Raises RefusedError."""
    from docx import Document  # noqa: PLC0415 -- 20 MB that a picture's process has no use for
    from docx.opc.exceptions import OpcError  # noqa: PLC0415
    from docx.table import Table  # noqa: PLC0415
    from lxml.etree import LxmlError  # noqa: PLC0415

    refuse_bombs(path, max_unpacked)
    try:
        for block in Document(str(path)).iter_inner_content():
            if isinstance(block, Table):
                yield from ("\t".join(cell.text for cell in row.cells) for row in block.rows)
            else:
                yield block.text
    # Hostile bytes lead the library to any of these, as well as to its own.
    except (OpcError, LxmlError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        msg = f"the document is damaged: {error or type(error).__name__}"
        raise RefusedError(msg) from error


def refuse_bombs(path: Path, max_unpacked: int) -> None:
    """Unpack all of it once, keeping nothing: what a ZIP says of its sizes need not be true. Raises RefusedError."""
    left = max_unpacked
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ENTRIES:
                msg = f"the document has more than {MAX_ENTRIES} parts"
                raise RefusedError(msg)
            for entry in entries:
                with archive.open(entry) as file:
                    while left >= 0 and (chunk := file.read(CHUNK)):
                        left -= len(chunk)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, RuntimeError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        msg = f"the document is damaged: {error}"
        raise RefusedError(msg) from error
    if left < 0:
        msg = f"the document unpacks to more than {max_unpacked // 1024**2} MiB"
        raise RefusedError(msg)
