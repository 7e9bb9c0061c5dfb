"""Which indexes are being rebuilt: all workers know it from the cache, so that live jobs write to both indexes.

Live jobs ask once a second, because a question to Redis for each would slow them down. So a rebuild reads its first
page only when all of them know of it: a row that changes later has a job that begins later.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from queue_lib.jobs.toolbox import Cache

WEEK = 7 * 24 * 3600.0  # seconds for which it is remembered after its last page
KNOWN_FOR = 1.0  # seconds for which a live job takes what another one has asked
KNOWN_BY_ALL = 2 * KNOWN_FOR  # seconds until all live jobs that begin know of a change
MANY = 1000  # indexes: jobs may name any number of them


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The index `target` that the job `job_id` fills."""

    target: str
    job_id: str


class Rebuilds:
    """The rebuilds under way. Every call may raise BrokerUnavailableError."""

    def __init__(self, cache: Cache, clock: Callable[[], float] = time.monotonic) -> None:
        """The cache is that of all workers. `clock` gives seconds."""
        self._cache = cache
        self._clock = clock
        self._known: dict[str, tuple[float, Rebuild | None]] = {}

    async def of(self, index: str) -> Rebuild | None:
        """The rebuild of this index, if there is one."""
        text = await self._cache.get(_key(index))
        try:
            found = json.loads(text) if text is not None else None
            return None if found is None else Rebuild(str(found["target"]), str(found["job"]))
        except (ValueError, TypeError, KeyError):
            return None

    async def lately(self, index: str) -> Rebuild | None:
        """The rebuild that there was within the last second."""
        now, known = self._clock(), self._known.get(index)
        if known is not None and now - known[0] < KNOWN_FOR:
            return known[1]
        if len(self._known) >= MANY:
            self._known.clear()
        found = await self.of(index)
        self._known[index] = now, found
        return found

    async def tell(self, index: str, rebuild: Rebuild) -> None:
        """Live jobs write to its target, too, when KNOWN_BY_ALL is over."""
        await self._cache.set(_key(index), json.dumps({"target": rebuild.target, "job": rebuild.job_id}), WEEK)

    async def end(self, index: str) -> None:
        """They write to the index alone then."""
        await self._cache.delete(_key(index))


def _key(index: str) -> str:
    return f"search-rebuild:{index}"
