"""The memory that all children of this process may use together."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class MemoryBudget:
    """Bytes for which tasks stand in line: who has waited longest is next, however much it needs."""

    def __init__(self, total: int) -> None:
        """`total` bytes."""
        self.total = total
        self._free = total
        self._line = asyncio.Lock()
        self._released = asyncio.Event()

    async def take(self, need: int) -> None:
        """Wait until `need` bytes, no more than `total`, are free, and take them. Safe to cancel."""
        async with self._line:
            while self._free < need:
                self._released.clear()
                await self._released.wait()
            self._free -= need

    def give_back(self, amount: int) -> None:
        """Return what was taken."""
        self._free += amount
        self._released.set()

    @asynccontextmanager
    async def share(self) -> AsyncIterator[Share]:
        """What one task takes; it is returned with the task's end."""
        share = Share(self)
        try:
            yield share
        finally:
            self.give_back(share.taken)


class Share:
    """One task's part of the budget."""

    def __init__(self, budget: MemoryBudget) -> None:
        """Nothing yet."""
        self._budget = budget
        self.taken = 0

    async def take(self, need: int) -> bool:
        """Wait for `need` bytes; False if there will never be so many."""
        if need + self.taken > self._budget.total or need < 0:
            return False
        await self._budget.take(need)
        self.taken += need
        return True
