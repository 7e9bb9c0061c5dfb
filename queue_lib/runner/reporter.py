"""Sends this process's heartbeat, so that operators see it though it has no port. No job waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import structlog

from queue_lib.chore import Chore
from queue_lib.errors import BrokerUnavailableError, DataLostError
from queue_lib.observe.events import InternalFault
from queue_lib.outcome import Failure, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from queue_lib.broker.heartbeats import Data, Heartbeats
    from queue_lib.observe.events import Observer
    from queue_lib.observe.worker_stats import WorkerStats, WorkerView

EVERY = 10.0  # seconds
LONGEST_FAREWELL = 1.0  # seconds


class Reporter:
    """Sends what this process is, what it runs, and what it has counted."""

    def __init__(
        self, me: WorkerView, stats: WorkerStats, heartbeats: Heartbeats, memory: Callable[[], int], observe: Observer
    ) -> None:
        """`me` are the facts of this process that do not change; `memory` returns bytes, and is called in a thread."""
        self._me = me
        self._stats = stats
        self._heartbeats = heartbeats
        self._memory = memory
        self._observe = observe
        self._data: Data | None = None  # that the server had at the last heartbeat

    def tell(self, features: Sequence[str], facts: Mapping[str, str], worker_type: Sequence[str] = ()) -> None:
        """Report from now on which features are served, what the app must agree with, and WORKER_TYPE."""
        told = {"features": tuple(features), "facts": dict(facts), "worker_type": tuple(worker_type)}
        self._me = self._me.model_copy(update=told)

    def chore(self) -> Chore:
        """What has to be done every ten seconds."""
        return Chore("send the heartbeat", EVERY, self.send)

    async def send(self) -> None:
        """Send once. What can't be sent is kept for the next time. Raises BrokerUnavailableError."""
        memory = await asyncio.to_thread(self._memory)
        me = self._me.model_copy(update={"memory": memory, "running": self._stats.running()})
        counts = self._stats.take()
        try:
            data = await self._heartbeats.send(me, counts)
        except (BrokerUnavailableError, asyncio.CancelledError):
            self._stats.put_back(counts)
            raise
        self._compare(data)

    def _compare(self, data: Data) -> None:
        """Report if the server has lost data: by a restart without persistence, a flush, an old replica."""
        earlier, self._data = self._data, data
        if earlier is None or data.follows(earlier):
            return
        error = DataLostError("it was emptied, or is another server" if data.id != earlier.id else "it has older data")
        structlog.get_logger().error("redis_lost_data", reason=reason_of(error))
        self._observe(InternalFault("redis_lost_data", Failure.of(error)))

    async def sign_off(self) -> None:
        """Send what is left and sign off, if the server answers within a second; else both expire."""
        with contextlib.suppress(BrokerUnavailableError, TimeoutError):
            async with asyncio.timeout(LONGEST_FAREWELL):
                await self.send()
                await self._heartbeats.sign_off(self._me.name)
