"""Elasticsearch and OpenSearch: their `_bulk` compares versions, and gives each item a status of its own."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.search.http_api import Api

# What is read of an answer. Of the rest there may be megabytes.
FILTER = "?filter_path=items.*.status,items.*.error.type,items.*.error.reason"
GONE, CONFLICT = 404, 409
BUSY = {408, 429}
REFUSALS = {401, 403}
MAX_DOCUMENT = 10 * 1024 * 1024  # bytes: the smallest limit of hosted engines for a whole request


class Elastic:
    """The port `Engine` over Elasticsearch 8 and 9, and OpenSearch 2 and 3."""

    longest = MAX_DOCUMENT
    has_versions = True
    settling = 0.0

    def __init__(self, api: Api) -> None:
        """`api` is that of the engine."""
        self._api = api

    async def bulk(self, operations: Sequence[Operation]) -> list[Verdict]:
        """See the port."""
        lines = "".join(map(_lines, operations)).encode()
        answer = await self._api.call("POST", f"/_bulk{FILTER}", lines=lines)
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) != len(operations):
            msg = "its answer has not an item for each document"
            raise EngineAwayError(msg)
        with shape_expected():
            return [_verdict(operation, item) for operation, item in zip(operations, items, strict=True)]

    async def create(self, index: str) -> None:
        """See the port."""
        try:
            await self._api.call("PUT", path_of(index), {})
        except RequestRefusedError as error:
            if "already_exists" not in str(error):
                msg = f"it makes no index {index}: {error}"
                raise EngineRefusesError(msg) from None

    async def count(self, index: str) -> int:
        """See the port. The engine makes what it was sent findable first."""
        await self._api.call("POST", f"{path_of(index)}/_refresh", missing={})
        answer = await self._api.call("GET", f"{path_of(index)}/_count", missing={"count": 0})
        with shape_expected():
            return int(answer["count"])

    async def swap(self, alias: str, index: str) -> list[str]:
        """See the port. It happens in one step, also where an index of the alias's name has to go."""
        before = [name for name in await self._aliases_of(path_of(alias)) if name != index]
        actions: list[dict[str, Any]] = [
            {"remove_index": {"index": name}} if name == alias else {"remove": {"index": name, "alias": alias}}
            for name in before
        ]
        actions.append({"add": {"index": index, "alias": alias}})
        await self._api.call("POST", "/_aliases", {"actions": actions})
        return [name for name in before if name != alias]

    async def built(self, index: str) -> list[str]:
        """See the port."""
        found = await self._aliases_of(f"{path_of(f'{index}-')}*")
        return [name for name, aliases in found.items() if is_built(name, index) and index not in aliases]

    async def drop(self, index: str) -> None:
        """See the port."""
        await self._api.call("DELETE", path_of(index), missing={})

    async def _aliases_of(self, path: str) -> dict[str, Any]:
        """The indexes of a name or a pattern, each with its aliases."""
        found = await self._api.call("GET", f"{path}/_alias", missing={})
        with shape_expected():
            return {name: about["aliases"] for name, about in found.items()}


def _lines(operation: Operation) -> str:
    about: dict[str, Any] = {"_index": operation.index, "_id": operation.id}
    if operation.version is not None:
        # The same version again is no conflict: a run may be a second one.
        about |= {"version": operation.version, "version_type": "external_gte"}
    if operation.document is None:
        return f"{json.dumps({'delete': about})}\n"
    return f"{json.dumps({'index': about})}\n{operation.document}\n"


def _verdict(operation: Operation, item: dict[str, Any]) -> Verdict:
    [about] = item.values()
    status, why = about["status"], reason(about.get("error"))
    is_delete = operation.document is None
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return Verdict(Result.DELETED if is_delete else Result.INDEXED)
    if status == CONFLICT:
        return Verdict(Result.STALE)
    if status == GONE and is_delete:
        return Verdict(Result.MISSING)
    if status in REFUSALS or status == GONE:  # without an index, where the engine makes none by itself
        msg = f"it refuses to write to {operation.index}: {why}"
        raise EngineRefusesError(msg)
    if status in BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Verdict(Result.BUSY, f"it answers {status} for the document ({why})")
    return Verdict(Result.FAILED, why or f"status {status}")
