"""The text of a PDF, page by page, with the values of its forms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from processors.media.document.damage import refuse_damage
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from processors.sandbox.protocol import Parent

# In a PDF a soft hyphen is visible. At the end of a line it splits a word, which is joined again.
CUT = re.compile("(?<=[^\\W\\d_])\u00ad[ \t]*\r?\n(?=[^\\W\\d_])")
UNSEEN = 0x2 | 0x20  # flags of an annotation: hidden, and not on screens
PASSWORD = 0x2000  # flag of a field


class Pages:
    """The pages of a PDF: `count` in all, `read` so far, of which `empty` have no text (scans, blank, damaged)."""

    def __init__(self, path: Path, max_pages: int, parent: Parent) -> None:
        """Open the PDF, of which at most `max_pages` will be read. Raises RefusedError."""
        from pypdf import PdfReader  # noqa: PLC0415 -- 20 MB that images do not need

        with _refuse_damage():
            reader = PdfReader(path)
            if reader.is_encrypted and not reader.decrypt(""):
                msg = "the document is protected by a password"
                raise RefusedError(msg)
            self.count = len(reader.pages)
        self._pages, self._wanted, self._parent = reader.pages, min(self.count, max_pages), parent
        self._damages: list[RefusedError] = []
        self.read = self.empty = 0

    def __iter__(self) -> Iterator[str]:
        """The text of each page. Damaged parts are skipped. Raises RefusedError if no text is left."""
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
            with _refuse_damage():
                return part(self._pages[number])
        except RefusedError as error:
            self._damages.append(error)
            return ""


def _refuse_damage() -> Any:
    from pypdf.errors import DependencyError, DeprecationError, PyPdfError  # noqa: PLC0415 -- as above

    # SystemError: Python raises it for faults in C code, such as that of decryption.
    return refuse_damage(PyPdfError, DependencyError, DeprecationError, SystemError)


def _printed(page: Any) -> str:
    text: str = page.extract_text()
    return CUT.sub("", text).replace("\u00ad", "-")


def _filled_in(page: Any) -> str:
    """What was filled in on a page: values of form fields and free text, a line each."""
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
    """The lines of a field: a text, or the labels of the chosen options."""
    kind, value = _of(field, "/FT"), _of(field, "/V")
    if kind == "/Tx" and value is not None:
        return [_string(value)]
    if kind != "/Ch" or value is None:
        return []
    options = [option.get_object() for option in _of(field, "/Opt", ())]
    shown = {str(option[0]): str(option[1]) for option in options if isinstance(option, list)}
    return [shown.get(str(each), str(each)) for each in (value if isinstance(value, list) else [value])]


def _of(note: Any, key: str, default: Any = None) -> Any:
    """An entry of an annotation, or of its parent field; `default` if it is missing or null."""
    from pypdf.generic import is_null_or_none  # noqa: PLC0415 -- as above

    found = note.get_inherited(key)
    return default if is_null_or_none(found) else found


def _string(value: Any) -> str:
    """A text string; a long one may be a stream."""
    if not hasattr(value, "get_data"):
        return str(value)
    data: bytes = value.get_data()
    return data.decode("utf-16" if data.startswith((b"\xfe\xff", b"\xff\xfe")) else "utf-8", errors="replace")
