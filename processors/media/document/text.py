"""Plain text: which bytes are text, and what of it is kept."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from processors.media.document.sniff import CONTROLS, TAKEN
from processors.media.sandbox.wire import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

# A byte order mark decides; without one it is UTF-8, or else what old Windows programs write.
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
BINARY = re.compile(CONTROLS)
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MAX_BYTES_A_CHARACTER = 4


def read(path: Path, max_characters: int) -> str:
    """The text of a file, of which no more is read than is wanted. Raises RefusedError for what is no text."""
    with path.open("rb") as file:
        data = file.read(wanted(max_characters))
    text = _decoded(data)
    if BINARY.search(text):
        msg = f"not a document of a known kind; taken are {TAKEN}"
        raise RefusedError(msg)
    return text


def wanted(max_characters: int) -> int:
    """The bytes that are read for so many characters, at most."""
    return (max_characters + 2) * MAX_BYTES_A_CHARACTER


def _decoded(data: bytes) -> str:
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        # A character that was cut in two at the end is no reason to take it for another encoding.
        return codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def cleaned(text: str) -> str:
    """The text without control characters, its lines ended by a line feed."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return CONTROL.sub("", lines).encode(errors="replace").decode()
