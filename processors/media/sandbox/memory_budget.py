"""The memory that all children of this process may use together."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

OVERTAKEN = 5.0  # seconds that the first in line lets others go first
RETURN = 45.0  # seconds in which who has waited in vain comes again


@dataclass(eq=False, slots=True)
class Wish:
    """`need` bytes, wanted `since`."""

    need: int
    since: float
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class MemoryBudget:
    """Bytes for which tasks stand in line. Who fits goes first, but nobody is passed for ever.

    A video holds most of the memory for minutes, an image for a second. So a wish that has no room is overtaken by
    those that have; after OVERTAKEN seconds no more, which gives it its room unless a video has it. Against that no
    waiting helps: it is given up, and its task comes again. Meanwhile no larger wish, the next video's, is granted.
    """

    def __init__(self, total: int, now: Callable[[], float] = time.monotonic) -> None:
        """`total` bytes; `now` is a clock, in seconds."""
        self.total = total
        self._free = total
        self._now = now
        self._line: list[Wish] = []
        self._missed: list[tuple[int, float]] = []  # needs that come again, and until when

    async def take(self, need: int, patience: float) -> None:
        """Wait until `need` bytes, no more than `total`, are free, and take them. Safe to cancel.

        Raises TimeoutError after `patience` seconds.
        """
        wish = Wish(need, self._now())
        self._line.insert(0 if self._comes_again(need) else len(self._line), wish)
        self._serve()
        try:
            async with asyncio.timeout(patience):
                await wish.granted
        except BaseException as error:
            if wish in self._line:
                self._line.remove(wish)
            else:  # it was granted at the last moment
                self._free += need
            if isinstance(error, TimeoutError):
                self._missed.append((need, self._now() + RETURN))
                asyncio.get_running_loop().call_later(RETURN, self._serve)
            self._serve()
            raise

    def give_back(self, amount: int) -> None:
        """Return what was taken."""
        self._free += amount
        self._serve()

    def _comes_again(self, need: int) -> bool:
        """Whether one that has missed its turn is back, or another one like it. It goes first."""
        for missed in self._missed:
            if missed[0] == need:
                self._missed.remove(missed)
                return True
        return False

    def _serve(self) -> None:
        now = self._now()
        self._missed = [missed for missed in self._missed if missed[1] > now]
        for wish in tuple(self._line):
            if wish.granted.done() or any(need < wish.need for need, _ in self._missed):
                continue
            if wish.need <= self._free:
                self._line.remove(wish)
                self._free -= wish.need
                wish.granted.set_result(None)
            elif now - wish.since >= OVERTAKEN:
                return

    @asynccontextmanager
    async def share(self, patience: float) -> AsyncIterator[Share]:
        """What one task takes, waiting for `patience` seconds at most; it is returned with the task's end."""
        share = Share(self, patience)
        try:
            yield share
        finally:
            self.give_back(share.taken)


class Share:
    """One task's part of the budget."""

    def __init__(self, budget: MemoryBudget, patience: float) -> None:
        """Nothing yet."""
        self._budget = budget
        self._patience = patience
        self.taken = 0

    async def take(self, need: int) -> bool:
        """Wait for `need` bytes; False if there will never be so many. Raises TimeoutError when patience is over."""
        if need + self.taken > self._budget.total or need < 0:
            return False
        await self._budget.take(need, self._patience)
        self.taken += need
        return True
