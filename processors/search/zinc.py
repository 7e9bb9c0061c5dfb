"""ZincSearch 0.4.10.

What its `_bulk` leaves unsaid is known from its source (pkg/handlers/document/bulk.go):

- It answers 200 whatever happens. Where a document stops it, `error` stands beside the items, the last item is the
  document that did, and what follows was not read. A document that is refused is one of `field [...]`.
- Each item says 200, `_version` 1. A delete that found nothing has an `error` of its own.
- A document line that it can't read is skipped, and the next line, an action, becomes the document. It can't read a
  number that a float64 can't hold, nor more than 10,000 levels.
- It compares no versions.
- It writes to an index of the alias's name where it is given an alias: only searches know aliases.
- What was written is in the index a second or two later. A delete looks there, and finds nothing before.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from processors.search.engine import (
    EngineAwayError,
    EngineRefusesError,
    Operation,
    RequestRefusedError,
    Result,
    Verdict,
)
from processors.search.http_api import path_of, reason, shape_expected
from processors.search.names import is_built
from queue_lib.plain_json import is_deeper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.search.http_api import Api

MAX_DOCUMENT = 900_000  # bytes; its own limit is 1 MiB for a line, and then it drops all that follows
SETTLING = 2.5  # seconds: its log is read every second
ES = "/es"
NOTHING = {"hits": {"total": {"value": 0}}}
DEEP = 500  # levels: Python 3.11 reads twice as many; ZincSearch reads 10,000, and skips what has more
TOO_DEEP = f"it is nested deeper than {DEEP} levels"
_HUGE = re.compile(r"[0-9]{300}|[eE]\+?[0-9]{3}")  # may be more than 1.8e308


class Zinc:
    """The port `Engine` over ZincSearch."""

    longest = MAX_DOCUMENT
    has_versions = False

    def __init__(self, api: Api, settling: float = SETTLING) -> None:
        """`api` is that of the server, without `/es`. `settling`: see the port."""
        self._api = api
        self.settling = settling

    async def bulk(self, operations: Sequence[Operation]) -> list[Verdict]:
        """See the port."""
        behind = {name: await self._written(name) for name in {operation.index for operation in operations}}
        lines = "".join(_lines(operation, behind[operation.index]) for operation in operations).encode()
        answer = await self._api.call("POST", f"{ES}/_bulk", lines=lines)
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) > len(operations):
            msg = "its answer has not an item for each document"
            raise EngineAwayError(msg)
        with shape_expected():
            done = [_verdict(operation, item) for operation, item in zip(operations, items, strict=False)]
        if stopped := answer.get("error"):
            done = _until_stop(done, str(stopped), len(operations))
        if len(done) < len(operations):
            msg = "it has left documents out"
            done += [Verdict(Result.BUSY, msg)] * (len(operations) - len(done))
        return done

    async def create(self, index: str) -> None:
        """See the port."""
        try:
            await self._api.call("PUT", ES + path_of(index), {})
        except RequestRefusedError as error:
            if "exist" not in str(error):
                msg = f"it makes no index {index}: {error}"
                raise EngineRefusesError(msg) from None

    async def count(self, index: str) -> int:
        """See the port. There is no other way: what was written a moment ago is not counted."""
        everything = {"query": {"match_all": {}}, "size": 0}
        try:
            answer = await self._api.call("POST", f"{ES}{path_of(index)}/_search", everything, missing=NOTHING)
        except RequestRefusedError:  # there is no such index
            return 0
        with shape_expected():
            return int(answer["hits"]["total"]["value"])

    async def swap(self, alias: str, index: str) -> list[str]:
        """See the port. For a moment the alias stands for both; the answer does not tell whether it was done."""
        before = [name for name in await self._behind(alias) if name != index]
        actions: list[dict[str, Any]] = [{"remove": {"index": name, "alias": alias}} for name in before]
        if index not in await self._behind(alias):
            actions.insert(0, {"add": {"index": index, "alias": alias}})
        await self._api.call("POST", f"{ES}/_aliases", {"actions": actions})
        if await self._behind(alias) != [index]:
            msg = f"it has not let the alias {alias} stand for {index}"
            raise EngineAwayError(msg)
        await self.drop(alias)  # an index of that name, which no search finds any more
        return before

    async def built(self, index: str) -> list[str]:
        """See the port."""
        names = await self._api.call("GET", f"/api/index_name?name={quote(index)}-")  # 30 of them; null without any
        behind = await self._behind(index)
        with shape_expected():
            return [str(name) for name in names or [] if is_built(str(name), index) and name not in behind]

    async def drop(self, index: str) -> None:
        """See the port."""
        try:
            await self._api.call("DELETE", f"/api/index{path_of(index)}", missing={})
        except RequestRefusedError:  # there is none
            return

    async def _behind(self, alias: str) -> list[str]:
        """The indexes that an alias stands for."""
        found = await self._api.call("GET", f"{ES}/_alias{path_of(alias)}", missing={})
        with shape_expected():
            return list((found or {}).keys())

    async def _written(self, name: str) -> str:
        """The index that is written to under this name, which may be an alias."""
        behind = await self._behind(name)
        return behind[-1] if behind else name


def _lines(operation: Operation, index: str) -> str:
    about = {"_index": index, "_id": operation.id}
    if operation.document is None:
        return f"{json.dumps({'delete': about})}\n"
    return f"{json.dumps({'index': about})}\n{_readable(operation.document)}\n"


def _readable(document: str) -> str:
    """The document with such numbers as texts. Raises RequestRefusedError for one that is nested too deeply."""
    if _HUGE.search(document) is None and document.count("[") + document.count("{") <= DEEP:
        return document
    try:
        value = json.loads(document, parse_float=_number, parse_int=_number)
    except RecursionError:
        raise RequestRefusedError(TOO_DEEP) from None
    if is_deeper(value, DEEP):
        raise RequestRefusedError(TOO_DEEP)
    return json.dumps(value, separators=(",", ":"))


def _number(text: str) -> float | int | str:
    value = float(text)
    if not math.isfinite(value):
        return text
    return value if "." in text or "e" in text.lower() else int(text)


def _verdict(operation: Operation, item: dict[str, Any]) -> Verdict:
    [about] = item.values()
    if operation.document is not None:
        return Verdict(Result.INDEXED)
    why = reason(about.get("error"))
    if not why:
        return Verdict(Result.DELETED)
    is_missing = "not found" in why or "not exist" in why
    return Verdict(Result.MISSING) if is_missing else Verdict(Result.BUSY, why)


def _until_stop(done: list[Verdict], error: str, count: int) -> list[Verdict]:
    """The verdicts up to the document that stopped it. Those that follow were not read."""
    why = reason(error)
    if "token too long" in error and len(done) < count:
        return [*done, Verdict(Result.FAILED, "it is longer than ZINC_MAX_DOCUMENT_SIZE")]
    last = Verdict(Result.FAILED, why) if error.startswith("field [") else Verdict(Result.BUSY, why)
    return [*done[:-1], last]
