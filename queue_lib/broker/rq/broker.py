"""The Broker port on RQ."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from redis.exceptions import RedisError
from rq.executions import Execution
from rq.serializers import JSONSerializer
from rq.suspension import WORKERS_SUSPENDED

from queue_lib.broker.base import Chore, Lease, NotNow, Setup
from queue_lib.broker.connection import BLOCK, client, single_threaded_client
from queue_lib.broker.refused import refused
from queue_lib.broker.rq.batch import Batch
from queue_lib.broker.rq.lanes import (
    EXECUTION_PREFIX,
    JOB_PREFIX,
    executions_key,
    executions_of_job_key,
    intermediate_key,
    kept_key,
    lanes,
    listened,
    scheduled_key,
    started_key,
    waiting_key,
)
from queue_lib.broker.rq.lease import RQLease
from queue_lib.broker.rq.orders import Orders
from queue_lib.broker.rq.parse import MALFORMED, Found, Raw, bare, describe, restore, to_job, written
from queue_lib.broker.rq.retention import clear_out
from queue_lib.broker.rq.room import Room
from queue_lib.broker.rq.scripts import source
from queue_lib.broker.rq.worker import RegisteredWorker
from queue_lib.broker.strays import Strays
from queue_lib.broker.trouble import for_each, outages_translated, run
from queue_lib.errors import BrokerUnavailableError
from queue_lib.job import Wire
from queue_lib.observe.events import JobsRecovered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import redis.asyncio
    from redis.client import Pipeline
    from rq.queue import Queue as Lane

    from queue_lib.broker.rq.job import GuardedJob
    from queue_lib.queues import Queue

RECOVERING = (JOB_PREFIX, EXECUTION_PREFIX, executions_of_job_key(""), *executions_key("*").split("*"))
LISTEN = 12  # seconds that a blocking wait takes; there are four of them, and commands are counted
IDLE = 2.5  # seconds between looks at what producers schedule, and at the low lane
PAUSED = 2.0  # seconds between looks at the pause switch
FULL = 0.25  # seconds between looks for room under the app's concurrency, where another process may have made it
BEAT_WHEN_IDLE = 60.0  # seconds
RETENTION_EVERY = 600.0  # seconds
AT_ONCE = 500  # jobs that are deleted in one step
AFTER_A_BROKEN_WAIT = 0.5  # seconds
HEED_AGAIN = 5.0  # seconds after which orders are listened for again, where that ended or was refused
FOLLOW_UP_PAUSES = (0.5, 2.0, 5.0, 10.0)  # seconds
T = TypeVar("T")


class RQBroker:
    """All queues of this process.

    It has a connection for commands, one a listened lane, one on which RQ tells its workers what to do, and for
    moments one or two for RQ's synchronous part.
    """

    wire = Wire.RQ

    def __init__(self, queues: Sequence[Queue], setup: Setup) -> None:
        """Nothing is connected before `start`."""
        self._lease_duration = setup.lease_duration
        self._worker_name = setup.worker_name
        self._observe = setup.observe
        name = f"pushmill:{setup.worker_name}"
        self.client = client(setup.redis, decode=False, name=name)
        self._sync = single_threaded_client(setup.redis, name=name)
        self.batch = Batch(self.client, self._sync)
        self._claim = self.client.register_script(source("claim"))
        self._recover_script = self.client.register_script(source("recover"))
        self._find_strays = self.client.register_script(source("strays"))
        self._trim_script = self.client.register_script(source("trim"))
        self._put_back = self.client.register_script(source("put_back"))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rq")
        self._queues = {queue.name: queue for queue in queues}
        self._claim_keys = {queue.name: _claim_keys(queue.name, setup.prefix) for queue in queues}
        self._listeners = {
            lane: Listener(client(setup.redis, decode=False, name=name), lane)
            for queue in queues
            for lane in listened(queue.name)
        }
        self._orders = Orders(client(setup.redis, decode=False, name=name), setup.worker_name, self.held)
        self._lanes: dict[str, Lane] = {}
        self._held: set[RQLease] = set()
        self._starting: set[str] = set()  # ids of jobs that are claimed and being marked as started
        self.room = Room(setup.prefix)
        self._strays = Strays(self._queues, self._put_strays_back)
        self._last_beat = 0.0
        self.worker: RegisteredWorker

    async def start(self) -> None:
        """Connect and register: `rq info` shows this worker from now on."""
        with outages_translated():
            await asyncio.gather(self.client.ping(), *(listener.connect() for listener in self._listeners.values()))
            await self.in_thread(self._register)
        self._strays.watch(self.client)

    def _register(self) -> None:
        names = [lane for queue in self._queues for lane in lanes(queue)]
        self.worker = RegisteredWorker(names, self._worker_name, self._lease_duration, self._sync)
        self.worker.register()
        self._lanes = {lane.name: lane for lane in self.worker.queues}
        for lane in self._lanes.values():
            lane.get_redis_server_version()  # cached here, for RQ asks while it fills pipelines

    async def ping(self) -> None:
        """Ask over the connection for commands."""
        with outages_translated():
            await self.client.ping()

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Take the next job of the first lane that has one, and mark it as started."""
        await self._strays.collect(queue.name)
        window_ms = max(1, round(queue.rate_duration * 1000))
        args: list[str | int] = [queue.rate_max, window_ms, JOB_PREFIX, self._worker_name]
        with outages_translated():
            answer, *rest = await self._claim(keys=self._claim_keys[queue.name], args=args)
        if answer != b"job":
            return self._not_now(queue, answer, rest)
        number, job_id, fields, now, is_limited, strangers = rest
        self.room.is_limited(queue.name, by_the_app=bool(is_limited))
        found = Found(_text(job_id), _fields(fields), [_text(stranger) for stranger in strangers])
        return await self._lease(queue, lanes(queue.name)[number - 1], found, float(now))

    def _not_now(self, queue: Queue, answer: bytes, rest: Sequence[Any]) -> NotNow:
        """What the claim script has answered, if it is no job."""
        match answer:
            case b"gone":
                structlog.get_logger().warning("job_gone", queue=queue.name, wire=self.wire.value, id=_text(rest[0]))
                return NotNow(0.0, listen=False)
            case _ if self._strays.are_suspected(queue.name):
                return NotNow(0.0, listen=False)
            case b"limited":
                return NotNow(min(rest[0] / 1000, BLOCK), listen=False, limited=True)  # it may be lifted, too
            case b"paused":
                return NotNow(PAUSED, listen=False)
            case b"full":
                self.room.is_full(queue.name)
                return NotNow(FULL, listen=False)
            case _:
                due = float(rest[0]) / 1000 if rest[0] else IDLE
                return NotNow(min(max(due, 0.0), IDLE), listen=True)

    async def _lease(self, queue: Queue, lane: str, found: Found, now: float) -> Lease | NotNow:
        job_id = found.job_id
        try:
            found.check()
            rq_job = restore(job_id, found.fields, self._sync, JSONSerializer)
            rq_job.origin = lane
            job = to_job(found.fields, rq_job, queue, now)
        except MALFORMED as error:
            job = refused(queue, self.wire, job_id, describe(error), written(found.fields))
            rq_job = bare(job_id, lane, self._sync, JSONSerializer)
        rq_job.leave_to(queue)
        self._starting.add(job_id)
        try:
            with outages_translated():
                execution = await self._begin(rq_job)
        except BrokerUnavailableError:
            self._strays.suspect(queue.name)  # this job is one: begun or not, it goes back in line
            raise
        finally:
            self._starting.discard(job_id)
        if execution is None:
            return NotNow(0.0, listen=False)
        lease = RQLease(job, rq_job, execution, self._lanes[lane], queue, self)
        self._held.add(lease)
        return lease

    async def _put_strays_back(self, queue: str) -> None:
        keys = [key for lane in lanes(queue) for key in (intermediate_key(lane), started_key(lane))]
        found = await self._find_strays(keys=keys, args=[self._worker_name, JOB_PREFIX, EXECUTION_PREFIX])
        held = {lease.execution.composite_key for lease in self._held}
        strays = [
            (lanes(queue)[number - 1], job_id, member)
            for number, job_id, member in zip(found[::3], found[1::3], found[2::3], strict=True)
            if (_text(member) not in held if member else _text(job_id) not in self._starting)
        ]
        for lane, job_id, member in reversed(strays):  # each to the front
            keys = [waiting_key(lane), intermediate_key(lane), started_key(lane), executions_key(self._worker_name)]
            keys.append(executions_of_job_key(_text(job_id)))
            await self._put_back(keys=keys, args=[job_id, member, JOB_PREFIX, EXECUTION_PREFIX])

    async def _begin(self, rq_job: GuardedJob) -> Execution | None:
        """Mark a claimed job as started, with an execution: one step. None if others have recovered it meanwhile."""
        begun: list[Execution] = []

        def fill(pipe: Pipeline) -> None:
            rq_job.prepare_for_execution(self.worker.name, pipe)
            pipe.persist(rq_job.key)
            ttl = self.worker.get_heartbeat_ttl(rq_job)
            begun.append(Execution.create(rq_job, ttl, pipe, worker_name=self.worker.name))
            self.worker.begin(begun[0], pipe)

        verdict = "failed"
        try:
            verdict, _ = await self.batch.send(rq_job, fill)
        finally:
            for execution in begun if verdict != "ok" else []:
                self.worker.executions.pop(execution.id, None)
        return begun[0] if verdict == "ok" else None

    async def wait(self, queue: Queue, pause: NotNow) -> None:
        """Wait until a listened lane has a job, a job of ours has ended in a full queue, or the pause is over."""
        if not pause.listen:
            await self.room.wait(queue.name, pause.seconds)
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
        held = list(self._held)
        parts = [part for queue in self._queues if (part := [each for each in held if each.lane.name in lanes(queue)])]
        if not parts and time.monotonic() - self._last_beat >= BEAT_WHEN_IDLE:
            parts = [[]]
        steps: list[Callable[[], Awaitable[None]]] = [partial(self._renew, part) for part in parts]
        await for_each([*steps, self._strays.collect_all], run)

    async def _renew(self, held: Sequence[RQLease]) -> None:
        """Renew what is there; an execution that is not there any more was recovered or removed."""
        worker = self.worker
        leases = [(started_key(lease.lane.name), lease.execution.composite_key, lease.renew) for lease in held]
        with outages_translated():
            is_registered, lost = await self.batch.beat((worker.redis_workers_keys, worker.key), worker.renew, leases)
            for lease in held:
                if lease.execution.composite_key in lost and lease in self._held:  # not settled meanwhile
                    self.forget(lease)
                    lease.lose()
            if not is_registered:
                await self.in_thread(worker.register_anew)
        self._last_beat = time.monotonic()

    async def _recover(self) -> None:
        await for_each(self._queues, self._recover_queue)

    async def _recover_queue(self, queue: str) -> None:
        keys = [key for lane in lanes(queue) for key in (waiting_key(lane), intermediate_key(lane), started_key(lane))]
        with outages_translated():
            ids = await self._recover_script(keys=keys, args=[self._lease_duration, *RECOVERING])
        if ids:
            self._observe(JobsRecovered(self.wire, queue, tuple(_text(job_id) for job_id in ids)))

    async def _clean(self) -> None:
        await for_each(self._queues.values(), self._clean_queue)

    async def _clean_queue(self, queue: Queue) -> None:
        with outages_translated():
            for lane in lanes(queue.name):
                await self.in_thread(partial(clear_out, self._lanes[lane]))
            await self._trim(queue)

    async def _trim(self, queue: Queue) -> None:
        """Delete the oldest finished jobs beyond the queue's count, as each settled job does, in larger steps."""
        count, left = queue.keep_completed.count, math.inf
        while count is not None and left > count:
            left = await self._trim_script(keys=[kept_key(queue.name)], args=[count, AT_ONCE])

    def held(self) -> list[RQLease]:
        """The leases that are neither settled nor known to be lost."""
        return list(self._held)

    def holds(self, lease: RQLease) -> bool:
        """Whether the lease is neither settled nor known to be lost."""
        return lease in self._held

    def forget(self, lease: RQLease) -> None:
        """The lease is settled or lost: renew it no more."""
        self._held.discard(lease)
        self.room.ended(lease.job.queue)
        self.worker.executions.pop(lease.execution.id, None)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run a synchronous part of RQ off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def follow_up(self, work: Callable[[], object], job_id: str) -> None:
        """Do what follows from a settled job. It is settled by then: what fails here is told, and no more."""
        for pause in FOLLOW_UP_PAUSES:
            try:
                await self.in_thread(work)
            except (RedisError, OSError):
                await asyncio.sleep(pause)
            else:
                return
        structlog.get_logger().warning("dependents_not_woken", id=job_id, wire=self.wire.value)

    async def close(self) -> None:
        """Sign off from `rq info` and close the connections. What came in a lost answer goes back first."""
        with contextlib.suppress(BrokerUnavailableError):
            await self._strays.collect_all()
        for listener in self._listeners.values():
            await listener.close()
        try:
            await self.in_thread(self.worker.register_death)
        except (RedisError, OSError):
            structlog.get_logger().warning("not_signed_off", wire=self.wire.value)  # its registration expires
        self._thread.shutdown(wait=False)
        await self._orders.close()
        await self.client.aclose()
        self._sync.close()


