"""A process's loops together, over the broker in memory: start, stop, and loops that end."""

from __future__ import annotations

import asyncio
import time

import pytest

from queue_lib.broker.memory import MemoryBroker, MemoryStore
from queue_lib.job import State
from queue_lib.outcome import Released
from queue_lib.runner.launcher import RECENT, LoopEndedError
from tests.support.fakes import endings
from tests.support.polling import PATIENCE
from tests.support.runner_harness import Breaking, Harness


async def test_stop_gives_back_what_does_not_finish() -> None:
    """At the deadline running jobs go back to the queue, with no attempt counted."""
    harness = Harness()
    harness.enqueue(1, 2)
    await harness.launcher.start()
    await harness.until(lambda: harness.running == 2)
    await harness.launcher.stop(0.5)
    assert [State.WAITING, State.WAITING] == harness.states()
    assert [0, 0] == [record.attempts_made for record in harness.store.jobs.values()]
    assert [Released, Released] == endings(harness.events)


async def test_an_idle_runner_stops_at_once() -> None:
    """It does not use the grace time to wait for work."""
    harness = Harness()
    await harness.launcher.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        await harness.launcher.stop(10 * PATIENCE)


async def test_a_loop_that_ends_is_noticed() -> None:
    """A loop that ends by a bug ends the watch, with its name and the error."""
    store = MemoryStore()
    harness = Harness(Breaking(store), store=store)
    await harness.launcher.start()
    with pytest.raises(LoopEndedError, match="the loop 'bullmq: tidy up' ended: ZeroDivisionError"):
        await harness.launcher.watch()
    await harness.launcher.stop(1)


class Pinged(MemoryBroker):
    """Counts pings."""

    pings = 0

    async def ping(self) -> None:
        """Count."""
        self.pings += 1


async def test_a_server_that_has_just_answered_is_not_asked() -> None:
    """An idle worker sends few commands; before its loops have had an answer it asks."""
    broker = Pinged(MemoryStore())
    harness = Harness(broker)
    await harness.launcher.ping()
    assert 1 == broker.pings
    await harness.launcher.start()
    await harness.until(lambda: harness.launcher.states()[0].trouble is None)
    await harness.launcher.ping()
    assert 1 == broker.pings
    harness.launcher._consumers[0]._answered = time.monotonic() - RECENT - 1
    await harness.launcher.ping()
    assert 2 == broker.pings
    await harness.launcher.stop(1)
