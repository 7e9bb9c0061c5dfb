"""Plain text: what is read of it, and what is kept of any document's text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from processors.media.document.charset import encoding_of, is_text
from processors.media.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

NOT_TAKEN = "not a document of a known kind; taken are PDF, Word (DOCX), plain text and Markdown"
MAX_BYTES_A_CHARACTER = 4

# What ends a line or a page, in any system; the end of a page beside that of a line is no line of its own.
LINE_END = re.compile("[\x0b\x0c]*(?:\r\n|[\n\r\x1c-\x1e\x85\u2028\u2029])[\x0b\x0c]*|[\x0b\x0c]+")
COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")  # and what else a terminal obeys
UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x9f\u00ad\ufeff]")


def read(path: Path, max_characters: int) -> str:
    """The text of a file, of which no more is read than is wanted. Raises RefusedError for what is no text."""
    with path.open("rb") as file:
        data = file.read(wanted(max_characters))  # beyond what is kept, so that no character of that is cut in two
    text = data.decode(encoding_of(data), errors="replace")
    if not is_text(text):
        raise RefusedError(NOT_TAKEN)
    return text


def wanted(max_characters: int) -> int:
    """The bytes that are read for so many characters, at most."""
    return (max_characters + 2) * MAX_BYTES_A_CHARACTER


def cleaned(text: str) -> str:
    """The text without what nobody sees, its lines ended by line feeds. No words are joined by that."""
    lines = LINE_END.sub("\n", COLOUR.sub("", text)).replace("\x1f", " ")
    return UNSEEN.sub("", lines).encode(errors="replace").decode()