class Listener:
    """Waits for a job in one lane without taking it: a blocking move of the first job onto its own place."""

    def __init__(self, client: redis.asyncio.Redis, lane: str) -> None:
        """`client` is this listener's alone."""
        self._client = client
        self._key = waiting_key(lane)
        self._task: asyncio.Task[None] | None = None

    def news(self) -> asyncio.Task[None]:
        """A task that ends when the lane has a job. It outlives a wait: cancelling it costs a connection."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._listen())
        return self._task

    async def _listen(self) -> None:
        try:
            while await self._client.blmove(self._key, self._key, LISTEN, "LEFT", "LEFT") is None:
                pass
        except (RedisError, OSError):
            await asyncio.sleep(AFTER_A_BROKEN_WAIT)  # the next claim says what is wrong

    async def close(self) -> None:
        """Stop listening."""
        while self._task is not None and not self._task.done():
            self._task.cancel()  # again and again: redis-py swallows a cancellation that comes while it connects
            await asyncio.wait([self._task], timeout=0.2)
        await self._client.aclose()

    async def connect(self) -> None:
        """Open the connection. Raises redis-py's errors."""
        await self._client.ping()


def _claim_keys(queue: str, prefix: str) -> list[str]:
    shared = [f"{prefix}:{queue}:limiter", f"{prefix}:{queue}:meta", WORKERS_SUSPENDED, f"{prefix}:{queue}:active"]
    kinds = (waiting_key, intermediate_key, scheduled_key, started_key)
    of_lanes = [[key(lane) for key in kinds] for lane in lanes(queue)]
    return [*shared, *(key for keys in of_lanes for key in keys)]


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _fields(flat: Sequence[bytes]) -> Raw:
    return dict(zip(flat[::2], flat[1::2], strict=True))
