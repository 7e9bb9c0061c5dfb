"""A search engine on this machine, for tests and benchmarks: Elasticsearch's `_bulk` as two engines speak it.

`elasticsearch` (and OpenSearch) compare versions, and give each item a status. `zincsearch` answers 200 whatever
happens, as the source of 0.4.10 does (pkg/handlers/document/bulk.go). Faults can be ordered for the next requests.
It keeps documents and finds all of them: it ranks nothing.
"""

from __future__ import annotations

import base64
import fnmatch
import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from embedded.search_indexes import Index, Indexes

if TYPE_CHECKING:
    from embedded.search_indexes import Kind

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Fault:
    """The answer to a request in place of the usual one.

    `cut`: the connection breaks in place of it. `done`: what was asked for is done all the same.
    """

    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    cut: bool = False
    done: bool = False


class SearchServer:
    """One engine. `faults` answer the next requests to `_bulk`, and all of them while `is_away`."""

    def __init__(self, kind: Kind, *, user: str = "", max_request: int = 100 * 1024 * 1024, lag: float = 0.0) -> None:
        """`user` is `name:password`, if it wants one. `max_request` are bytes. `lag`: as of Indexes."""
        self.kind, self.user, self.max_request = kind, user, max_request
        self.indexes = Indexes(lag)
        self.faults: deque[Fault] = deque()
        self.is_away = False
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self, port: int = 0) -> str:
        """Listen on a port of this machine; returns SEARCH_URL. After a stop it listens on the same one."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port or self._port).start()
        self._port = self._runner.addresses[0][1]
        return f"http://{f'{self.user}@' if self.user else ''}127.0.0.1:{self._port}"

    async def stop(self) -> None:
        """Refuse connections; what it has taken stays."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if (refusal := self._refusal(request, body)) is not None:
            return refusal
        path = request.path.removeprefix("/es") if self.kind == "zincsearch" else request.path
        if not path.endswith("/_bulk"):
            return self._manage(request.method, path, request.query.get("name", ""), body)
        fault = self.faults.popleft() if self.faults else None
        if fault is not None and not fault.done:
            return _failed(request, fault)
        try:
            done = self.indexes.zinc_bulk(body) if self.kind == "zincsearch" else self.indexes.bulk(body)
        except ValueError as error:
            return _error(400, "illegal_argument_exception", str(error))
        return web.json_response(done) if fault is None else _failed(request, fault)

    def _refusal(self, request: web.Request, body: bytes) -> web.Response | None:
        if self.is_away:
            return web.json_response({"error": "away"}, status=503)
        signature = f"Basic {base64.b64encode(self.user.encode()).decode()}"
        if self.user and request.headers.get("Authorization") != signature:
            return _error(401, "security_exception", "missing authentication credentials")
        return web.Response(status=413) if len(body) > self.max_request else None

    def _manage(self, method: str, path: str, wanted: str, body: bytes) -> web.Response:
        """All but `_bulk`: by the method and the last part that begins with `_`."""
        parts = [part for part in path.split("/") if part]
        verb = next((part for part in parts if part.startswith("_")), parts[0] if parts[:1] == ["api"] else "")
        name = parts[-1] if method == "DELETE" or parts[:1] == ["_alias"] else parts[0] if parts else ""
        answers = {
            ("GET", ""): lambda: web.json_response({"name": "double"}),
            ("POST", "_aliases"): lambda: self._change_aliases(json.loads(body)["actions"]),
            ("GET", "_alias"): lambda: self._aliases_of(name, is_alias=parts[0] == "_alias"),
            ("GET", "api"): lambda: web.json_response(
                [each for each in self.indexes.all if wanted in each][:30] or None
            ),
            ("PUT", ""): lambda: self._create(name),
            ("DELETE", "api"): lambda: self._delete(name),
            ("DELETE", ""): lambda: self._delete(name),
            ("POST", "_refresh"): lambda: self._found(name, {}),
            ("GET", "_count"): lambda: self._found(name, {"count": len(self.indexes.documents(name))}),
            ("POST", "_search"): lambda: self._search(name),
        }
        answer = answers.get((method, verb))
        return _error(405, "illegal_argument_exception", f"{method} {path}") if answer is None else answer()

    def _found(self, name: str, answer: dict[str, Any]) -> web.Response:
        return web.json_response(answer) if self.indexes.behind(name) else _missing(name)

    def _search(self, name: str) -> web.Response:
        found = self.indexes.documents(name)
        hits = [{"_id": row_id, "_source": source} for row_id, source in found.items()]
        return self._found(name, {"hits": {"total": {"value": len(found)}, "hits": hits}})

    def _aliases_of(self, name: str, *, is_alias: bool) -> web.Response:
        """The indexes of an alias (`/_alias/name`), or those of a name or a pattern (`/name/_alias`)."""
        aliases = self.indexes.aliases
        if is_alias:
            found: Any = {index: {"aliases": {name: {}}} for index in aliases.get(name, ())}
            return web.json_response(found)
        names = [*self.indexes.behind(name), *(each for each in self.indexes.all if fnmatch.fnmatchcase(each, name))]
        found = {
            index: {"aliases": {alias: {} for alias, behind in aliases.items() if index in behind}} for index in names
        }
        return web.json_response(found) if found or "*" in name else _missing(name)

    def _change_aliases(self, actions: list[dict[str, Any]]) -> web.Response:
        for action in actions:
            [(kind, about)] = action.items()
            if kind == "remove_index":
                self.indexes.all.pop(about["index"], None)
            elif kind == "remove":
                self.indexes.aliases.get(about["alias"], set()).discard(about["index"])
            elif about["index"] in self.indexes.all:
                self.indexes.aliases.setdefault(about["alias"], set()).add(about["index"])
            elif self.kind != "zincsearch":  # which says nothing
                return _missing(about["index"])
        return web.json_response({"acknowledged": True})

    def _create(self, name: str) -> web.Response:
        if name in self.indexes.all:
            return _error(400, "resource_already_exists_exception", f"index [{name}] already exists")
        self.indexes.all[name] = Index()
        return web.json_response({"acknowledged": True})

    def _delete(self, name: str) -> web.Response:
        if self.indexes.all.pop(name, None) is not None:
            return web.json_response({"acknowledged": True})
        return _error(400, "", f"index {name} does not exists") if self.kind == "zincsearch" else _missing(name)


def _failed(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.cut and request.transport is not None:
        request.transport.close()
    text = fault.body if isinstance(fault.body, str) else json.dumps(fault.body)
    return web.Response(status=fault.status, headers=fault.headers, text=text, content_type=JSON)


def _error(status: int, kind: str, reason: str) -> web.Response:
    error: Any = {"type": kind, "reason": reason} if kind else reason
    return web.json_response({"error": error, "status": status}, status=status)


def _missing(name: str) -> web.Response:
    return _error(404, "index_not_found_exception", f"no such index [{name}]")
