"""What the runner does while the broker's server is away: it waits and asks again."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, TypeVar

from queue_lib.errors import BrokerRefusedError, BrokerUnavailableError, Trouble

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds between claims while the broker is no use


class Outage:
    """An outage that a consumer has noticed: how long it lasts, why, and how long to wait before asking again."""

    def __init__(self) -> None:
        self.trouble = Trouble.AWAY
        self._since = time.monotonic()
        self._pause = FIRST_PAUSE

    def seconds(self) -> float:
        """Its length so far."""
        return time.monotonic() - self._since

    def next_pause(self) -> float:
        """Seconds until the next try: doubling, up to five."""
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        return pause


async def through_outage(call: Callable[[], Awaitable[T]], pauses: Sequence[float]) -> T:
    """Call, and again after each of these pauses (seconds) while the server is away.

    Raises BrokerUnavailableError after the last one, and BrokerRefusedError at once.
    """
    for pause in pauses:
        try:
            return await call()
        except BrokerRefusedError:
            raise
        except BrokerUnavailableError:
            await asyncio.sleep(pause)
    return await call()
