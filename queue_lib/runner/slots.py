"""The places for running jobs of one queue in this process, shared by its wires."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from queue_lib.job import Wire


class Slots:
    """Who has waited longest is next, whichever wire it serves."""

    def __init__(self, count: int) -> None:
        """`count` jobs may run at once."""
        self._count = count
        self._semaphore = asyncio.Semaphore(count)
        self._line: list[Wire] = []

    async def acquire(self, wire: Wire) -> None:
        """Wait for a slot. Safe to cancel."""
        self._line.append(wire)
        try:
            await self._semaphore.acquire()
        finally:
            self._line.remove(wire)

    def release(self) -> None:
        """Give a slot back."""
        self._semaphore.release()

    def all_taken(self) -> bool:
        """Whether a newcomer would have to wait."""
        return self._semaphore.locked()

    def room(self, wire: Wire) -> int:
        """How many of the slots that come free next are this wire's: none while another wire has waited longer."""
        if self._line and self._line[0] is not wire:
            return 0
        return 1 if len(self._line) > 1 else self._count
