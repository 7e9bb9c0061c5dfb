"""The Broker port on RQ."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from rq.serializers import JSONSerializer

from queue_lib.broker.base import Lease, NotNow, Setup
from queue_lib.broker.connection import BLOCK, client
from queue_lib.broker.held import Held
from queue_lib.broker.refused import refused
from queue_lib.broker.rq.claims import Claims, text
from queue_lib.broker.rq.lanes import (
    EXECUTION_PREFIX,
    JOB_PREFIX,
    executions_key,
    executions_of_job_key,
    intermediate_key,
    kept_key,
    lanes,
    listened,
    started_key,
    waiting_key,
)
from queue_lib.broker.rq.lease import RQLease
from queue_lib.broker.rq.listener import Listener
from queue_lib.broker.rq.orders import Orders
from queue_lib.broker.rq.parse import MALFORMED, Found, Raw, bare, describe, restore, to_job, written
from queue_lib.broker.rq.retention import clear_out
from queue_lib.broker.rq.scripts import source
from queue_lib.broker.rq.session import Session
from queue_lib.broker.trouble import for_each, outages_translated, run
from queue_lib.broker.unacknowledged import UnacknowledgedClaims
from queue_lib.chore import Chore
from queue_lib.errors import BrokerUnavailableError
from queue_lib.job import Wire
from queue_lib.observe.events import JobsRecovered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from queue_lib.queues import Queue

RECOVERING = (JOB_PREFIX, EXECUTION_PREFIX, executions_of_job_key(""), *executions_key("*").split("*"))
IDLE = 2.5  # seconds between looks at what producers schedule, and at the low lane
PAUSED = 2.0  # seconds between looks at the pause switch
FULL = 0.25  # seconds between looks for room under the app's concurrency, where another process may have made it
BEAT_WHEN_IDLE = 60.0  # seconds
RETENTION_EVERY = 600.0  # seconds
AT_ONCE = 500  # jobs that are deleted in one step
HEED_AGAIN = 5.0  # seconds after which orders are listened for again, where that ended or was refused


class RQBroker:
    """All queues of this process.

    It has a connection for commands, one for each lane that it listens to, one for the orders of RQ's tools, and for
    moments one or two for RQ's synchronous part.
    """

    wire = Wire.RQ

    def __init__(self, queues: Sequence[Queue], setup: Setup) -> None:
        """Nothing is connected before `start`."""
        self._lease_duration = setup.lease_duration
        self._observe = setup.observe
        self._queues = {queue.name: queue for queue in queues}
        self._session = Session(setup)
        self._claims = Claims(self._session, queues, setup)
        self._held = Held[RQLease]()
        self._unacknowledged = UnacknowledgedClaims(self._queues, self._put_back)
        self._recover_script = self._session.client.register_script(source("recover"))
        self._trim_script = self._session.client.register_script(source("trim"))
        name = f"pushmill:{setup.worker_name}"
        self._listeners = {
            lane: Listener(client(setup.redis, decode=False, name=name), lane)
            for queue in queues
            for lane in listened(queue.name)
        }
        self._orders = Orders(client(setup.redis, decode=False, name=name), setup.worker_name, self._held)
        self._last_beat = 0.0

    async def start(self) -> None:
        """Connect and register: `rq info` shows this worker from now on."""
        commands = self._session.client
        with outages_translated():
            await asyncio.gather(commands.ping(), *(listener.connect() for listener in self._listeners.values()))
            await self._session.register([lane for queue in self._queues for lane in lanes(queue)])
        self._unacknowledged.watch(commands)

    async def ping(self) -> None:
        """Ask over the connection for commands."""
        with outages_translated():
            await self._session.client.ping()

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Take the next job of the first lane that has one, and mark it as started."""
        await self._unacknowledged.collect(queue.name)
        with outages_translated():
            answer, rest = await self._claims.take(queue)
        if answer != b"job":
            return self._not_now(queue, answer, rest)
        number, job_id, fields, now, is_limited, strangers = rest
        self._session.room.is_limited(queue.name, by_the_app=bool(is_limited))
        found = Found(text(job_id), _fields(fields), [text(stranger) for stranger in strangers])
        return await self._lease(queue, lanes(queue.name)[number - 1], found, float(now))

    def _not_now(self, queue: Queue, answer: bytes, rest: Sequence[Any]) -> NotNow:
        """What the claim script has answered, if it is no job."""
        match answer:
            case b"gone":
                structlog.get_logger().warning("job_gone", queue=queue.name, wire=self.wire.value, id=text(rest[0]))
                return NotNow(0.0, listen=False)
            case _ if self._unacknowledged.are_suspected(queue.name):
                return NotNow(0.0, listen=False)
            case b"limited":
                return NotNow(min(rest[0] / 1000, BLOCK), listen=False, limited=True)  # it may be lifted, too
            case b"paused":
                return NotNow(PAUSED, listen=False)
            case b"full":
                self._session.room.is_full(queue.name)
                return NotNow(FULL, listen=False)
            case _:
                due = float(rest[0]) / 1000 if rest[0] else IDLE
                return NotNow(min(max(due, 0.0), IDLE), listen=True)

    async def _lease(self, queue: Queue, lane: str, found: Found, now: float) -> Lease | NotNow:
        job_id, sync = found.job_id, self._session.sync
        try:
            found.check()
            rq_job = restore(job_id, found.fields, sync, JSONSerializer)
            rq_job.origin = lane
            job = to_job(found.fields, rq_job, queue, now)
        except MALFORMED as error:
            job = refused(queue, self.wire, job_id, describe(error), written(found.fields))
            rq_job = bare(job_id, lane, sync, JSONSerializer)
        rq_job.leave_to(queue)
        try:
            with outages_translated():
                execution = await self._claims.start(rq_job)
        except BrokerUnavailableError:
            self._unacknowledged.suspect(queue.name)  # this job is one: started or not, it goes back in line
            raise
        if execution is None:
            return NotNow(0.0, listen=False)
        lease = RQLease(job, rq_job, execution, queue, self._session, self._held)
        self._held.add(lease)
        return lease

    async def _put_back(self, queue: str) -> None:
        await self._claims.put_back(queue, self._held)

    async def wait(self, queue: Queue, pause: NotNow) -> None:
        """Wait until a listened lane has a job, a job of ours has ended in a full queue, or the pause is over."""
        if not pause.listen:
            await self._session.room.wait(queue.name, pause.seconds)
            return
        news = [self._listeners[lane].news() for lane in listened(queue.name)]
        await asyncio.wait(news, timeout=pause.seconds, return_when=asyncio.FIRST_COMPLETED)

    async def pass_on(self, queue: Queue) -> None:
        """Nothing to pass on: a list keeps its jobs, and every listener hears of them."""

    def reserve_for(self, queue: Queue, room: Callable[[], int]) -> None:
        """No round trip would be saved."""

    async def quiet(self, queue: Queue) -> None:
        """Nothing is held ready."""

    def chores(self) -> Sequence[Chore]:
        """Renew leases three times a lease, look for lost jobs twice, clear out every ten minutes, heed RQ's tools."""
        return [
            Chore("renew leases", self._lease_duration / 3, self._beat),
            Chore("recover jobs", self._lease_duration / 2, self._recover),
            Chore("apply retention", RETENTION_EVERY, self._clean),
            Chore("heed orders", HEED_AGAIN, self._orders.heed),
        ]

    async def _beat(self) -> None:
        parts = [part for queue in self._queues if (part := [*self._held.of(queue).values()])]
        if not parts and time.monotonic() - self._last_beat >= BEAT_WHEN_IDLE:
            parts = [[]]
        steps: list[Callable[[], Awaitable[None]]] = [partial(self._renew, part) for part in parts]
        await for_each([*steps, self._unacknowledged.collect_all], run)

    async def _renew(self, held: Sequence[RQLease]) -> None:
        """Renew what is there; an execution that is not there any more was recovered or removed."""
        worker, batch = self._session.worker, self._session.batch
        leases = [(started_key(lease.lane.name), lease.key, lease.renew) for lease in held]
        with outages_translated():
            is_registered, lost = await batch.beat((worker.redis_workers_keys, worker.key), worker.renew, leases)
            for lease in held:
                if lease.key in lost:
                    self._held.lose(lease)
            if not is_registered:
                await self._session.in_thread(worker.register_anew)
        self._last_beat = time.monotonic()

    async def _recover(self) -> None:
        await for_each(self._queues, self._recover_queue)

    async def _recover_queue(self, queue: str) -> None:
        keys = [key for lane in lanes(queue) for key in (waiting_key(lane), intermediate_key(lane), started_key(lane))]
        with outages_translated():
            ids = await self._recover_script(keys=keys, args=[self._lease_duration, *RECOVERING])
        if ids:
            self._observe(JobsRecovered(self.wire, queue, tuple(text(job_id) for job_id in ids)))

    async def _clean(self) -> None:
        await for_each(self._queues.values(), self._clean_queue)

    async def _clean_queue(self, queue: Queue) -> None:
        with outages_translated():
            for lane in lanes(queue.name):
                await self._session.in_thread(partial(clear_out, self._session.lanes[lane]))
            await self._trim(queue)

    async def _trim(self, queue: Queue) -> None:
        """Delete the oldest finished jobs beyond the queue's count, as each settled job does, in larger steps."""
        count, left = queue.keep_completed.count, math.inf
        while count is not None and left > count:
            left = await self._trim_script(keys=[kept_key(queue.name)], args=[count, AT_ONCE])

    async def close(self) -> None:
        """Sign off from `rq info` and close the connections. What came in a lost answer goes back first."""
        with contextlib.suppress(BrokerUnavailableError):
            await self._unacknowledged.collect_all()
        for listener in self._listeners.values():
            await listener.close()
        await self._session.sign_off()
        await self._orders.close()
        await self._session.close()


def _fields(flat: Sequence[bytes]) -> Raw:
    return dict(zip(flat[::2], flat[1::2], strict=True))
