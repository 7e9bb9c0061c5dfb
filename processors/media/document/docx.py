"""The text of a Word document: its paragraphs and tables in order."""

from __future__ import annotations

import functools
import lzma
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from processors.media.document.damage import refuse_damage
from processors.media.document.package import Package
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.protocol import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Bytes of memory, measured with lxml 6.1: for the library, and for each byte of XML.
BASE, COPIES = 60 * MEBIBYTE, 12

# Part of the content types of documents and templates, with and without macros.
WORD_TYPES = ("wordprocessingml", "ms-word")
BEFORE, BEHIND = ("header",), ("footnotes", "endnotes", "footer")  # parts that are read before and after the main one

OPEN, STRICT = "http://schemas.openxmlformats.org/", "http://purl.oclc.org/ooxml/"
PREFIXES = {
    f"{OPEN}wordprocessingml/2006/main": "w",
    f"{STRICT}wordprocessingml/main": "w",
    f"{OPEN}officeDocument/2006/math": "m",
    f"{STRICT}officeDocument/math": "m",
    f"{OPEN}markup-compatibility/2006": "mc",
}
TEXTS = frozenset({"w:t", "m:t"})
MARKS = {"w:tab": "\t", "w:ptab": "\t", "w:br": "\n", "w:cr": "\n", "w:noBreakHyphen": "-"}
PRIVATE = range(0xE000, 0xF900)  # code points of symbol fonts, which mean nothing in other fonts
# Tracked deletions and moves; the properties of paragraphs, whose tab stops are no tabs; and fallbacks for programs
# that can't show a text box, which repeat its text.
GONE = frozenset({"w:del", "w:moveFrom"})
LEFT_OUT = GONE | {"w:pPr", "w:rPr", "mc:Fallback"}


def is_one(path: Path) -> bool:
    """Whether a ZIP is a Word document or template. Raises RefusedError if it is damaged."""
    with _opened(path) as package:
        main = package.main()
        return main is not None and any(kind in package.content_type(main) for kind in WORD_TYPES)


def need(path: Path, max_unpacked: int) -> int:
    """The bytes of memory that reading takes. Raises RefusedError if more than `max_unpacked` bytes would be unpacked.

    It unpacks all parts that are read, and keeps nothing.
    """
    left = max_unpacked
    with _opened(path) as package:
        for name in _parts(package):
            left -= package.size(name, left)
    if left < 0:
        msg = f"the document unpacks to more than {max_unpacked // MEBIBYTE} MiB"
        raise RefusedError(msg)
    return BASE + COPIES * (max_unpacked - left)


def blocks(path: Path, max_unpacked: int) -> Iterator[str]:
    """The text of each paragraph and table row: headers, body, notes, footers. Raises RefusedError.

    Call `need` first, which detects bombs.
    """
    with _opened(path) as package:
        main = package.main()
        for name in _parts(package):
            texts = _blocks(package.parse(name, max_unpacked))
            yield from texts if name == main else filter(str.strip, texts)


@contextmanager
def _opened(path: Path) -> Iterator[Package]:
    from lxml.etree import LxmlError  # noqa: PLC0415 -- 10 MB that images do not need

    with refuse_damage(zipfile.BadZipFile, zlib.error, lzma.LZMAError, LxmlError), Package(path) as package:
        yield package


def _parts(package: Package) -> list[str]:
    """The names of the parts that are read, each once, in order."""
    main = package.main() or ""
    kinds = tuple(package.related(main))

    def of(wanted: tuple[str, ...]) -> list[str]:
        return [name for each in wanted for kind, name in kinds if kind == each]

    return list(dict.fromkeys([*of(BEFORE), main, *of(BEHIND)]))


@functools.cache
def _short(tag: str) -> str:
    """The short name of an element, such as `w:p`, in transitional and strict OOXML; "" for other namespaces."""
    namespace, _, name = tag[1:].partition("}")
    return f"{PREFIXES[namespace]}:{name}" if namespace in PREFIXES else ""


def _children(parent: Any) -> Iterator[tuple[str, Any]]:
    """The children that are not skipped, with their short names. Entities, which are not expanded, are skipped."""
    for child in parent:
        name = _short(child.tag) if isinstance(child.tag, str) else None
        if name is not None and name not in LEFT_OUT:
            yield name, child


def _blocks(parent: Any) -> Iterator[str]:
    """Paragraphs and rows at any depth: in content controls, insertions, nested tables."""
    begun = ""  # the text of a paragraph whose mark was deleted: the next one continues it
    for name, child in _children(parent):
        if name == "w:p":
            begun += "".join(_text(child))
            if not _is_gone(child, "w:pPr", "w:rPr"):
                yield begun
                begun = ""
        elif name == "w:tr":
            if not _is_gone(child, "w:trPr"):
                yield "\t".join(_cells(child))
        else:
            yield from _blocks(child)
    if begun:
        yield begun


def _is_gone(parent: Any, *path: str) -> bool:
    """Whether a tracked change has deleted the mark of this paragraph, or this row."""
    if not path:
        return any(isinstance(child.tag, str) and _short(child.tag) in GONE for child in parent)
    within = (child for child in parent if isinstance(child.tag, str) and _short(child.tag) == path[0])
    return any(_is_gone(child, *path[1:]) for child in within)


def _cells(parent: Any) -> Iterator[str]:
    """The cells of a row, each once even if it spans columns, without empty lines."""
    for name, child in _children(parent):
        if name == "w:tc":
            yield "\n".join(filter(str.strip, _blocks(child)))
        else:
            yield from _cells(child)


def _text(parent: Any) -> Iterator[str]:
    """The text of a paragraph; text boxes in it are on lines of their own."""
    for name, child in _children(parent):
        if name in TEXTS:
            yield child.text or ""
        elif name in MARKS:
            yield MARKS[name]
        elif name == "w:sym":
            yield _symbol(child)
        elif name == "w:rt":  # ruby: how the characters are read
            yield f"({''.join(_text(child))})"
        else:
            yield from ("\n",) if name == "w:p" else ()
            yield from _text(child)


def _symbol(element: Any) -> str:
    code = next((int(value, 16) for key, value in element.items() if key.endswith("}char")), 0)
    return "" if code in PRIVATE else chr(code)
