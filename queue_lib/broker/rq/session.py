"""What the jobs of this process share on RQ: the registration, the connections, and RQ's synchronous part."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog
from redis.exceptions import RedisError

from queue_lib.broker.connection import client, single_threaded_client
from queue_lib.broker.rq.batch import Batch
from queue_lib.broker.rq.room import Room
from queue_lib.broker.rq.worker import RegisteredWorker
from queue_lib.job import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rq.queue import Queue as Lane

    from queue_lib.broker.base import Setup

AFTERWARDS_PAUSES = (0.5, 2.0, 5.0, 10.0)  # seconds
T = TypeVar("T")


class Session:
    """A worker of RQ, as `rq info` shows it. `worker` and `lanes` are there once it is registered."""

    worker: RegisteredWorker
    lanes: dict[str, Lane]

    def __init__(self, setup: Setup) -> None:
        """Nothing is connected before `register`."""
        self._worker_name = setup.worker_name
        self._lease_duration = setup.lease_duration
        name = f"pushmill:{setup.worker_name}"
        self.client = client(setup.redis, decode=False, name=name)
        self.sync = single_threaded_client(setup.redis, name=name)
        self.batch = Batch(self.client, self.sync)
        self.room = Room(setup.prefix)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rq")

    async def register(self, lanes: Sequence[str]) -> None:
        """Connect and appear in `rq info`, as a worker of these lanes. Raises redis-py's errors."""
        await self.in_thread(partial(self._register, lanes))

    def _register(self, lanes: Sequence[str]) -> None:
        self.worker = RegisteredWorker(lanes, self._worker_name, self._lease_duration, self.sync)
        self.worker.register()
        self.lanes = {lane.name: lane for lane in self.worker.queues}
        for lane in self.lanes.values():
            lane.get_redis_server_version()  # cached here, for RQ asks while it fills pipelines

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run a synchronous part of RQ off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def afterwards(self, work: Callable[[], object], job_id: str) -> None:
        """Do what follows from a settled job. It is settled by then: a failure here is logged, and no more."""
        for pause in AFTERWARDS_PAUSES:
            try:
                await self.in_thread(work)
            except (RedisError, OSError):
                await asyncio.sleep(pause)
            else:
                return
        structlog.get_logger().warning("dependents_not_woken", id=job_id, wire=Wire.RQ.value)

    async def sign_off(self) -> None:
        """Disappear from `rq info`, now or when the registration expires."""
        try:
            await self.in_thread(self.worker.register_death)
        except (RedisError, OSError):
            structlog.get_logger().warning("not_signed_off", wire=Wire.RQ.value)
        self._thread.shutdown(wait=False)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()
        self.sync.close()
