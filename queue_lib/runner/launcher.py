"""The whole runner: start it, quiet it, stop it by a deadline. A loop that ends by itself ends the process."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

import structlog

from queue_lib.errors import PushmillError
from queue_lib.runner.consumer import Consumer
from queue_lib.runner.housekeeping import keep
from queue_lib.runner.slots import Slots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from queue_lib.broker.base import Broker
    from queue_lib.chore import Chore
    from queue_lib.observe.events import Observer
    from queue_lib.queues import Queue
    from queue_lib.runner.consumer import LoopState
    from queue_lib.runner.executor import Executor
    from queue_lib.runner.health import HealthCheck
    from queue_lib.runner.reporter import Reporter

SETTLE_SHARE = 0.2  # of the grace time is kept for giving jobs back and closing
LONGEST_SETTLE = 3.0  # seconds
RECENT = 10.0  # seconds: an idle loop has asked by then


class LoopEndedError(PushmillError):
    """A loop that must run for ever has ended."""


class Launcher:
    """Owns the consumers and the chores of one process."""

    def __init__(
        self,
        brokers: Sequence[Broker],
        queues: Sequence[Queue],
        executor: Executor,
        observe: Observer,
        reporter: Reporter | None = None,
        chores: Sequence[Chore] = (),
    ) -> None:
        """One consumer for each queue on each wire; the wires of a queue share its slots.

        `reporter` sends this process's heartbeat. `chores` are the process's own, beside those of the brokers.
        """
        self._brokers = brokers
        self._chores = chores
        self.observe = observe
        self._executor = executor
        self._reporter = reporter
        self._consumers = [
            Consumer(queue, broker, slots, executor, observe)
            for queue, slots in [(queue, Slots(queue.concurrency)) for queue in queues]
            for broker in brokers
        ]
        self._consuming: list[asyncio.Task[None]] = []
        self._keeping: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger()

    def hold_back(self, holds: Mapping[str, HealthCheck]) -> None:
        """Claim no jobs of a queue while something that it needs, by name in `holds`, is missing in this process."""
        for consumer in self._consumers:
            consumer.hold_back([hold for name, hold in holds.items() if name in consumer.needs])

    def tell(self, features: Sequence[str], facts: Mapping[str, str], worker_type: Sequence[str] = ()) -> None:
        """Report which features this process serves, what the app must agree with, and its WORKER_TYPE."""
        if self._reporter is not None:
            self._reporter.tell(features, facts, worker_type)

    async def start(self) -> None:
        """Register with the brokers and start every loop. Raises BrokerUnavailableError."""
        for broker in self._brokers:
            await broker.start()
        chores = [("process", chore) for chore in self._chores]
        chores += [(str(broker.wire), chore) for broker in self._brokers for chore in broker.chores()]
        if self._reporter is not None:
            chores.append(("process", self._reporter.chore()))
        self._keeping = [asyncio.create_task(keep(chore), name=f"{whose}: {chore.name}") for whose, chore in chores]
        self._consuming = [asyncio.create_task(consumer.run(), name=str(consumer)) for consumer in self._consumers]

    async def watch(self) -> None:
        """Wait until a loop ends by itself, and raise LoopEndedError saying which and why."""
        ended, _ = await asyncio.wait([*self._consuming, *self._keeping], return_when=asyncio.FIRST_COMPLETED)
        task = ended.pop()
        error = task.exception()
        msg = f"the loop '{task.get_name()}' ended: {error!r}" if error else f"the loop '{task.get_name()}' ended"
        raise LoopEndedError(msg) from error

    def states(self) -> list[LoopState]:
        """How each consumer's loop is at this moment."""
        now = time.monotonic()
        return [consumer.state(now) for consumer in self._consumers]

    async def ping(self) -> None:
        """See whether the brokers' servers answer, unless the loops know. Raises BrokerUnavailableError.

        Idle loops ask all the time, and their commands are counted; those whose slots are taken do not.
        """
        now = time.monotonic()
        silences = [consumer.silence(now) for consumer in self._consumers]
        if math.inf not in silences and min(silences) < RECENT:
            return
        for broker in self._brokers:
            await broker.ping()

    def quiet(self) -> None:
        """Claim no more jobs; those under way go on."""
        for consumer in self._consumers:
            consumer.quiet()

    async def stop(self, grace: float) -> None:
        """Quiet; let jobs finish; give back what is left; sign off. All within `grace` seconds, if nothing hangs."""
        deadline = time.monotonic() + grace
        self.quiet()
        settle = min(grace * SETTLE_SHARE, LONGEST_SETTLE)
        await self._wait_for_runs(deadline - settle)
        self._executor.interrupt()
        await self._wait_for_runs(deadline - settle / 3)
        await self._end_chores(deadline)
        if self._reporter is not None:
            await self._reporter.sign_off()
        for broker in self._brokers:
            await broker.close()
        await self._executor.close()

    async def _end_chores(self, until: float) -> None:
        """Cancel the chores, until monotonic second `until` at most."""
        while (pending := [task for task in self._keeping if not task.done()]) and time.monotonic() < until:
            for task in pending:
                task.cancel()  # again and again: redis-py swallows a cancellation that comes while it connects
            await asyncio.wait(pending, timeout=0.2)

    async def _wait_for_runs(self, until: float) -> None:
        """Wait for the consumers and their runs, until monotonic second `until` at most."""
        while pending := [task for task in (*self._consuming, *self._runs()) if not task.done()]:
            left = until - time.monotonic()
            if left <= 0:
                return
            await asyncio.wait(pending, timeout=min(left, 0.2))
            self.quiet()  # again: redis-py swallows a cancellation that comes while it connects

    def _runs(self) -> list[asyncio.Task[None]]:
        return [run for consumer in self._consumers for run in consumer.runs]
