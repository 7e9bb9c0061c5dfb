"""Operations of many jobs in few requests, as large as the engine takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.search.engine import Operation, RequestRefusedError, RequestTooLargeError, Result, Verdict
from processors.search.payload import PAGE
from processors.search.rest import Rest
from storage.batcher import Batcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from processors.search.engine import Engine

REQUEST_BYTES = 5 * 1024 * 1024  # of documents in one request; one that is larger goes alone


class Writer:
    """Sends operations to one engine."""

    def __init__(self, engine: Engine, rest: Rest | None = None) -> None:
        """`rest` knows whether the engine is left alone."""
        self.rest = Rest() if rest is None else rest
        self._engine = engine
        self._batcher: Batcher[Operation, Verdict] = Batcher(self._together, PAGE)

    async def write(self, operation: Operation) -> Verdict:
        """Send an operation with those of other jobs. Raises as `write_all` does."""
        return await self._batcher.get(operation)

    async def write_all(self, operations: Sequence[Operation]) -> list[Verdict]:
        """Send these; the verdicts are in their order. Raises EngineAwayError, also while the engine is left alone."""
        await self.rest.check()
        verdicts: list[Verdict] = []
        for part in parts(operations):
            with self.rest.learning():
                verdicts += await self._send(part)
        return verdicts

    async def _together(self, operations: Sequence[Operation]) -> dict[Operation, Verdict]:
        return dict(zip(operations, await self.write_all(operations), strict=True))

    async def _send(self, operations: Sequence[Operation]) -> list[Verdict]:
        """Send them in one request, or in halves where the engine does not take it."""
        try:
            return await self._engine.bulk(operations)
        except RequestTooLargeError:
            fault = f"the engine takes no request of {operations[0].size:,} bytes"
        except RequestRefusedError as error:
            fault = str(error)
        if len(operations) == 1:
            return [Verdict(Result.FAILED, fault)]
        middle = len(operations) // 2
        return await self._send(operations[:middle]) + await self._send(operations[middle:])


def parts(operations: Sequence[Operation]) -> Iterator[Sequence[Operation]]:
    """The operations in requests of at most 500 and, unless one alone has more, 5 MiB."""
    start, size = 0, 0
    for number, operation in enumerate(operations):
        if number > start and (size + operation.size > REQUEST_BYTES or number - start == PAGE):
            yield operations[start:number]
            start, size = number, 0
        size += operation.size
    if start < len(operations):
        yield operations[start:]
