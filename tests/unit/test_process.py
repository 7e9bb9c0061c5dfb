"""How a process ends: on a stop signal, and when a loop ends by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from queue_lib.broker.memory import MemoryStore
from queue_lib.observe.events import InternalFault
from queue_lib.runner.process import serve
from tests.support.runner_harness import Breaking, Harness

if TYPE_CHECKING:
    from queue_lib.runner.process import Stop


class StopWish:
    """Stands for the Stop of a process, which only a main thread can make."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def request(self) -> None:
        """Request a stop."""
        self._event.set()

    async def wait(self) -> None:
        """Wait for the request."""
        await self._event.wait()


async def test_a_loop_that_ends_is_a_fault() -> None:
    """The observers get the place of the bug, and the process ends with status 1."""
    store = MemoryStore()
    harness = Harness(Breaking(store), store=store)
    harness.launcher.observe = harness.events.append

    assert 1 == await serve(harness.launcher, cast("Stop", StopWish()), 1.0)
    [event] = harness.events
    assert isinstance(event, InternalFault)
    assert ("loop_ended", "ZeroDivisionError") == (event.word, event.failure.kind)
    assert "Breaking._bug" == event.failure.frames[-1][2]


async def test_an_orderly_stop_is_no_fault() -> None:
    """Loops end then, too."""
    harness, stop = Harness(), StopWish()
    harness.launcher.observe = harness.events.append
    stop.request()

    assert 0 == await serve(harness.launcher, cast("Stop", stop), 1.0)
    assert [] == harness.events
