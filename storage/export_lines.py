"""Lines of an export, and what a spreadsheet takes for a formula. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# For Python and for Postgres. What begins, perhaps after blanks, with one of = + - @, a tab, a CR or a full-width sign
# is a formula, also after a line break (https://owasp.org/www-community/attacks/CSV_Injection, CVE-2021-41270).
_BLANKS = r"[ \v\f\u00a0\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]*"
FORMULA = rf"(^|[\n\r]){_BLANKS}[-=+@\t\r\uff1d\uff0b\uff0d\uff20]"
_FORMULA = re.compile(FORMULA)
_TO_QUOTE = re.compile(r'["\r\n,]|\A(?:\\\.)?\Z')  # as Postgres: also the empty text, which is not NULL
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"},
)


def escaped(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet may take it for a formula."""
    return f"'{text}" if _FORMULA.search(text) else text


def csv_line(cells: Iterable[str | None]) -> bytes:
    """A row of RFC 4180."""
    return f"{','.join(map(_csv_cell, cells))}\r\n".encode(errors="replace")


def copy_line(cells: Iterable[str | None]) -> bytes:
    """A row of Postgres's COPY."""
    written = ("\\N" if cell is None else cell.translate(_ESCAPES) for cell in cells)
    return f"{chr(9).join(written)}\n".encode(errors="replace")


def _csv_cell(text: str | None) -> str:
    if text is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if _TO_QUOTE.search(text) else text
