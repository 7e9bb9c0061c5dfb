"""The text of a PDF, page by page, with what was filled in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from processors.media.document.damage import refusing
from processors.media.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from processors.media.sandbox.protocol import Parent

# A page has no characters that nobody sees: a soft hyphen is a hyphen, which at a line's end has cut a word in two.
CUT = re.compile("(?<=[^\\W\\d_])\u00ad[ \t]*\r?\n(?=[^\\W\\d_])")
UNSEEN = 0x2 | 0x20  # an annotation's flags: hidden, and not for screens
PASSWORD = 0x2000  # a field's flag


class Pages:
    """A PDF's pages: `count` in all, `read` so far, and `empty` ones of these: scans, blank or damaged pages."""

    def __init__(self, path: Path, max_pages: int, parent: Parent) -> None:
        """Find the pages, of which `max_pages` will be read. Raises RefusedError."""
        from pypdf import PdfReader  # noqa: PLC0415 -- 20 MB that an image's process has no use for

        with _refusing():
            reader = PdfReader(path)
            if reader.is_encrypted and not reader.decrypt(""):
                msg = "the document is protected by a password"
                raise RefusedError(msg)
            self.count = len(reader.pages)
        self._pages, self._wanted, self._parent = reader.pages, min(self.count, max_pages), parent
        self._damages: list[RefusedError] = []
        self.read = self.empty = 0

    def __iter__(self) -> Iterator[str]:
        """The text of each page; what is damaged takes nothing else with it. Raises RefusedError if nothing is left."""
        for number in range(self._wanted):
            text = "\n".join(filter(None, (self._tried(_printed, number), self._tried(_filled_in, number))))
            self.read += 1
            self.empty += not text.strip()
            yield text
            self._parent.progress(100 * self.read / self.count)
        if self._damages and self.empty == self.read:
            raise self._damages[0]

    def _tried(self, part: Callable[[Any], str], number: int) -> str:
        try:
            with _refusing():
                return part(self._pages[number])
        except RefusedError as error:
            self._damages.append(error)
            return ""


def _refusing() -> Any:
    from pypdf.errors import DependencyError, DeprecationError, PyPdfError  # noqa: PLC0415 -- as above

    # SystemError: what Python makes of a fault in C code, of the decryption for one.
    return refusing(PyPdfError, DependencyError, DeprecationError, SystemError)


def _printed(page: Any) -> str:
    text: str = page.extract_text()
    return CUT.sub("", text).replace("\u00ad", "-")


def _filled_in(page: Any) -> str:
    """What people have written on a page: the values of fields, and text that was put beside them, a line each."""
    lines: list[str] = []
    for reference in _of(page, "/Annots", ()):
        note = reference.get_object()
        if not isinstance(note, dict) or _of(note, "/F", 0) & UNSEEN:
            continue
        if _of(note, "/Subtype") == "/FreeText":
            lines.append(_string(_of(note, "/Contents", "")))
        elif _of(note, "/Subtype") == "/Widget" and not _of(note, "/Ff", 0) & PASSWORD:
            lines += _value(note)
    return "\n".join(filter(str.strip, lines))


def _value(field: Any) -> list[str]:
    """A text, or what was chosen of a list, in the words that are shown."""
    kind, value = _of(field, "/FT"), _of(field, "/V")
    if kind == "/Tx" and value is not None:
        return [_string(value)]
    if kind != "/Ch" or value is None:
        return []
    options = [option.get_object() for option in _of(field, "/Opt", ())]
    shown = {str(option[0]): str(option[1]) for option in options if isinstance(option, list)}
    return [shown.get(str(each), str(each)) for each in (value if isinstance(value, list) else [value])]


def _of(note: Any, key: str, default: Any = None) -> Any:
    """What an annotation has, or the field above it; a null is nothing."""
    from pypdf.generic import is_null_or_none  # noqa: PLC0415 -- as above

    found = note.get_inherited(key)
    return default if is_null_or_none(found) else found


def _string(value: Any) -> str:
    """A text, which may be a stream if it is long."""
    if not hasattr(value, "get_data"):
        return str(value)
    data: bytes = value.get_data()
    return data.decode("utf-16" if data.startswith((b"\xfe\xff", b"\xff\xfe")) else "utf-8", errors="replace")
