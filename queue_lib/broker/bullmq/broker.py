"""The Broker port on BullMQ."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from bullmq import Job as BullJob

from queue_lib.broker.base import CRASH_CAP, Lease, NotNow, Setup
from queue_lib.broker.bullmq.ahead import Ahead
from queue_lib.broker.bullmq.lease import BullLease, Session
from queue_lib.broker.bullmq.listener import Listener
from queue_lib.broker.bullmq.parse import MALFORMED, bare, to_job
from queue_lib.broker.bullmq.producer import Producer
from queue_lib.broker.bullmq.set_aside import forget_ended
from queue_lib.broker.bullmq.worker import LoopLessWorker
from queue_lib.broker.connection import BLOCK, client
from queue_lib.broker.held import Held
from queue_lib.broker.refused import refused
from queue_lib.broker.trouble import for_each, outages_translated, run
from queue_lib.broker.unacknowledged import UnacknowledgedClaims
from queue_lib.chore import Chore
from queue_lib.errors import BrokerUnavailableError, LeaseLostError
from queue_lib.job import Wire
from queue_lib.observe.events import JobsRecovered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis.asyncio

    from queue_lib.queues import Queue

HOUR = 3600.0
SCHEDULERS_EVERY = 300.0  # seconds between looks at those that have stopped


class BullMQBroker:
    """All queues of this process, over one connection for commands and one a queue that waits."""

    wire = Wire.BULLMQ

    def __init__(self, queues: Sequence[Queue], setup: Setup) -> None:
        """Nothing is connected before `start`."""
        self._lease_duration = setup.lease_duration
        self._observe = setup.observe
        self._client = client(setup.redis, decode=True, name=f"pushmill:{setup.worker_name}")
        workers = {
            queue.name: LoopLessWorker(queue, setup.prefix, setup.lease_duration, setup.worker_name, self._client)
            for queue in queues
        }
        producer = Producer(self._client, setup.prefix, workers)
        self._sessions = {
            queue.name: Session(queue, workers[queue.name], Ahead(partial(self._lease, queue.name)), producer)
            for queue in queues
        }
        self._listeners = {
            name: Listener(
                client(setup.redis, decode=True, name=_client_name(setup.prefix, name, setup.worker_name)),
                worker.keys["marker"],
            )
            for name, worker in workers.items()
        }
        self._held = Held[BullLease]()
        self._claims = 0
        self._unanswered: set[str] = set()  # queues whose last claim failed
        self._unacknowledged = UnacknowledgedClaims(self._sessions, self._put_back)

    async def start(self) -> None:
        """Connect; from now on Node's `getWorkers()` lists this worker."""
        with outages_translated():
            await asyncio.gather(self._client.ping(), *(listener.connect() for listener in self._listeners.values()))
        self._unacknowledged.watch(self._client)

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
        session = self._sessions[queue.name]
        session.ahead.is_asleep = False  # the consumer may have been quiet for a while
        if self._unacknowledged.are_suspected(queue.name):
            self._unanswered.add(queue.name)
            await self._unacknowledged.collect(queue.name)
        if self._is_ready(queue) and (lease := session.ahead.take()) is not None:
            return lease
        self._claims += 1
        token = f"{session.worker.id}:{self._claims}"
        self._unanswered.add(queue.name)
        with outages_translated():
            answer = await session.worker.backend.moveToActive(token, session.worker.opts)
        self._unanswered.discard(queue.name)
        fields, job_id, limited_ms, next_due_ms = answer
        if fields:
            return await self._lease(queue.name, fields, str(job_id), token)
        return self._not_now(queue, limited_ms, next_due_ms)

    def _is_ready(self, queue: Queue) -> bool:
        """Whether the next claim may take a job that was fetched ahead.

        Not after a failed claim: the next one asks the server, so that its success shows that the server is back.
        """
        return bool(self._sessions[queue.name].ahead) and queue.name not in self._unanswered

    def _not_now(self, queue: Queue, limited_ms: float | None, next_due_ms: float | None) -> NotNow:
        """What a claim without a job says of the next one."""
        if self._unacknowledged.are_suspected(queue.name):
            return NotNow(0.0, listen=False)
        if limited_ms and limited_ms > 0:
            return NotNow(min(limited_ms / 1000, BLOCK), listen=False, limited=True)  # it may be lifted, too
        until = next_due_ms / 1000 - time.time() if next_due_ms else BLOCK
        return NotNow(min(max(until, 0.0), BLOCK), listen=True)

    async def _put_back(self, queue: str) -> None:
        """Put jobs back in line that are active under this worker's name, and that it does not hold."""
        worker = self._sessions[queue].worker
        found = await worker.scripts.active_under(f"{worker.id}:")
        held = self._held.of(queue)
        for job_id, token in [(job_id, token) for job_id, token in found if job_id not in held]:
            if job_id not in self._held.of(queue):  # it may have run out, and come back under the same token
                with contextlib.suppress(LeaseLostError):
                    await worker.scripts.give_back(job_id, token)

    async def _lease(self, queue: str, fields: dict[str, str], job_id: str, token: str) -> BullLease:
        session = self._sessions[queue]
        try:
            raw = BullJob.fromJSON(session.worker, fields, job_id)
            job = to_job(raw, session.queue)
        except MALFORMED as error:
            raw = bare(session.worker, job_id)
            reason = f"unreadable job: {type(error).__name__}: {error}"
            job = refused(session.queue, self.wire, job_id, reason, fields.get("data", ""))
        lease = BullLease(job, raw, token, session, self._held)
        self._held.add(lease)
        if raw.repeatJobKey and "followed" not in fields:
            await self._schedule_next(lease, session.worker, raw)
        return lease

    async def _schedule_next(self, lease: BullLease, worker: LoopLessWorker, raw: Any) -> None:
        try:
            await worker.schedule_next(raw)
        except BrokerUnavailableError:
            lease.abandon()
            self._unacknowledged.suspect(lease.queue.name)  # it goes back in line, and the next claim tries again
            raise

    def reserve_for(self, queue: Queue, room: Callable[[], int]) -> None:
        """Jobs are fetched with the completion of others while there is room."""
        self._sessions[queue.name].ahead.room = room

    async def quiet(self, queue: Queue) -> None:
        """Give back what was fetched ahead, and what may still come."""
        ahead = self._sessions[queue.name].ahead
        ahead.is_asleep = True
        await ahead.give_back()

    async def wait(self, queue: Queue, pause: NotNow) -> None:
        """Wait for a job, or for the pause to pass."""
        if self._is_ready(queue):
            return
        ahead = self._sessions[queue.name].ahead
        ahead.is_asleep = True
        await (self._listeners[queue.name].listen(pause.seconds) if pause.listen else asyncio.sleep(pause.seconds))
        ahead.is_asleep = False  # not when it is cancelled: then the consumer ends

    async def pass_on(self, queue: Queue) -> None:
        """Put the marker back that `wait` has taken."""
        with outages_translated():
            await self._client.zadd(self._sessions[queue.name].worker.keys["marker"], {"0": 0})

    def chores(self) -> Sequence[Chore]:
        """Renew locks three times a lease, look for stalled jobs twice, and at intervals at schedulers and old jobs."""
        return [
            Chore("renew leases", self._lease_duration / 3, self._renew),
            Chore("recover jobs", self._lease_duration / 2, self._recover),
            Chore("continue schedulers", SCHEDULERS_EVERY, self._continue_schedulers),
            Chore("apply retention", HOUR, self._clean),
        ]

    async def _renew(self) -> None:
        await for_each((self._renew_locks, self._unacknowledged.collect_all), run)

    async def _renew_locks(self) -> None:
        await for_each(self._sessions.values(), self._renew_queue)

    async def _renew_queue(self, session: Session) -> None:
        held = self._held.of(session.queue.name)
        if not held:
            return
        ids, tokens = list(held), [lease.token for lease in held.values()]
        with outages_translated():
            lost = await session.worker.backend.extendLocks(ids, tokens, round(self._lease_duration * 1000))
        for job_id in map(str, lost):
            self._held.lose(held[job_id])

    async def _recover(self) -> None:
        """Move jobs whose lock ran out back to the line; the third crash marks one as failed, to be buried next."""
        await for_each(self._sessions.values(), self._recover_queue)

    async def _recover_queue(self, session: Session) -> None:
        interval = round(self._lease_duration / 2 * 1000)
        with outages_translated():
            stalled = await session.worker.backend.moveStalledJobsToWait(CRASH_CAP - 1, interval)
        if stalled:
            self._observe(JobsRecovered(self.wire, session.queue.name, tuple(stalled)))

    async def _continue_schedulers(self) -> None:
        workers = [session.worker for session in self._sessions.values()]
        await for_each(workers, LoopLessWorker.go_on_with_schedulers)

    async def _clean(self) -> None:
        """BullMQ looks at the age of finished jobs only when another one finishes; a quiet queue would keep them."""
        await for_each(self._sessions.values(), self._clean_queue)

    async def _clean_queue(self, session: Session) -> None:
        queue, scripts = session.queue, session.worker.scripts
        with outages_translated():
            await scripts.retain("completed", "removeOnComplete", queue.keep_completed.age)
            await scripts.retain("failed", "removeOnFail", queue.keep_failed.age)
            await forget_ended(session.worker)

    async def close(self) -> None:
        """Close the connections. Jobs fetched ahead and markers that a cancelled wait may have taken go back first."""
        queues = [session.queue for session in self._sessions.values()]
        for queue in queues:
            await self.quiet(queue)
        with contextlib.suppress(BrokerUnavailableError):
            await self._unacknowledged.collect_all()
            for queue in queues:
                await self.pass_on(queue)
        for listener in self._listeners.values():
            await listener.close()
        await self._client.aclose()


def _client_name(prefix: str, queue: str, worker: str) -> str:
    """The connection's name, by which Node's `getWorkers()` knows a worker of a queue."""
    return f"{prefix}:{base64.b64encode(queue.encode()).decode()}:w:{worker}"
