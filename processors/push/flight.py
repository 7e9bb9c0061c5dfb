"""The requests of one run that are under way, and how they end when the run is cut short."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

# Seconds that requests under way have left when a run is cut short: a push whose answer is lost is sent twice.
DRAIN = 1.5


class Flight:
    """Waits for the workers of a run. Once one has failed, or a wait was cancelled, none begins another request.

    `failure` is the first exception; other calls of the same run are to raise it, too.
    """

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self._stopped_at: float | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether no other request is to begin."""
        return self._stopped_at is not None

    def stop(self) -> None:
        """Let no other request begin."""
        self._stopped_at = self._stopped_at or time.monotonic()

    async def all(self, workers: Iterable[Coroutine[Any, Any, Any]]) -> None:
        """Run all to their end. If one fails or this is cancelled, the others have 1.5 s to end."""
        tasks = [asyncio.create_task(worker) for worker in workers]
        if not tasks:
            return
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        except BaseException as error:
            self.stop()
            self.failure = self.failure or error
            await self._drain(tasks)
            raise

    async def _drain(self, tasks: list[asyncio.Task[Any]]) -> None:
        left = (self._stopped_at or 0.0) + DRAIN - time.monotonic()
        try:
            await asyncio.wait(tasks, timeout=max(0.0, left))
        finally:  # this, too, may be cancelled
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
