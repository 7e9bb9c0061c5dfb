"""What a search engine on this machine holds, and how the two kinds of `_bulk` change it."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["elasticsearch", "zincsearch"]
ZINC_LINE = 1024 * 1024  # bytes of a line: ZINC_MAX_DOCUMENT_SIZE
MAX_ID = 512  # bytes


@dataclass(slots=True)
class Document:
    """What an index has for an id: None was deleted, and its version is remembered."""

    source: dict[str, Any] | None
    version: int = 1


@dataclass(slots=True)
class Index:
    """The documents by id, and the types of fields as the first document had them. `pending` are not findable yet."""

    documents: dict[str, Document] = field(default_factory=dict)
    types: dict[str, type] = field(default_factory=dict)
    pending: list[tuple[float, str, dict[str, Any] | None]] = field(default_factory=list)

    def misfit(self, source: dict[str, Any]) -> tuple[str, Any] | None:
        """A field that had numbers first, and has something else now: its name and value."""
        for name, value in source.items():
            known = self.types.setdefault(name, type(value)) if value is not None else None
            if known in {int, float} and not _is_number(value):
                return name, value
        return None


class Indexes:
    """All indexes and aliases. `busy` ids are refused once, as overloaded. `loses`: ids that it only says it takes."""

    def __init__(self, lag: float = 0.0) -> None:
        """`lag`: seconds until ZincSearch has a document in its index."""
        self.lag = lag
        self.all: dict[str, Index] = {}
        self.aliases: dict[str, set[str]] = {}
        self.busy: set[str] = set()
        self.loses: set[str] = set()
        self.bulks: list[int] = []  # documents of each request to `_bulk`

    def documents(self, name: str) -> dict[str, dict[str, Any]]:
        """What a search of everything finds, behind an alias, too."""
        found: dict[str, dict[str, Any]] = {}
        for index in self.behind(name):
            self._settle(self.all[index])
            held = self.all[index].documents.items()
            found |= {row_id: document.source for row_id, document in held if document.source is not None}
        return found

    def behind(self, name: str) -> list[str]:
        """The indexes of a name that may be an alias."""
        of_alias = sorted(index for index in self.aliases.get(name, ()) if index in self.all)
        return of_alias or ([name] if name in self.all else [])

    def bulk(self, body: bytes) -> dict[str, Any]:
        """Elasticsearch's: each item has a status of its own. Raises ValueError for a body without its last newline."""
        lines = body.split(b"\n")
        if lines.pop() != b"":
            msg = "The bulk request must be terminated by a newline [\\n]"
            raise ValueError(msg)
        items, rest = [], iter(lines)
        for line in rest:
            [(action, about)] = json.loads(line).items()
            items.append({action: self._item(action, about, None if action == "delete" else next(rest))})
        self.bulks.append(len(items))
        return {"took": 1, "errors": any("error" in each for item in items for each in item.values()), "items": items}

    def zinc_bulk(self, body: bytes) -> dict[str, Any]:
        """ZincSearch's: it skips lines that are no JSON, and says so nowhere; a document may stop it."""
        items: list[dict[str, Any]] = []
        about: dict[str, Any] | None = None
        error = ""
        for line in body.split(b"\n"):
            if len(line) >= ZINC_LINE:
                error = "bufio.Scanner: token too long"
            if error:
                break
            try:
                found = json.loads(line, parse_float=_go_float, parse_int=_go_int)
            except (ValueError, RecursionError):
                continue  # the next line becomes the document
            if about is not None:
                items.append({"index": _zinc_item(about)})
                error, about = self._zinc_write(about, found), None
                continue
            [(action, what)] = found.items()
            if action == "delete":
                items.append({"delete": _zinc_item(what, self._zinc_delete(what))})
            else:
                about = what
        self.bulks.append(len(items))
        return {"took": 0, "errors": False, "items": items} | ({"error": error} if error else {})

    def _item(self, action: str, about: dict[str, Any], line: bytes | None) -> dict[str, Any]:
        row_id, name = about["_id"], about["_index"]
        base = {"_index": name, "_id": row_id}
        if (fault := self._fault_of(row_id, name)) is not None:
            return base | fault
        index = self.all.setdefault(next(iter(self.behind(name)), name), Index())
        held, version = index.documents.get(row_id), about.get("version")
        if version is not None and held is not None and version < held.version:
            reason = f"[{row_id}]: version conflict, current version [{held.version}] is higher than the one provided"
            return base | _item_error(409, "version_conflict_engine_exception", reason)
        new = version if version is not None else (held.version + 1 if held else 1)
        if action == "delete":
            is_there = held is not None and held.source is not None
            index.documents[row_id] = Document(None, new)
            return base | {"status": 200 if is_there else 404, "result": "deleted" if is_there else "not_found"}
        return base | self._write(index, row_id, line or b"", new)

    def _write(self, index: Index, row_id: str, line: bytes, version: int) -> dict[str, Any]:
        try:
            source = json.loads(line)
        except (ValueError, RecursionError):
            return _item_error(400, "document_parsing_exception", "failed to parse")
        if (misfit := index.misfit(source)) is not None:
            name, value = misfit
            reason = f"failed to parse field [{name}] of type [long] in document with id '{row_id}'"
            return _item_error(400, "document_parsing_exception", f"{reason}. Preview of field's value: '{value}'")
        if row_id not in self.loses:
            index.documents[row_id] = Document(source, version)
        return {"status": 201, "result": "created", "_version": version}

    def _fault_of(self, row_id: str, name: str) -> dict[str, Any] | None:
        if row_id in self.busy:
            self.busy.discard(row_id)
            return _item_error(429, "es_rejected_execution_exception", "rejected execution of primary operation")
        if len(row_id.encode()) > MAX_ID:
            return _item_error(400, "illegal_argument_exception", "id is too long")
        if name != name.lower():
            return _item_error(400, "invalid_index_name_exception", "must be lowercase")
        return None

    def _zinc_write(self, about: dict[str, Any], source: dict[str, Any]) -> str:
        index = self.all.setdefault(about["_index"], Index())  # an alias is no alias here
        if about["_id"] in self.busy:
            self.busy.discard(about["_id"])
            return "no space left on device"
        if (misfit := index.misfit(source)) is not None:
            name, value = misfit
            return f"field [{name}] was set type to [numeric] but the value [{value}] can't convert to int"
        if about["_id"] not in self.loses:
            index.pending.append((time.monotonic() + self.lag, about["_id"], source))
        return ""

    def _zinc_delete(self, about: dict[str, Any]) -> str:
        index = self.all.setdefault(about["_index"], Index())
        self._settle(index)
        held = index.documents.get(about["_id"])
        if held is None or held.source is None:
            return "id not found"
        index.pending.append((time.monotonic() + self.lag, about["_id"], None))
        return ""

    @staticmethod
    def _settle(index: Index) -> None:
        now = time.monotonic()
        while index.pending and index.pending[0][0] <= now:
            _, row_id, source = index.pending.pop(0)
            index.documents[row_id] = Document(source)


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _go_float(text: str) -> float:
    """A number as Go reads it: one that float64 can't hold makes the whole line unreadable."""
    if not _is_number(text):
        raise ValueError(text)
    return float(text)


def _go_int(text: str) -> int:
    return int(_go_float(text)) if len(text) > 300 else int(text)  # noqa: PLR2004 -- digits of a float64


def _item_error(status: int, kind: str, reason: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": kind, "reason": reason}}


def _zinc_item(about: dict[str, Any], error: str = "") -> dict[str, Any]:
    item = {"_index": about["_index"], "_id": about["_id"], "_version": 1, "status": 200}
    return item | ({"error": error} if error else {})
