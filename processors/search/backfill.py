"""`backfill`: all rows of an entity into its index, or into a new index that takes its place."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import ValidationError

from processors.outage import outages_put_off
from processors.search.counting import METRIC, counting
from processors.search.engine import Result
from processors.search.keeping import Keeper
from processors.search.names import index_of
from processors.search.payload import SHOWN, BackfillPayload, BackfillResult
from processors.search.rebuilding import Rebuilding
from queue_lib.errors import PermanentError, SnoozeError, TransientError
from queue_lib.processor import Model
from storage.errors import SchemaError
from storage.ports import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from processors.search.dependencies import SearchDependencies
    from processors.search.engine import Operation, Verdict
    from queue_lib.job import Job
    from queue_lib.outcome import Failure
    from queue_lib.processor import Context
    from storage.ports import SearchRow

MARGIN = 30.0  # seconds before the deadline from which on no page begins
POSITION = "position"  # the note's key
BUSY_PAUSES = (1.0, 2.0, 4.0)  # seconds before documents that the engine can't take now are sent again
LOOKS, LOOK_EVERY = 10, 1.5  # at the count, and seconds between them: what was written is found a little later


class Position(Model):
    """How far a backfill is: the id `after` which the next page begins.

    `target` is the index that a rebuild fills; `is_swapped`: searches find it.
    """

    after: str | None = None
    rows: int = 0
    indexed: int = 0
    failed: int = 0
    pages: int = 0
    seconds: float = 0.0
    failed_ids: tuple[str, ...] = ()
    target: str | None = None
    is_swapped: bool = False


class Backfill:
    """Reads the view in pages by id, and notes the last id after each: another run goes on there."""

    def __init__(self, dependencies: SearchDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: BackfillPayload, context: Context, /) -> BackfillResult:
        """Run one job, or a part of it: it raises SnoozeError if another run has to go on.

        Raises PermanentError for a missing view, and TransientError if the index has fewer documents than the view.
        """
        noted = (await context.notes()).get(POSITION)
        position = Position.model_validate_json(noted) if noted else Position()
        with counting(context), _faults_told():
            return await _Run(self._dependencies, payload, context, position).to_the_end()

    async def on_dead(self, job: Job, _: Failure, /) -> None:
        """Remove the half of a rebuild."""
        try:
            payload = BackfillPayload.model_validate(job.data)
        except ValidationError:
            return
        index = index_of(payload.entity, self._dependencies.prefix)
        if payload.rebuild:
            await Rebuilding(self._dependencies, index, job.id).give_up()


@contextmanager
def _faults_told() -> Iterator[None]:
    try:
        with outages_put_off():
            yield
    except SchemaError as error:
        raise PermanentError(str(error)) from error


class _Run:
    """One run of a backfill."""

    def __init__(
        self, dependencies: SearchDependencies, payload: BackfillPayload, context: Context, position: Position
    ) -> None:
        self._shared, self._payload, self._context, self._position = dependencies, payload, context, position
        self._index = index_of(payload.entity, dependencies.prefix)
        self._span = Span(payload.start, payload.end)
        self._began, self._before = time.monotonic(), position.seconds
        self._margin = min(MARGIN, context.remaining() / 2)
        self._rebuilding = Rebuilding(dependencies, self._index, context.job.id) if payload.rebuild else None

    async def to_the_end(self) -> BackfillResult:
        if self._position.is_swapped and self._rebuilding is not None:
            await self._rebuilding.end()
            return self._result()
        counted = await self._shared.rows.count(self._payload.entity, self._span)
        await self._shared.writer.rest.check()
        keeper = await self._keeper()
        began_at = self._position.after
        while rows := await self._page():
            # Each run writes a page at least: however long the count took, it gets on.
            if self._position.after != began_at and self._context.remaining() < self._margin:
                msg = "its time is nearly over; the rest follows in another run"
                raise SnoozeError(msg, 0.0)
            await self._write(keeper, rows)
            if self._rebuilding is not None:
                await self._rebuilding.go_on(keeper.indexes[0])
            await self._note()
            if counted is not None:
                await self._context.progress(min(99.0, round(100 * self._position.rows / max(1, counted[0]), 1)))
        await self._finish(keeper.indexes[0], is_counted=counted is not None)
        await self._context.progress(100)
        return self._result()

    async def _keeper(self) -> Keeper:
        entity, shared = self._payload.entity, self._shared
        index = self._index if self._rebuilding is None else await self._begin(self._rebuilding)

        async def read(ids: Sequence[str]) -> Mapping[str, SearchRow]:
            return await shared.rows.with_ids(entity, ids)

        return Keeper(shared.engine, read, self._patiently, shared.sleep, [index], looks_twice=True)

    async def _begin(self, rebuilding: Rebuilding) -> str:
        """The index that is filled."""
        index = self._position.target or rebuilding.name()
        if self._position.rows:
            await rebuilding.go_on(index)
            return index
        self._position = self._position.model_copy(update={"target": index})
        await self._note()  # before the index is there: a run that is killed leaves nothing that no run knows
        await rebuilding.begin(index)
        return index

    async def _page(self) -> list[SearchRow]:
        return await self._shared.rows.page(
            self._payload.entity, self._position.after, self._payload.page_size, self._span
        )

    async def _write(self, keeper: Keeper, rows: Sequence[SearchRow]) -> None:
        verdicts = await keeper.keep({row.id: row for row in rows})
        failed = [row_id for row_id, verdict in verdicts.items() if verdict.result is Result.FAILED]
        for row_id in failed[: max(0, SHOWN - len(self._position.failed_ids))]:
            await self._context.log(f"{row_id[:200]}: {verdicts[row_id].reason}")
        for result in Result:
            if count := sum(verdict.result is result for verdict in verdicts.values()):
                self._context.count(METRIC, {"documents": {result.value: count}})
        before, indexed = self._position, sum(verdict.result is Result.INDEXED for verdict in verdicts.values())
        self._position = before.model_copy(
            update={
                "after": rows[-1].id,
                "rows": before.rows + len(rows),
                "indexed": before.indexed + indexed,
                "failed": before.failed + len(failed),
                "pages": before.pages + 1,
                "failed_ids": (*before.failed_ids, *failed)[:SHOWN],
            }
        )

    async def _patiently(self, operations: Sequence[Operation]) -> list[Verdict]:
        """Write, and send again what the engine can't take now. Raises SnoozeError if it can't for long."""
        verdicts = await self._shared.writer.write_all(operations)
        for pause in (*BUSY_PAUSES, None):
            busy = [number for number, verdict in enumerate(verdicts) if verdict.result is Result.BUSY]
            if not busy:
                break
            if pause is None:
                raise SnoozeError(verdicts[busy[0]].reason, BUSY_PAUSES[-1])
            await self._shared.sleep(pause)
            again = await self._shared.writer.write_all([operations[number] for number in busy])
            for number, verdict in zip(busy, again, strict=True):
                verdicts[number] = verdict
        return verdicts

    async def _note(self) -> None:
        seconds = round(self._before + time.monotonic() - self._began, 3)
        self._position = self._position.model_copy(update={"seconds": seconds})
        await self._context.note({POSITION: self._position.model_dump_json(by_alias=True)})

    async def _finish(self, index: str, *, is_counted: bool) -> None:
        """Count, and swap. Raises TransientError if documents are missing: the next attempt writes all of them."""
        if self._span == Span() and is_counted:
            await self._count(index)
        if self._rebuilding is not None:
            await self._rebuilding.go_on(index)
            await self._rebuilding.swap(index)
            self._position = self._position.model_copy(update={"is_swapped": True})
            await self._note()  # before it is forgotten: another run would take it for one that was overtaken
            await self._rebuilding.end()

    async def _count(self, index: str) -> None:
        hits = wanted = 0
        for look in range(LOOKS):
            if look:
                await self._shared.sleep(LOOK_EVERY)
            hits = await self._shared.engine.count(index)
            if (counted := await self._shared.rows.count(self._payload.entity, self._span)) is None:
                return
            _, live = counted
            # Rows that came meanwhile may still have their own jobs.
            wanted = min(self._position.indexed, live - self._position.failed)
            if hits >= wanted:
                return
        self._context.count(METRIC, {"documents": {"lost": wanted - hits}})
        self._position = Position(target=self._position.target, seconds=self._position.seconds)
        await self._note()
        msg = f"the search engine has {hits:,} documents in {index}, and {wanted:,} were written"
        raise TransientError(msg)

    def _result(self) -> BackfillResult:
        at = self._position
        seconds = round(self._before + time.monotonic() - self._began, 3)
        return BackfillResult(
            index=self._index,
            indexed=at.indexed,
            failed=at.failed,
            pages=at.pages,
            seconds=seconds,
            failed_ids=list(at.failed_ids),
        )
