"""Lines of an export, and what a spreadsheet takes for a formula. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def _any_of(characters: str) -> str:
    """A pattern for one of them, in octal beyond ASCII."""
    octal = ("".join(rf"\\{byte:03o}" for byte in each.encode()) for each in characters if not each.isascii())
    return "|".join([f"[{''.join(filter(str.isascii, characters))}]", *octal])


# What begins, perhaps after blanks, with one of = + - @, a tab, a CR or a full-width sign is a formula, also after a
# line break (https://owasp.org/www-community/attacks/CSV_Injection, CVE-2021-41270).
_BLANKS = " \v\f\u00a0\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200C)))
_SIGNS = "-=+@\t\r\uff1d\uff0b\uff0d\uff20"
FORMULA = rf"(^|[\n\r])[{_BLANKS}]*[{_SIGNS}]"  # for Python and for Postgres
# The same where all bytes beyond ASCII are in octal, as Postgres's `encode(..., 'escape')` writes them.
FORMULA_IN_OCTAL = rf"(^|[\n\r])({_any_of(_BLANKS)})*({_any_of(_SIGNS)})"
_FORMULA = re.compile(FORMULA)
# Codes of first characters, first to last, with which no formula begins in the first line. Most texts have them.
PLAIN = ((48, 60), (65, 126))
_BEGINS_PLAIN = re.compile(f'"[{"".join(f"{chr(first)}-{chr(last)}" for first, last in PLAIN)}]')
_CELL = re.compile(r'("[^"]*(?:""[^"]*)*"|[^,"\n]*)(?:,|\n\Z)')  # of a row of COPY's csv
_TO_QUOTE = re.compile(r'["\r\n,]|\A(?:\\\.)?\Z')  # as Postgres: also the empty text, which is not NULL
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"},
)


def escaped(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet may take it for a formula."""
    return f"'{text}" if _FORMULA.search(text) else text


def escaped_below(row: bytes, are_texts: Sequence[bool]) -> bytes:
    """A row of COPY's csv in which texts are escaped, except plain beginnings with a formula in a later line.

    `are_texts`: for each cell. Only a cell of several lines, which has quotes, may change.
    """
    cells = zip(_CELL.findall(row.decode()), are_texts, strict=True)
    return f"{','.join(_escaped_below(cell) if is_text else cell for cell, is_text in cells)}\n".encode()


def _escaped_below(cell: str) -> str:
    return f"\"'{cell[1:]}" if _BEGINS_PLAIN.match(cell) and _FORMULA.search(cell) else cell


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
