"""The Broker port on BullMQ."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from bullmq import Job as BullJob
from redis.exceptions import RedisError

from queue_lib.broker.base import CRASH_CAP, Chore, Lease, NotNow, Setup
from queue_lib.broker.bullmq.lease import BullLease
from queue_lib.broker.bullmq.parse import MALFORMED, bare, to_job
from queue_lib.broker.bullmq.producer import Producer
from queue_lib.broker.bullmq.worker import LoopLessWorker
from queue_lib.broker.connection import BLOCK, client
from queue_lib.broker.refused import refused
from queue_lib.broker.strays import Strays
from queue_lib.broker.trouble import for_each, outages_translated, run
from queue_lib.errors import BrokerUnavailableError, LeaseLostError
from queue_lib.job import Wire
from queue_lib.observe.events import JobsRecovered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import redis.asyncio

    from queue_lib.queues import Queue

HOUR = 3600.0
SCHEDULERS_EVERY = 300.0  # seconds between looks at those that have stopped
AFTER_A_BROKEN_WAIT = 0.5  # seconds


class BullMQBroker:
    """All queues of this process, over one connection for commands and one a queue that waits."""

    wire = Wire.BULLMQ

    def __init__(self, queues: Sequence[Queue], setup: Setup) -> None:
        """Nothing is connected before `start`."""
        prefix, name = setup.prefix, setup.worker_name
        self._lease_duration = setup.lease_duration
        self._observe = setup.observe
        self._client = client(setup.redis, decode=True, name=f"pushmill:{name}")
        self._queues = {queue.name: queue for queue in queues}
        self._workers = {
            queue.name: LoopLessWorker(queue, prefix, setup.lease_duration, name, self._client) for queue in queues
        }
        self.producer = Producer(self._client, prefix, self._workers)
        self._listeners = {
            queue.name: client(setup.redis, decode=True, name=_client_name(prefix, queue.name, name))
            for queue in queues
        }
        self._held: dict[str, dict[str, BullLease]] = {queue.name: {} for queue in queues}
        self._ahead: dict[str, deque[BullLease]] = {queue.name: deque() for queue in queues}
        self._fetching: Counter[str] = Counter()
        self._room: dict[str, Callable[[], int]] = {}
        self._asleep: set[str] = set()  # queues whose consumer waits for news, or has ended
        self._claims = 0
        self._unanswered: set[str] = set()  # queues whose last claim failed
        self._strays = Strays(self._queues, self._put_strays_back)

    async def start(self) -> None:
        """Connect; from now on Node's `getWorkers()` lists this worker."""
        with outages_translated():
            await asyncio.gather(*(each.ping() for each in (self._client, *self._listeners.values())))
        self._strays.watch(self._client)

    @property
    def commands(self) -> redis.asyncio.Redis:
        """The connection for commands, which decodes replies; closed with the broker."""
        return self._client

    async def ping(self) -> None:
        """Ask over the connection for commands."""
        with outages_translated():
            await self._client.ping()

    async def claim(self, queue: Queue) -> Lease | NotNow:
        """Take the next job: waiting or due, by priority, within the rate limit, unless paused."""
        self._asleep.discard(queue.name)  # the consumer may have been quiet for a while
        if self._strays.are_suspected(queue.name):
            self._unanswered.add(queue.name)
            await self._strays.collect(queue.name)
        while self._is_ready(queue):
            ahead = self._ahead[queue.name].popleft()
            if not ahead.is_lost:
                return ahead
        worker = self._workers[queue.name]
        self._claims += 1
        token = f"{worker.id}:{self._claims}"
        self._unanswered.add(queue.name)
        with outages_translated():
            fields, job_id, limited_ms, next_due_ms = await worker.backend.moveToActive(token, worker.opts)
        self._unanswered.discard(queue.name)
        if fields:
            return await self._lease(queue, fields, str(job_id), token)
        if self._strays.are_suspected(queue.name):
            return NotNow(0.0, listen=False)
        if limited_ms and limited_ms > 0:
            return NotNow(min(limited_ms / 1000, BLOCK), listen=False, limited=True)  # it may be lifted, too
        until = next_due_ms / 1000 - time.time() if next_due_ms else BLOCK
        return NotNow(min(max(until, 0.0), BLOCK), listen=True)

    def _is_ready(self, queue: Queue) -> bool:
        """Whether a job was fetched ahead. After a claim that failed it waits for one that does not.

        So a claim that succeeds says that the server is there.
        """
        return bool(self._ahead[queue.name]) and queue.name not in self._unanswered

    async def _put_strays_back(self, queue: str) -> None:
        worker, held = self._workers[queue], self._held[queue]
        found = await worker.scripts.active_under(f"{worker.id}:")
        for job_id, token in [(job_id, token) for job_id, token in found if job_id not in held]:
            if job_id not in held:  # it may have run out, and come back with a completion under the same token
                with contextlib.suppress(LeaseLostError):
                    await worker.scripts.give_back(job_id, token)

    async def _lease(self, queue: Queue, fields: dict[str, str], job_id: str, token: str) -> BullLease:
        worker = self._workers[queue.name]
        try:
            raw = BullJob.fromJSON(worker, fields, job_id)
            job = to_job(raw, queue)
        except MALFORMED as error:
            raw = bare(worker, job_id)
            reason = f"unreadable job: {type(error).__name__}: {error}"
            job = refused(queue, self.wire, job_id, reason, fields.get("data", ""))
        lease = BullLease(job, raw, token, queue, worker, self)
        self._held[queue.name][job_id] = lease
        if raw.repeatJobKey and "followed" not in fields:
            await self._schedule_next(lease, raw)
        return lease

    async def _schedule_next(self, lease: BullLease, raw: Any) -> None:
        try:
            await self._workers[lease.queue.name].schedule_next(raw)
        except BrokerUnavailableError:
            lease.abandon()
            self._strays.suspect(lease.queue.name)  # it goes back in line, and whoever claims it next tries again
            raise

    def reserve_for(self, queue: Queue, room: Callable[[], int]) -> None:
        """Jobs are fetched with the completion of others while there is room."""
        self._room[queue.name] = room

    @contextlib.contextmanager
    def fetching(self, queue: Queue) -> Iterator[bool]:
        """Whether a job may be fetched for the next claim; counts it while it is under way."""
        name = queue.name
        room = self._room.get(name, lambda: 0)() if name not in self._asleep else 0
        fetches = len(self._ahead[name]) + self._fetching[name] < room
        self._fetching[name] += fetches
        try:
            yield fetches
        finally:
            self._fetching[name] -= fetches

    async def fetched(self, queue: Queue, fields: dict[str, str], job_id: str, token: str) -> None:
        """A job that came with the completion of another: the next claim gets it, or it goes back and is news."""
        with contextlib.suppress(BrokerUnavailableError):  # its lock runs out by itself
            self._ahead[queue.name].append(await self._lease(queue, fields, job_id, token))
        if queue.name in self._asleep:
            await self._give_back(queue)

    async def quiet(self, queue: Queue) -> None:
        """Give back what was fetched ahead, and what may still come."""
        self._asleep.add(queue.name)
        await self._give_back(queue)

    async def _give_back(self, queue: Queue) -> None:
        ahead = self._ahead[queue.name]
        while ahead:
            lease = ahead.popleft()
            try:
                await lease.release()
            except (BrokerUnavailableError, LeaseLostError):
                lease.abandon()

    def holds(self, lease: BullLease) -> bool:
        """Whether the lease is neither settled nor known to be lost."""
        return self._held[lease.queue.name].get(lease.job.id) is lease

    def forget(self, lease: BullLease) -> None:
        """The lease is settled or lost: renew it no more. A newer one of the same job stays."""
        if self.holds(lease):
            del self._held[lease.queue.name][lease.job.id]

    async def wait(self, queue: Queue, pause: NotNow) -> None:
        """Wait on the queue's marker: a sorted set that every producer of jobs adds to, scored by when they are due."""
        if self._is_ready(queue):
            return
        self._asleep.add(queue.name)
        await (self._listen(queue, pause.seconds) if pause.listen else asyncio.sleep(pause.seconds))
        self._asleep.discard(queue.name)  # not when it is cancelled: then the consumer ends

    async def _listen(self, queue: Queue, seconds: float) -> None:
        until = time.time() + seconds
        marker = self._workers[queue.name].keys["marker"]
        try:
            while (left := until - time.time()) > 0:
                # 0 would mean "for ever", and Redis counts in milliseconds.
                news = await self._listeners[queue.name].bzpopmin(marker, timeout=max(0.001, round(left, 3)))
                if not news or (due := float(news[2]) / 1000) <= time.time():
                    return
                until = min(due, until)
        except (RedisError, OSError):
            await asyncio.sleep(AFTER_A_BROKEN_WAIT)  # the next claim says what is wrong

    async def pass_on(self, queue: Queue) -> None:
        """Put the marker back that `wait` has taken."""
        with outages_translated():
            await self._client.zadd(self._workers[queue.name].keys["marker"], {"0": 0})

    def chores(self) -> Sequence[Chore]:
        """Renew locks three times a lease, look for stalled jobs twice; now and then schedulers, each hour old jobs."""
        return [
            Chore("renew leases", self._lease_duration / 3, self._renew),
            Chore("recover jobs", self._lease_duration / 2, self._recover),
            Chore("continue schedulers", SCHEDULERS_EVERY, self._continue_schedulers),
            Chore("apply retention", HOUR, self._clean),
        ]

    async def _renew(self) -> None:
        await for_each((self._renew_locks, self._strays.collect_all), run)

    async def _renew_locks(self) -> None:
        await for_each(self._held, self._renew_queue)

    async def _renew_queue(self, name: str) -> None:
        held = self._held[name]
        if not held:
            return
        before = dict(held)
        ids, tokens = list(before), [lease.token for lease in before.values()]
        with outages_translated():
            lost = await self._workers[name].backend.extendLocks(ids, tokens, round(self._lease_duration * 1000))
        for job_id in map(str, lost):
            if held.get(job_id) is before[job_id]:  # not settled meanwhile
                held.pop(job_id).lose()

    async def _recover(self) -> None:
        """Move jobs whose lock ran out back to the line; the third crash marks one as failed, to be buried next."""
        await for_each(self._workers, self._recover_queue)

    async def _recover_queue(self, name: str) -> None:
        interval = round(self._lease_duration / 2 * 1000)
        with outages_translated():
            stalled = await self._workers[name].backend.moveStalledJobsToWait(CRASH_CAP - 1, interval)
        if stalled:
            self._observe(JobsRecovered(self.wire, name, tuple(stalled)))

    async def _continue_schedulers(self) -> None:
        await for_each(self._workers.values(), LoopLessWorker.go_on_with_schedulers)

    async def _clean(self) -> None:
        """BullMQ looks at the age of finished jobs only when another one finishes; a quiet queue would keep them."""
        await for_each(self._queues.values(), self._clean_queue)

    async def _clean_queue(self, queue: Queue) -> None:
        scripts = self._workers[queue.name].scripts
        with outages_translated():
            await scripts.retain("completed", "removeOnComplete", queue.keep_completed.age)
            await scripts.retain("failed", "removeOnFail", queue.keep_failed.age)

    async def close(self) -> None:
        """Close the connections. Jobs fetched ahead and markers that a cancelled wait may have taken go back first."""
        for queue in self._queues.values():
            await self.quiet(queue)
        with contextlib.suppress(BrokerUnavailableError):
            await self._strays.collect_all()
            for queue in self._queues.values():
                await self.pass_on(queue)
        for each in (*self._listeners.values(), self._client):
            await each.aclose()


def _client_name(prefix: str, queue: str, worker: str) -> str:
    """The connection's name, by which Node's `getWorkers()` knows a worker of a queue."""
    return f"{prefix}:{base64.b64encode(queue.encode()).decode()}:w:{worker}"
