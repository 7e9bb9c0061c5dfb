"""An Office document as a package: a ZIP of parts, which are found by their relations, never by their names.

python-docx is not used: it reads every part, images too, and fails for templates, macros, strict OOXML and relations
without a target.
"""

from __future__ import annotations

import posixpath
import zipfile
from typing import TYPE_CHECKING, Any, Self

from processors.sandbox.limits import MEBIBYTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = MEBIBYTE
MAX_LIST = 4 * MEBIBYTE  # unpacked size of a list of relations or content types
TYPES = "[content_types].xml"


class Package:
    """Parts by name. All methods raise what zipfile and lxml raise if the package is damaged."""

    def __init__(self, path: Path) -> None:
        """Open the ZIP without unpacking."""
        self._archive = zipfile.ZipFile(path)
        self._names = {name.replace("\\", "/").lower(): name for name in self._archive.namelist()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()

    def main(self) -> str | None:
        """The name of the main part."""
        return next((name for kind, name in self.related() if kind == "officeDocument"), None)

    def related(self, source: str = "") -> Iterator[tuple[str, str]]:
        """The kinds and names of the parts to which the part `source`, or the package itself, has relations.

        A kind is the last word of a relation's type, which is the same in strict OOXML.
        """
        folder, name = posixpath.split(source)
        relations = posixpath.join(folder, "_rels", f"{name}.rels").lower()
        if relations not in self._names:
            return
        for relation in self.parse(relations, MAX_LIST):
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/").lower()
            if target in self._names and relation.get("TargetMode") != "External":
                yield relation.get("Type", "").rpartition("/")[2], target

    def content_type(self, name: str) -> str:
        """The content type of a part; "" if unknown."""
        ending = name.rpartition(".")[2]
        types = {}
        for entry in self.parse(TYPES, MAX_LIST) if TYPES in self._names else ():
            types[entry.get("PartName", entry.get("Extension", "")).lower()] = entry.get("ContentType", "")
        return str(types.get(f"/{name}", types.get(ending, "")))

    def size(self, name: str, limit: int) -> int:
        """Bytes of a part, counted by unpacking up to the limit. The size in the ZIP's directory need not be true."""
        size = 0
        with self._archive.open(self._names[name]) as file:
            while size <= limit and (chunk := file.read(CHUNK)):
                size += len(chunk)
        return size

    def parse(self, name: str, limit: int) -> Any:
        """The root of a part's XML. Raises ValueError beyond `limit` bytes. Entities are not expanded."""
        from lxml import etree  # noqa: PLC0415 -- 10 MB that images do not need

        with self._archive.open(self._names[name]) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            msg = f"{name} unpacks to more than {limit} bytes"
            raise ValueError(msg)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        return etree.fromstring(data, parser)
