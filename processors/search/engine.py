"""A search engine, as the jobs see it: documents in, one verdict for each, and indexes behind aliases."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from queue_lib.errors import SnoozeError

if TYPE_CHECKING:
    from collections.abc import Sequence

AWAY_FOR, REFUSED_FOR = 5.0, 300.0  # seconds


class EngineAwayError(SnoozeError):
    """The engine does not answer, or can't serve now: the jobs wait, and no attempt is used."""

    def __init__(self, reason: str, delay: float = AWAY_FOR) -> None:
        """Ask again in `delay` seconds."""
        super().__init__(f"the search engine: {reason}", delay)


class EngineRefusesError(EngineAwayError):
    """The engine refuses this worker, whatever it is sent: somebody must correct its settings."""

    def __init__(self, reason: str) -> None:
        """The jobs wait for five minutes."""
        super().__init__(reason, REFUSED_FOR)


class RequestTooLargeError(Exception):
    """The engine takes no request of this size."""


class RequestRefusedError(Exception):
    """The engine refuses a request for what is in it; the message is the engine's reason."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """A document to write, or to delete (None). `document` is JSON in one line.

    With a `version` the engine refuses it if it has a newer one.
    """

    index: str
    id: str
    document: str | None = field(repr=False)
    version: int | None = None

    @property
    def size(self) -> int:
        """Bytes of the document."""
        return len(self.document.encode()) if self.document is not None else 0


class Result(enum.StrEnum):
    """What the engine did with an operation."""

    INDEXED = "indexed"
    DELETED = "deleted"
    STALE = "stale"  # it has a newer version
    MISSING = "missing"  # there was nothing to delete
    FAILED = "failed"  # it refuses this document for good
    BUSY = "busy"  # it can't now


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one operation, and why."""

    result: Result
    reason: str = ""


class Engine(Protocol):
    """One search engine. Every call may raise EngineAwayError and EngineRefusesError.

    `longest` are the bytes of a document that it takes. `has_versions`: it compares the versions of operations.
    `settling` are seconds until a document that was written can be deleted: until then the engine finds none.
    """

    longest: int
    has_versions: bool
    settling: float

    async def bulk(self, operations: Sequence[Operation]) -> list[Verdict]:
        """Send the operations in one request, to indexes or aliases. The verdicts are in their order.

        Raises RequestTooLargeError and RequestRefusedError for the request as a whole.
        """

    async def create(self, index: str) -> None:
        """Make an empty index, unless it is there."""

    async def count(self, index: str) -> int:
        """How many documents a search of everything finds."""

    async def swap(self, alias: str, index: str) -> list[str]:
        """Let `alias` stand for this index alone. Returns the indexes that it stood for before."""

    async def built(self, index: str) -> list[str]:
        """The indexes that rebuilds of `index` have made, and that are not behind the alias of that name."""

    async def drop(self, index: str) -> None:
        """Delete an index, if it is there."""
