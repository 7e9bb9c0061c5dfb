"""Room under the app's limit of how many jobs of a queue run at once: waiting for it, and waking others."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redis import Redis


class Room:
    """What this process knows of its queues' room. The count itself is Redis's, in `claim.lua`."""

    def __init__(self, prefix: str) -> None:
        """`prefix` is BullMQ's."""
        self._prefix = prefix
        self._limited: set[str] = set()
        self._full: dict[str, asyncio.Event] = {}  # set when a job of this process ends

    def is_limited(self, queue: str, *, by_the_app: bool) -> None:
        """What the last claim has said."""
        (self._limited.add if by_the_app else self._limited.discard)(queue)

    def is_full(self, queue: str) -> None:
        """No job may be claimed before another one ends."""
        self._full[queue] = asyncio.Event()

    def wake_others(self, queue: str, connection: Redis) -> None:
        """A job has ended: wake BullMQ's consumers by their marker. `connection` may be a pipeline."""
        if queue in self._limited:
            connection.zadd(f"{self._prefix}:{queue}:marker", {"0": 0})

    def ended(self, queue: str) -> None:
        """A job of this process has ended."""
        if queue in self._full:
            self._full[queue].set()

    async def wait(self, queue: str, seconds: float) -> None:
        """Wait, but if the queue is full no longer than until a job of this process ends."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._full.get(queue, asyncio.Event()).wait(), seconds)
        self._full.pop(queue, None)
