"""Make the index equal to the rows: write what was read, look again, and write again what has changed meanwhile.

Whoever writes last has looked after it: so the index ends as the row is, in whatever order jobs and backfills run, and
also with an engine that knows no versions. A row with a version needs no second look, because the engine itself refuses
to go back. Where it refuses, and the row is still what it was, the index is ahead of the row: a row that is gone has no
version, so its delete counts as one more than the last. Then the row is written without a version.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from processors.search.engine import Operation, Result, Verdict
from queue_lib.errors import SnoozeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from processors.search.engine import Engine
    from storage.ports import SearchRow

    # The rows with these ids, by id; those that are gone are left out.
    Read = Callable[[Sequence[str]], Awaitable[Mapping[str, SearchRow]]]
    Write = Callable[[Sequence[Operation]], Awaitable[Sequence[Verdict]]]

ROUNDS = 20  # looks at a row that changes all the time
SOON = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Keeper:
    """Keeps documents as their rows are. `indexes` are written to; the first one's verdicts are returned.

    `looks_twice`: also at rows with a version, because a row that is gone has none.
    """

    engine: Engine
    read: Read
    write: Write
    sleep: Callable[[float], Awaitable[None]]
    indexes: Sequence[str]
    looks_twice: bool = False

    async def keep(self, rows: Mapping[str, SearchRow | None]) -> dict[str, Verdict]:
        """Write these rows, by their ids; None: it is gone. Raises EngineAwayError and storage's errors.

        Raises SnoozeError if rows change faster than they are written.
        """
        verdicts: dict[str, Verdict] = {}
        seen = dict(rows)
        for _ in range(ROUNDS):
            verdicts |= await self._write(rows)
            looked = [row_id for row_id, row in rows.items() if self._may_be_late(row, verdicts[row_id])]
            if not looked:
                return verdicts
            found = await self.read(looked)
            changed = {row_id: found.get(row_id) for row_id in looked if found.get(row_id) != seen[row_id]}
            seen |= changed
            rows = changed | {
                row_id: replace(row, version=None)
                for row_id, row in rows.items()
                if row is not None and row_id not in changed and verdicts[row_id].result is Result.STALE
            }
            if not rows:
                return verdicts
        msg = "the row changes faster than it is written"
        raise SnoozeError(msg, SOON)

    def _may_be_late(self, row: SearchRow | None, verdict: Verdict) -> bool:
        is_guarded = row is not None and row.version is not None and self.engine.has_versions
        return self.looks_twice or not is_guarded or verdict.result is Result.STALE

    async def _write(self, rows: Mapping[str, SearchRow | None]) -> dict[str, Verdict]:
        verdicts = {
            row_id: Verdict(Result.FAILED, too_large(row.size, self.engine))
            for row_id, row in rows.items()
            if row is not None and _is_too_large(row, self.engine)
        }
        pairs = [(row_id, row) for row_id, row in rows.items() if row_id not in verdicts]
        operations = [operation_of(index, row_id, row) for index in self.indexes for row_id, row in pairs]
        written = await self.write_settled(operations)
        for number, verdict in enumerate(written):
            row_id = pairs[number % len(pairs)][0]
            if number < len(pairs) or verdict.result in {Result.FAILED, Result.BUSY, Result.STALE}:
                verdicts[row_id] = verdict
        return verdicts

    async def write_settled(self, operations: Sequence[Operation]) -> list[Verdict]:
        """Write; and delete once more what was not found, where the engine may have taken it a moment before."""
        verdicts = list(await self.write(operations)) if operations else []
        missing = [number for number, verdict in enumerate(verdicts) if verdict.result is Result.MISSING]
        if missing and self.engine.settling:
            await self.sleep(self.engine.settling)
            again = await self.write([replace(operations[number]) for number in missing])
            for number, verdict in zip(missing, again, strict=True):
                verdicts[number] = verdict
        return verdicts


def operation_of(index: str, row_id: str, row: SearchRow | None) -> Operation:
    """What makes the document as the row is."""
    if row is None:
        return Operation(index, row_id, None)
    return Operation(index, row.id, None if row.is_deleted else row.document, row.version)


def _is_too_large(row: SearchRow, engine: Engine) -> bool:
    return not row.is_deleted and (row.document is None or row.size > engine.longest)


def too_large(size: int, engine: Engine) -> str:
    """Why it is not sent."""
    return f"the document has {size:,} bytes, and the search engine takes {engine.longest:,}"
