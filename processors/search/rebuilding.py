"""A rebuild: a new index is filled while the old one is searched, and takes its place at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.search.engine import EngineAwayError
from processors.search.names import built
from processors.search.rebuilds import KNOWN_BY_ALL, Rebuild
from queue_lib.errors import BrokerUnavailableError, PermanentError, SnoozeError

if TYPE_CHECKING:
    from processors.search.dependencies import SearchDependencies

AWAY_FOR = 5.0  # seconds


class Rebuilding:
    """The rebuild of one index by one job."""

    def __init__(self, dependencies: SearchDependencies, index: str, job_id: str) -> None:
        self._shared, self._index, self._job_id = dependencies, index, job_id

    def name(self) -> str:
        """A new name for the index to fill."""
        return built(self._index, self._shared.clock())

    async def begin(self, target: str) -> None:
        """Make the index, let live jobs write to it, too, and remove what earlier rebuilds have left.

        Raises PermanentError if a later rebuild has begun.
        """
        now, engine = await self._shared.rebuilds.of(self._index), self._shared.engine
        if now is not None and now.target > target:
            raise _superseded(self._index)
        await engine.create(target)
        await self._shared.rebuilds.tell(self._index, Rebuild(target, self._job_id))
        await self._shared.sleep(KNOWN_BY_ALL)
        await self.go_on(target)  # another one that began in the same moment may have told of its own since
        for leftover in await engine.built(self._index):
            if leftover != target:
                await engine.drop(leftover)

    async def go_on(self, target: str) -> None:
        """Remember it for another week. Raises PermanentError if live jobs do not write to this index any more."""
        now = await self._shared.rebuilds.of(self._index)
        if now is None or now.target != target:
            raise _superseded(self._index)
        await self._shared.rebuilds.tell(self._index, now)

    async def swap(self, target: str) -> None:
        """Let searches find the new index, and remove the old one."""
        for old in await self._shared.engine.swap(self._index, target):
            await self._shared.engine.drop(old)

    async def end(self) -> None:
        """Let live jobs leave the new index alone, but for the name that it has now. A later rebuild goes on."""
        now = await self._shared.rebuilds.of(self._index)
        if now is not None and now.job_id == self._job_id:
            await self._shared.rebuilds.end(self._index)

    async def give_up(self) -> None:
        """Remove the half that is filled, if it is this job's. Raises SnoozeError if that can't be done now."""
        try:
            now = await self._shared.rebuilds.of(self._index)
            if now is not None and now.job_id == self._job_id:
                await self._shared.rebuilds.end(self._index)
                await self._shared.sleep(KNOWN_BY_ALL)  # a write to an index that is gone would make it anew
                await self._shared.engine.drop(now.target)
        except (EngineAwayError, BrokerUnavailableError) as error:
            raise SnoozeError(str(error), AWAY_FOR) from error


def _superseded(index: str) -> PermanentError:
    msg = f"a later rebuild of {index} has begun, or Redis has forgotten this one; add the job again"
    return PermanentError(msg)
