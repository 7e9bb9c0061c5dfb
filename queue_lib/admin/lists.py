"""Lists of a queue's jobs of a state, of one wire or of both at once: page by page, or by a search."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from queue_lib.admin.filters import has_words
from queue_lib.admin.merging import READ, Merged
from queue_lib.admin.ports import JobView
from queue_lib.admin.reading import Reading
from queue_lib.errors import BrokerRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from queue_lib.admin.backends import Backends
    from queue_lib.admin.merging import Cursor
    from queue_lib.admin.ports import Inspector
    from queue_lib.job import State, Wire

SEARCHED = 5000  # jobs that one search looks at, at most
LEAST = READ  # jobs that it looks at in any time: so many are read at once
MOST_GONE = 1000  # ids without a job that a page passes over in a list: RQ keeps ids longer than jobs


@dataclass(frozen=True, slots=True)
class Listed:
    """Some jobs of `looked` that were looked at. `following` is where to go on, also where none is here.

    It is None at the end.
    """

    jobs: list[JobView]
    following: Cursor | None
    looked: int


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
        *,
        brief: bool = False,
    ) -> Merged:
        """All jobs from the cursor on. Raises NoSuchQueueError, and PermanentError for a wire that is not served."""
        [queue] = self._backends.chosen(queue)
        return Merged(self._inspectors(wire), queue, state, cursor, most_gone, brief=brief)

    async def page(
        self, queue: str, state: State, wire: Wire | None, cursor: Cursor | None = None, count: int = 50
    ) -> Listed:
        """The next `count` jobs. Raises what `merged` raises, and BrokerRefusedError if no list can be read."""
        return await self._take(self.merged(queue, state, wire, cursor, MOST_GONE), count, lambda _: True)

    async def search(  # noqa: PLR0913 -- what is searched, for what, and how far
        self,
        queue: str,
        state: State,
        wire: Wire | None,
        text: str,
        cursor: Cursor | None = None,
        *,
        count: int = 50,
        seconds: float = math.inf,
    ) -> Listed:
        """Up to `count` jobs that have the text in their id, name, reason or payload, in any case.

        At most 5,000 are looked at, and no more after so many seconds. Raises as `page` does.
        """
        merged = self.merged(queue, state, wire, cursor, MOST_GONE, brief=True)
        found = await self._take(merged, count, lambda job: has_words(job, text), seconds)
        return replace(found, jobs=await self._whole(queue, state, wire, found.jobs))

    async def total(self, queue: str, state: State) -> int:
        """How many jobs of both wires are in a state; without those of a wire that can't be read."""
        read = Reading()
        counts = [await read(each.counts(queue)) for each in self._backends.inspectors]
        return sum(each[state] for each in counts if each is not None)

    def _inspectors(self, wire: Wire | None) -> Sequence[Inspector]:
        return self._backends.inspectors if wire is None else [self._backends.on(wire)]

    @staticmethod
    async def _take(
        merged: Merged, count: int, is_meant: Callable[[JobView], bool], seconds: float = math.inf
    ) -> Listed:
        until = time.monotonic() + seconds
        found, looked = list[JobView](), 0
        async for job in merged.jobs():
            looked += 1
            if is_meant(job):
                found.append(job)
            if len(found) == count or looked == SEARCHED or (looked >= LEAST and time.monotonic() > until):
                break
        if not looked and merged.trouble is not None:
            raise BrokerRefusedError(trouble=merged.trouble)
        return Listed(found, await merged.cursor(), looked)

    async def _whole(self, queue: str, state: State, wire: Wire | None, found: Sequence[JobView]) -> list[JobView]:
        """The jobs that were found as a page shows them; without those that have gone since."""
        whole: dict[tuple[Wire, str], JobView] = {}
        for inspector in self._inspectors(wire):
            ids = [job.id for job in found if job.wire is inspector.wire]
            if ids:
                whole |= {(job.wire, job.id): job for job in await inspector.listed(queue, state, ids)}
        return [whole[job.wire, job.id] for job in found if (job.wire, job.id) in whole]
