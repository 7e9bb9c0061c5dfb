"""Plain text: reading it, and cleaning the text of any document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from processors.media.document.charset import encoding_of, is_text
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

NOT_TAKEN = "not a document of a known kind; supported are PDF, Word (DOCX), plain text and Markdown"
MAX_BYTES_A_CHARACTER = 4

# Ends of lines and pages in any system. The end of a page beside that of a line makes no extra line.
LINE_END = re.compile("[\x0b\x0c]*(?:\r\n|[\n\r\x1c-\x1e\x85\u2028\u2029])[\x0b\x0c]*|[\x0b\x0c]+")
COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # colours and other commands for terminals
UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x9f\u00ad\ufeff]")


def read(path: Path, max_characters: int) -> str:
    """The text of a file, read only as far as needed. Raises RefusedError if it is not text."""
    with path.open("rb") as file:
        data = file.read(wanted(max_characters))  # a little more than is kept, so that no kept character is cut
    text = data.decode(encoding_of(data), errors="replace")
    if not is_text(text):
        raise RefusedError(NOT_TAKEN)
    return text


def wanted(max_characters: int) -> int:
    """The most bytes that are read for this number of characters."""
    return (max_characters + 2) * MAX_BYTES_A_CHARACTER


def cleaned(text: str) -> str:
    """The text without invisible characters, with line feeds at the ends of lines. No words are joined."""
    lines = LINE_END.sub("\n", COLOUR.sub("", text)).replace("\x1f", " ")
    return UNSEEN.sub("", lines).encode(errors="replace").decode()
