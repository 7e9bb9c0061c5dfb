"""How soon the publisher looks again."""

from __future__ import annotations

import asyncio
import contextlib

SHORTEST, LONGEST = 0.25, 2.0  # seconds


class Pace:
    """A quarter of a second while there is work, then twice as long each time; at once when woken."""

    def __init__(self) -> None:
        """It begins short."""
        self._pause = SHORTEST
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """There may be work: end the pause, or leave out the next one."""
        self._woken.set()

    def begin(self) -> None:
        """What wakes from now on may be too late for this look."""
        self._woken.clear()

    def next(self, rows: int, *, is_last: bool) -> float:
        """Seconds to wait after a look that found so many rows."""
        self._pause = SHORTEST if rows else min(2 * self._pause, LONGEST)
        return self._pause if is_last else 0.0

    @staticmethod
    async def rest() -> None:
        """Wait for two seconds, whoever wakes: a server is away, or another process publishes and is woken, too."""
        await asyncio.sleep(LONGEST)

    async def wait(self, seconds: float) -> None:
        """Wait, unless woken."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
