"""A process that dies at any write of a push job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.fakes import FakeContext

if TYPE_CHECKING:
    from collections import deque

    from queue_lib.addition import Addition


class Killed(BaseException):
    """The process is gone: nothing after it happens."""


class MortalContext(FakeContext):
    """Dies at a given write, before or after it has reached Redis."""

    def __init__(self, job: Any, life: deque[tuple[int, bool]]) -> None:
        """Die after this many writes; the last one is still written, or not."""
        super().__init__(job)
        self._life = life
        self._writes = 0
        self.dead = False

    async def note(self, entries: Any, forget: Any = ()) -> None:
        """Write, or die."""
        written = self._mortal()
        if written:
            await super().note(entries, forget)
        self._die()

    async def enqueue(self, addition: Addition, queue: str | None = None) -> str:
        """Enqueue, or die."""
        job_id = await super().enqueue(addition, queue) if self._mortal() else ""
        self._die()
        return job_id

    def _mortal(self) -> bool:
        if self.dead:
            raise Killed
        self._writes += 1
        if self._life and self._writes > self._life[0][0]:
            self.dead, (_, written) = True, self._life.popleft()
            self._writes = 0
            return written
        return True

    def _die(self) -> None:
        if self.dead:
            raise Killed
