"""A search engine's double, rows in memory, and the jobs of search over both."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from embedded.search_server import SearchServer
from processors.outbound import HttpClient
from processors.search.backfill import Backfill
from processors.search.dependencies import SearchDependencies
from processors.search.index_doc import IndexDoc
from processors.search.opening import engine_of
from processors.search.payload import BackfillPayload, BackfillResult, IndexPayload, IndexResult
from processors.search.rebuilds import Rebuilds
from processors.search.settings import SearchSettings
from processors.search.writer import Writer
from queue_lib.broker.cache import MemoryCache
from storage.errors import SchemaError, StatementRefusedError
from storage.ports import SearchRow, Span
from tests.support.fakes import FakeContext, make_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from embedded.search_indexes import Kind

LAG = 0.02  # seconds until the double's ZincSearch has a document in its index


@dataclass
class FakeRows:
    """The port `SearchRows`: rows by id. `hook` is awaited after each read, before the rows are handed out."""

    rows: dict[str, SearchRow] = field(default_factory=dict)
    fault: Exception | None = None
    hook: Callable[[], Awaitable[None]] | None = None
    reads: int = 0
    unreadable: set[str] = field(default_factory=set)
    are_too_many: bool = False  # to be counted

    def put(self, row_id: str, document: dict[str, Any], version: int | None = None) -> None:
        """A row as it is now."""
        text = json.dumps(document)
        self.rows[row_id] = SearchRow(row_id, text, version, len(text))

    async def with_ids(self, entity: str, ids: Sequence[str]) -> dict[str, SearchRow]:
        """See the port."""
        self.reads += 1
        self._check(entity)
        if not self.unreadable.isdisjoint(ids):
            msg = "division by zero (22012)"
            raise StatementRefusedError(msg)
        found = {row_id: self.rows[row_id] for row_id in ids if row_id in self.rows}
        if self.hook is not None:
            await self.hook()
        return found

    async def page(self, entity: str, after: str | None, limit: int, span: Span) -> list[SearchRow]:
        """See the port."""
        self._check(entity)
        ids = sorted(row_id for row_id in self.rows if after is None or row_id > after)
        found = [self.rows[row_id] for row_id in ids[:limit]]
        if self.hook is not None:
            await self.hook()
        return found

    async def count(self, entity: str, span: Span) -> tuple[int, int] | None:
        """See the port."""
        self._check(entity)
        if self.are_too_many:
            return None
        return len(self.rows), sum(not row.is_deleted for row in self.rows.values())

    def _check(self, entity: str) -> None:
        if self.fault is not None:
            raise self.fault
        if entity == "nothing":
            msg = 'there is no view "search_nothing"'
            raise SchemaError(msg)


class World:
    """An engine, rows, and the jobs over both. Pauses take a moment."""

    def __init__(self, server: SearchServer, url: str, http: HttpClient) -> None:
        self.server, self.rows, self.pauses = server, FakeRows(), list[float]()
        self.now = 1_796_000_000.0
        settings = SearchSettings(search_url=SecretStr(url), search_engine=server.kind, search_index_prefix="t-")
        self.engine = engine_of(settings, http)
        self.passed = 0.0  # seconds of pauses
        self.rebuilds = Rebuilds(MemoryCache(), lambda: self.passed)
        self.dependencies = self.worker()
        self.contexts: dict[str, FakeContext] = {}

    def worker(self) -> SearchDependencies:
        """What one more process has."""
        return SearchDependencies(
            self.rows, self.engine, Writer(self.engine), self.rebuilds, "t-", lambda: self.now, self._pause
        )

    def row(self) -> SearchRow:
        """Some row, which the view does not have."""
        return SearchRow("any", "{}", None, 2)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.passed += seconds
        await asyncio.sleep(LAG * 2)

    async def index(self, processor: IndexDoc | None = None, **data: Any) -> IndexResult:
        """One run of `index_doc`."""
        payload = IndexPayload.model_validate({"entity": "Post", **data})
        return await (processor or IndexDoc(self.dependencies))(payload, FakeContext())

    async def backfill(self, job_id: str = "b", *, seconds: float = 120.0, **data: Any) -> BackfillResult:
        """One run of the job `job_id`."""
        job = make_job(id=job_id, name="backfill", queue="search", data={"entity": "Post", **data})
        context = self.contexts.setdefault(job_id, FakeContext(job))
        context.seconds = seconds
        return await Backfill(self.dependencies)(BackfillPayload.model_validate(job.data), context)

    async def found(self) -> dict[str, Any]:
        """What a search finds, when the engine has settled."""
        await asyncio.sleep(self.server.indexes.lag * 2)
        return self.server.indexes.documents("t-post")

    def wanted(self) -> dict[str, Any]:
        """What it should find."""
        return {row.id: json.loads(row.document or "") for row in self.rows.rows.values() if not row.is_deleted}


@asynccontextmanager
async def search_world(kind: Kind) -> AsyncIterator[World]:
    """A double of this kind, and the jobs over it."""
    server, http = SearchServer(kind, lag=LAG if kind == "zincsearch" else 0.0), HttpClient()
    try:
        yield World(server, await server.start(), http)
    finally:
        await http.close()
        await server.stop()
