"""One queue's loop on one wire: take a free slot, claim, run. The slots are shared by the queue's wires."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from queue_lib.broker.base import NotNow
from queue_lib.errors import BrokerUnavailableError
from queue_lib.observe.events import BrokerBack, BrokerLost, QueueHeld, RateLimited
from queue_lib.outcome import reason_of
from queue_lib.runner.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from queue_lib.broker.base import Broker, Lease
    from queue_lib.errors import Trouble
    from queue_lib.job import Wire
    from queue_lib.observe.events import Observer
    from queue_lib.queues import Queue
    from queue_lib.runner.executor import Executor
    from queue_lib.runner.health import HealthCheck
    from queue_lib.runner.slots import Slots

HOLD_PAUSE = 1.0  # seconds between looks at what holds a queue back
PATIENCE = 30.0  # seconds without an answer to a claim after which a loop is not well; it asks every ten


@dataclass(frozen=True, slots=True)
class LoopState:
    """How a consumer's loop is: `running` jobs, and `trouble`, a line that says why it takes no more, or None.

    `redis` is what is wrong with the broker's server, if the loop has found that.
    """

    queue: str
    wire: Wire
    running: int
    trouble: str | None
    redis: Trouble | None = None


class Consumer:
    """Claims jobs of one queue from one broker and runs them, never more than there are slots."""

    def __init__(self, queue: Queue, broker: Broker, slots: Slots, executor: Executor, observe: Observer) -> None:
        """`slots` is the queue's concurrency in this process, shared with its other wire."""
        self._queue = queue
        self._broker = broker
        self._slots = slots
        self._executor = executor
        self._observe = observe
        self._runs: set[asyncio.Task[None]] = set()
        self._quiet = False
        self._idle: asyncio.Task[None] | None = None  # the loop's task while it may be interrupted
        self._outage: Outage | None = None
        self._crash: BaseException | None = None
        self._answered: float | None = None  # when the last claim was answered, in monotonic seconds
        self._wants_slot = False
        self._holds: Sequence[HealthCheck] = ()
        self._held: str | None = None
        broker.reserve_for(queue, self._room)

    def __str__(self) -> str:
        return f"{self._broker.wire}: consume {self._queue.name}"

    @property
    def needs(self) -> Sequence[str]:
        """What its queue's jobs need beside Redis."""
        return self._queue.needs

    @property
    def runs(self) -> frozenset[asyncio.Task[None]]:
        """The runs under way."""
        return frozenset(self._runs)

    def state(self, now: float) -> LoopState:
        """How the loop is at monotonic second `now`."""
        redis = None if self._outage is None else self._outage.trouble
        return LoopState(self._queue.name, self._broker.wire, len(self._runs), self._trouble(now), redis)

    def silence(self, now: float) -> float:
        """Seconds since a claim was answered; infinite while the server is no use, and before the first answer."""
        return math.inf if self._outage is not None or self._answered is None else now - self._answered

    def _trouble(self, now: float) -> str | None:
        if self._quiet:
            return "it claims no more: the process is stopping"
        if self._held is not None:
            return f"it claims no job: {self._held}"
        if self._outage is not None:
            return f"{self._outage.trouble.value}, for {self._outage.seconds():.0f} s"
        if self._answered is None:
            return "no claim has been answered yet"
        if now - self._answered > PATIENCE and not self._wants_slot:  # else it is as busy as it may be
            return f"no claim has been answered for {now - self._answered:.0f} s"
        return None

    def quiet(self) -> None:
        """Claim no more. A claim under way is finished and given back: cancelled, it would strand its job."""
        self._quiet = True
        if self._idle is not None:
            self._idle.cancel()

    async def run(self) -> None:
        """Claim and start runs until `quiet`. Raises what a run raised: the executor never should."""
        while await self._slot():
            if await self._is_held():
                await self._stand_back()
                continue
            claimed = await self._claim()
            if not isinstance(claimed, NotNow):
                self._start(claimed)
                continue
            self._slots.give_back(self._broker.wire, limited=claimed.limited)
            if await self._interruptible(self._broker.wait(self._queue, claimed)) and claimed.listen:
                await self._pass_on_if_busy()
        self._slots.leave(self._broker.wire)
        await self._broker.quiet(self._queue)
        if self._crash is not None:
            raise self._crash

    def hold_back(self, holds: Sequence[HealthCheck]) -> None:
        """Claim nothing while one of these has a trouble: jobs are left to processes that can do them."""
        self._holds = holds

    async def _is_held(self) -> bool:
        troubles = [trouble for hold in self._holds if (trouble := await hold.trouble())]
        before, self._held = self._held, troubles[0] if troubles else None
        if (before is None) != (self._held is None):
            self._observe(QueueHeld(self._broker.wire, self._queue.name, self._held))
        return self._held is not None

    async def _stand_back(self) -> None:
        """Give back what was fetched ahead, and ask again in a moment."""
        self._slots.give_back(self._broker.wire, limited=False)
        await self._broker.quiet(self._queue)
        await self._interruptible(asyncio.sleep(HOLD_PAUSE))

    async def _slot(self) -> bool:
        """Wait for a slot; False if `quiet` came first."""
        self._wants_slot = True
        try:
            return await self._interruptible(self._slots.acquire(self._broker.wire))
        finally:
            self._wants_slot = False

    def _room(self) -> int:
        """How many jobs the broker may hold ready for the next claims."""
        return 0 if self._quiet or self._held else self._slots.room(self._broker.wire)

    async def _claim(self) -> Lease | NotNow:
        try:
            claimed = await self._broker.claim(self._queue)
        except BrokerUnavailableError as error:
            return self._away(error)
        self._answered = time.monotonic()
        if self._outage is not None:
            self._observe(BrokerBack(self._broker.wire, self._queue.name, self._outage.seconds()))
            self._outage = None
        if isinstance(claimed, NotNow) and claimed.limited:
            self._observe(RateLimited(self._broker.wire, self._queue.name, claimed.seconds))
        return claimed

    def _away(self, error: BrokerUnavailableError) -> NotNow:
        if self._outage is None:
            self._outage = Outage()
            self._observe(BrokerLost(self._broker.wire, self._queue.name, reason_of(error)))
        self._outage.trouble = error.trouble
        return NotNow(self._outage.next_pause(), listen=False)

    def _start(self, lease: Lease) -> None:
        ended = self._executor.give_back(lease) if self._quiet else self._executor.run(lease)
        run = asyncio.create_task(ended, name=f"{self._queue.name}:{lease.job.id}")
        self._runs.add(run)
        run.add_done_callback(self._finished)

    def _finished(self, run: asyncio.Task[None]) -> None:
        self._runs.discard(run)
        self._slots.release()
        if not run.cancelled() and (error := run.exception()) is not None:
            self._crash = error
            self.quiet()

    async def _pass_on_if_busy(self) -> None:
        """We heard of work; without a slot for it, let another process hear it."""
        if self._slots.all_taken():
            try:
                await self._broker.pass_on(self._queue)
            except BrokerUnavailableError as error:
                self._away(error)

    async def _interruptible(self, waiting: Coroutine[Any, Any, object]) -> bool:
        """Await something that `quiet` may cut short; False if it did, or had been called before."""
        if self._quiet:
            waiting.close()
            return False
        self._idle = asyncio.current_task()
        try:
            await waiting
        except asyncio.CancelledError:
            if not self._quiet:
                raise
            return False
        finally:
            self._idle = None
        return True
