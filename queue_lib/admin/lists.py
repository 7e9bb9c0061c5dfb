"""Lists of a queue's jobs of a state, of one wire or of both at once: page by page, or by a search."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_lib.admin.filters import has_words
from queue_lib.admin.merging import Merged
from queue_lib.admin.ports import JobView
from queue_lib.errors import BrokerRefusedError

if TYPE_CHECKING:
    from queue_lib.admin.backends import Backends
    from queue_lib.admin.merging import Cursor
    from queue_lib.job import State, Wire

SEARCHED = 1000  # jobs that one search looks at
MOST_GONE = 1000  # ids without a job that a page passes over in a list: RQ keeps ids longer than jobs


@dataclass(frozen=True, slots=True)
class Listed:
    """Some jobs. `following` is where to go on, also where none is here; None at the end."""

    jobs: list[JobView]
    following: Cursor | None


class JobLists:
    """Reads lists of jobs, by time. None as a wire is both."""

    def __init__(self, backends: Backends) -> None:
        """Of these wires."""
        self._backends = backends

    def merged(
        self,
        queue: str,
        state: State,
        wire: Wire | None,
        cursor: Cursor | None = None,
        most_gone: float = math.inf,
    ) -> Merged:
        """All jobs from the cursor on. Raises NoSuchQueueError, and PermanentError for a wire that is not served."""
        [queue] = self._backends.chosen(queue)
        inspectors = self._backends.inspectors if wire is None else [self._backends.on(wire)]
        return Merged(inspectors, queue, state, cursor, most_gone)

    async def page(
        self, queue: str, state: State, wire: Wire | None, cursor: Cursor | None = None, count: int = 50
    ) -> Listed:
        """The next `count` jobs. Raises what `merged` raises, and BrokerRefusedError if no list can be read."""
        return await self._take(self.merged(queue, state, wire, cursor, MOST_GONE), count, count, "")

    async def search(
        self, queue: str, state: State, wire: Wire | None, text: str, cursor: Cursor | None = None, count: int = 50
    ) -> Listed:
        """Up to `count` jobs that have the text in their id, name, reason or payload, in any case.

        At most 1,000 are looked at. Raises as `page` does.
        """
        return await self._take(self.merged(queue, state, wire, cursor, MOST_GONE), count, SEARCHED, text)

    @staticmethod
    async def _take(merged: Merged, count: int, most: int, text: str) -> Listed:
        found, looked = list[JobView](), 0
        async for job in merged.jobs():
            looked += 1
            if not text or has_words(job, text):
                found.append(job)
            if len(found) == count or looked == most:
                break
        if not looked and merged.trouble is not None:
            raise BrokerRefusedError(trouble=merged.trouble)
        return Listed(found, await merged.cursor())
