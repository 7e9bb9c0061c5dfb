"""`index_doc`: the document of one row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from processors.outage import outages_put_off
from processors.search.counting import counting, failed
from processors.search.engine import Operation, Result, Verdict
from processors.search.keeping import Keeper, too_large
from processors.search.names import index_of
from processors.search.payload import IndexResult
from queue_lib.errors import PermanentError, SnoozeError
from storage.batcher import Batcher
from storage.errors import SchemaError, StatementRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processors.search.dependencies import SearchDependencies
    from processors.search.keeping import Read
    from processors.search.payload import IndexPayload
    from queue_lib.processor import Context
    from storage.ports import SearchRow

ROWS = 20  # in one query: each may have 10 MiB
BUSY_FOR = 5.0  # seconds


class IndexDoc:
    """Makes one document as its row is, or as the payload says. Jobs that run together share queries and requests."""

    def __init__(self, dependencies: SearchDependencies) -> None:
        self._dependencies = dependencies
        self._readers: dict[str, Batcher[str, SearchRow | None]] = {}

    async def __call__(self, payload: IndexPayload, context: Context, /) -> IndexResult:
        """Run one job. Raises PermanentError for a document that the engine refuses, and for a missing view."""
        shared = self._dependencies
        index = index_of(payload.entity, shared.prefix)
        with counting(context):
            await shared.writer.rest.check()
            rebuild = await shared.rebuilds.lately(index)
            indexes = [index, *([rebuild.target] if rebuild else [])]
            keeper = Keeper(shared.engine, self._reader(payload.entity), self._write, shared.sleep, indexes)
            verdict = await self._verdict(payload, keeper)
            context.count("search", {"documents": {str(verdict.result): 1}})
        if verdict.result is Result.BUSY:
            raise SnoozeError(verdict.reason, BUSY_FOR)
        if verdict.result is Result.FAILED:
            raise PermanentError(failed(index, verdict.reason))
        return IndexResult(index=index, id=payload.id, result=verdict.result.value)

    async def _verdict(self, payload: IndexPayload, keeper: Keeper) -> Verdict:
        if payload.document is None and payload.action == "upsert":
            try:
                with outages_put_off():
                    rows = await keeper.read([payload.id])
                    return (await keeper.keep({payload.id: rows.get(payload.id)}))[payload.id]
            except SchemaError as error:
                self._readers.pop(payload.entity, None)  # jobs may name any number of entities
                raise PermanentError(str(error)) from error
        given = [self._given(payload, index) for index in keeper.indexes]
        if given[0].size > keeper.engine.longest:
            return Verdict(Result.FAILED, too_large(given[0].size, keeper.engine))
        verdicts = await keeper.write_settled(given)
        return next((each for each in verdicts if each.result in {Result.BUSY, Result.FAILED}), verdicts[0])

    @staticmethod
    def _given(payload: IndexPayload, index: str) -> Operation:
        document = None if payload.action == "delete" else payload.text()
        return Operation(index, payload.id, document, payload.version)

    async def _write(self, operations: Sequence[Operation]) -> list[Verdict]:
        return list(await asyncio.gather(*map(self._dependencies.writer.write, operations)))

    def _reader(self, entity: str) -> Read:
        batcher = self._readers.get(entity)
        if batcher is None:

            async def look_up(ids: Sequence[str]) -> dict[str, SearchRow | None]:
                found = await self._dependencies.rows.with_ids(entity, ids)
                return {row_id: found.get(row_id) for row_id in ids}

            batcher = self._readers[entity] = Batcher(look_up, ROWS)

        async def read(ids: Sequence[str]) -> Mapping[str, SearchRow]:
            rows = {row_id: await self._row(entity, batcher, row_id) for row_id in ids}
            return {row_id: row for row_id, row in rows.items() if row is not None}

        return read

    async def _row(self, entity: str, batcher: Batcher[str, SearchRow | None], row_id: str) -> SearchRow | None:
        try:
            return await batcher.get(row_id)
        except StatementRefusedError:  # perhaps another job's row is at fault
            return (await self._dependencies.rows.with_ids(entity, [row_id])).get(row_id)
