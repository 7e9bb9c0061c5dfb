"""The rows that are to be found by search: from the views `search_<entity>`, which the app's migrations make.

A view is looked up when a job names it, so that a new one needs no restart. Its columns `id`, `version` and `deletedAt`
are read apart; all others are the document.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, select

from storage.bounded import CANCELLED, bounded
from storage.errors import StatementRefusedError, StorageError
from storage.identity import as_id
from storage.search_view import View, columns_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from storage.database import Database
    from storage.ports import SearchRow, Span

PREFIX = "search_"
FEW = 20  # ids
KEPT = 60.0  # seconds for which the columns of a view are remembered


class SqlSearchRows:
    """The port `SearchRows` over views of the app's database."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._database = database
        self._clock = clock
        self._views: dict[str, tuple[float, View]] = {}
        self._readers = database.readers()

    async def with_ids(self, entity: str, ids: Sequence[str]) -> dict[str, SearchRow]:
        """The rows with these ids; rows that are gone are left out."""
        view = await self._view(entity)
        values = {text: as_id(view.id, text) for text in ids}
        asked = [value for value in values.values() if value is not None]
        found = {row.id: row for row in await self._with(entity, view, asked)} if asked else {}
        return {text: found[str(value)] for text, value in values.items() if str(value) in found}

    async def page(self, entity: str, after: str | None, limit: int, span: Span) -> list[SearchRow]:
        """The next rows by id, `limit` or fewer; none at the end. Raises SchemaError as `count` does."""
        view = await self._view(entity)
        return await self._read(entity, view, view.page(after, limit, span))

    async def count(self, entity: str, span: Span) -> tuple[int, int] | None:
        """Count, within bounds. Reads the view's columns anew.

        Raises SchemaError if there is no such view, if it has no `id`, or no `updatedAt` for a span.
        """
        self._views.pop(entity, None)
        view = await self._view(entity)
        query = select(func.count(), func.count().filter(~view.is_deleted)).where(view.within(span))
        try:
            async with bounded(self._database, writes=False) as connection:
                rows, live = (await connection.execute(query.select_from(view.source))).one()
        except StatementRefusedError as error:
            if error.code != CANCELLED:
                raise
            return None
        return int(rows), int(live)

    async def _view(self, entity: str) -> View:
        known = self._views.get(entity)
        if known is not None and self._clock() - known[0] < KEPT:
            return known[1]
        async with self._database.connection() as connection:
            columns = await connection.run_sync(columns_of, PREFIX + entity, self._database.schema)
        view = View(PREFIX + entity, columns, self._database, self._readers)
        self._views[entity] = self._clock(), view
        return view

    async def _with(self, entity: str, view: View, ids: Sequence[Any]) -> list[SearchRow]:
        """The rows of a few ids come over a connection of their own: every job of a row asks for one."""
        if len(ids) > FEW:
            return await self._read(entity, view, view.of_ids, {"ids": ids})
        with self._faults_learnt(entity):
            return [view.read(row) for row in await view.of_few(ids)]

    async def _read(
        self, entity: str, view: View, query: Select[Any], values: Mapping[str, Any] | None = None
    ) -> list[SearchRow]:
        with self._faults_learnt(entity):
            async with self._database.connection() as connection:
                return [view.read(row) for row in await connection.execute(query, values)]

    @contextmanager
    def _faults_learnt(self, entity: str) -> Iterator[None]:
        try:
            yield
        except StorageError:
            self._views.pop(entity, None)  # it may have been made anew
            raise
