"""Which indexes are being rebuilt: all workers know it from the cache, so that live jobs write to both indexes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queue_lib.jobs.toolbox import Cache

WEEK = 7 * 24 * 3600.0  # seconds for which it is remembered after its last page


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The index `target` that the job `job_id` fills."""

    target: str
    job_id: str


class Rebuilds:
    """The rebuilds under way. Every call may raise BrokerUnavailableError."""

    def __init__(self, cache: Cache) -> None:
        """The cache is that of all workers."""
        self._cache = cache

    async def of(self, index: str) -> Rebuild | None:
        """The rebuild of this index, if there is one."""
        text = await self._cache.get(_key(index))
        try:
            found = json.loads(text) if text is not None else None
            return None if found is None else Rebuild(str(found["target"]), str(found["job"]))
        except (ValueError, TypeError, KeyError):
            return None

    async def tell(self, index: str, rebuild: Rebuild) -> None:
        """From now on live jobs write to its target, too."""
        await self._cache.set(_key(index), json.dumps({"target": rebuild.target, "job": rebuild.job_id}), WEEK)

    async def end(self, index: str) -> None:
        """From now on they write to the index alone."""
        await self._cache.delete(_key(index))


def _key(index: str) -> str:
    return f"search-rebuild:{index}"
