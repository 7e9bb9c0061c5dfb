"""The package that an Office document is: a ZIP of parts, which are found by their relations, never by their names.

python-docx reads every part of it, images too, and knows neither templates nor macros nor strict OOXML, nor a
relation that leads nowhere.
"""

from __future__ import annotations

import posixpath
import zipfile
from typing import TYPE_CHECKING, Any, Self

from processors.media.sandbox.limits import MEBIBYTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = MEBIBYTE
MAX_LIST = 4 * MEBIBYTE  # unpacked, of a list of relations or content types
TYPES = "[content_types].xml"


class Package:
    """Parts by their names. All methods raise what zipfile and lxml raise for a damaged one."""

    def __init__(self, path: Path) -> None:
        """Open it; nothing is unpacked yet."""
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
        """The kinds and names of the parts that a part points to; those of the package itself without a `source`.

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
        """The content type of a part; "" if the package does not say."""
        ending = name.rpartition(".")[2]
        types = {}
        for entry in self.parse(TYPES, MAX_LIST) if TYPES in self._names else ():
            types[entry.get("PartName", entry.get("Extension", "")).lower()] = entry.get("ContentType", "")
        return str(types.get(f"/{name}", types.get(ending, "")))

    def size(self, name: str, limit: int) -> int:
        """The bytes of a part; those beyond the limit are not unpacked. What a ZIP says of them need not be true."""
        size = 0
        with self._archive.open(self._names[name]) as file:
            while size <= limit and (chunk := file.read(CHUNK)):
                size += len(chunk)
        return size

    def parse(self, name: str, limit: int) -> Any:
        """The root of a part's XML, of `limit` bytes at most; no entity is followed, and nothing outside is read."""
        from lxml import etree  # noqa: PLC0415 -- 10 MB that an image's process has no use for

        with self._archive.open(self._names[name]) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            msg = f"{name} unpacks to more than {limit} bytes"
            raise ValueError(msg)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        return etree.fromstring(data, parser)
