"""The memory that all children of this process may use together, and who gets it first."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

OVERTAKEN = 5.0  # seconds for which others may overtake the first in the queue
RETURN = 45.0  # seconds within which a task that got no memory comes again


@dataclass(eq=False, slots=True)
class Request:
    """A request for `need` bytes, made at the time `since`."""

    need: int
    since: float
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class MemoryBudget:
    """Bytes for which tasks wait in a queue. Requests that fit go first, but none is overtaken for ever.

    A video holds most of the memory for minutes, an image for a second. A request that does not fit is overtaken by
    those that do, for OVERTAKEN seconds. Then it is next, unless a video holds the memory: in that case it times out,
    and its task comes again within RETURN seconds. Until then no larger request, such as the next video's, is granted.
    """

    def __init__(self, total: int, now: Callable[[], float] = time.monotonic) -> None:
        """`total` bytes; `now` is a clock, in seconds."""
        self.total = total
        self._free = total
        self._now = now
        self._waiting: list[Request] = []
        self._missed: list[tuple[int, float]] = []  # requests that come again: bytes, and until when

    async def take(self, need: int, patience: float) -> None:
        """Wait until `need` bytes (at most `total`) are free, and take them. Safe to cancel.

        Raises TimeoutError after `patience` seconds.
        """
        request = Request(need, self._now())
        self._waiting.insert(0 if self._comes_again(need) else len(self._waiting), request)
        self._serve()
        try:
            async with asyncio.timeout(patience):
                await request.granted
        except BaseException as error:
            if request in self._waiting:
                self._waiting.remove(request)
            else:  # it was granted in the last moment
                self._free += need
            if isinstance(error, TimeoutError):
                self._missed.append((need, self._now() + RETURN))
                asyncio.get_running_loop().call_later(RETURN, self._serve)
            self._serve()
            raise

    def give_back(self, amount: int) -> None:
        """Return bytes that were taken."""
        self._free += amount
        self._serve()

    def _comes_again(self, need: int) -> bool:
        """Whether a request that timed out, or an equal one, is back. It goes first."""
        for missed in self._missed:
            if missed[0] == need:
                self._missed.remove(missed)
                return True
        return False

    def _serve(self) -> None:
        now = self._now()
        self._missed = [missed for missed in self._missed if missed[1] > now]
        for request in tuple(self._waiting):
            if request.granted.done() or any(need < request.need for need, _ in self._missed):
                continue
            if request.need <= self._free:
                self._waiting.remove(request)
                self._free -= request.need
                request.granted.set_result(None)
            elif now - request.since >= OVERTAKEN:
                return

    @asynccontextmanager
    async def share(self, patience: float) -> AsyncIterator[Share]:
        """The memory of one task, which waits at most `patience` seconds for it. It is returned when the task ends."""
        share = Share(self, patience)
        try:
            yield share
        finally:
            self.give_back(share.taken)


class Share:
    """The part of the budget that one task holds."""

    def __init__(self, budget: MemoryBudget, patience: float) -> None:
        self._budget = budget
        self._patience = patience
        self.taken = 0

    async def take(self, need: int) -> bool:
        """Wait for `need` bytes; False if the budget is too small. Raises TimeoutError after `patience` seconds."""
        if need + self.taken > self._budget.total or need < 0:
            return False
        await self._budget.take(need, self._patience)
        self.taken += need
        return True
