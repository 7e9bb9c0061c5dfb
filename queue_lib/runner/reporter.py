"""Sends this process's pulse, so that operators see it though it has no port. It never keeps a job from running."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from queue_lib.broker.base import Chore
from queue_lib.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from queue_lib.broker.pulse import Pulses
    from queue_lib.observe.pulse import Pulse, WorkerView

EVERY = 10.0  # seconds
LONGEST_FAREWELL = 1.0  # seconds


class Reporter:
    """Tells what the pulse has counted, and who counts."""

    def __init__(self, me: WorkerView, pulse: Pulse, pulses: Pulses, memory: Callable[[], int]) -> None:
        """`me` is what does not change of this process; `memory` returns bytes, and is called in a thread."""
        self._me = me
        self._pulse = pulse
        self._pulses = pulses
        self._memory = memory

    def chore(self) -> Chore:
        """What has to be done every ten seconds."""
        return Chore("send the pulse", EVERY, self.send)

    async def send(self) -> None:
        """Send once. What can't be sent is kept for the next time. Raises BrokerUnavailableError."""
        memory = await asyncio.to_thread(self._memory)
        me = self._me.model_copy(update={"memory": memory, "running": self._pulse.running()})
        tallies = self._pulse.take()
        try:
            await self._pulses.send(me, tallies)
        except (BrokerUnavailableError, asyncio.CancelledError):
            self._pulse.put_back(tallies)
            raise

    async def sign_off(self) -> None:
        """Send what is left and sign off, if the server answers within a second; else both expire."""
        with contextlib.suppress(BrokerUnavailableError, TimeoutError):
            async with asyncio.timeout(LONGEST_FAREWELL):
                await self.send()
                await self._pulses.sign_off(self._me.name)
