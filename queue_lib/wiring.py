"""Builds everything from settings: the composition root of the queue, in plain order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from queue_lib.admin import Admin
from queue_lib.broker.base import Setup
from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.bullmq.dead import BullMQDeadLetters
from queue_lib.broker.bullmq.inspector import BullMQInspector
from queue_lib.broker.connection import client, options, synchronous_client
from queue_lib.broker.preflight import check_redis
from queue_lib.broker.pulse import RedisPulses
from queue_lib.broker.rq.broker import RQBroker
from queue_lib.broker.rq.inspector import RQInspector
from queue_lib.errors import ConfigurationError
from queue_lib.job import Wire
from queue_lib.observe import memory
from queue_lib.observe.events import to_all
from queue_lib.observe.log import LogObserver
from queue_lib.observe.pulse import Pulse, WorkerView
from queue_lib.queues import QUEUES, Queue
from queue_lib.runner.executor import Executor
from queue_lib.runner.launcher import Launcher
from queue_lib.runner.reporter import Reporter
from queue_lib.settings import apply, load, queue_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Sequence
    from typing import Any

    from pydantic_settings import BaseSettings

    from queue_lib.broker.base import Broker, Inspector
    from queue_lib.processor import Form, Registry
    from queue_lib.settings import WorkerSettings

T = TypeVar("T")
BROKERS: dict[Wire, type[BullMQBroker | RQBroker]] = {Wire.BULLMQ: BullMQBroker, Wire.RQ: RQBroker}


def load_all(worker: type[WorkerSettings], *others: type[BaseSettings]) -> tuple[Any, ...]:
    """Load the worker's settings, the other ones, and the queue table as the environment has it, in that order.

    The table's last place in the result is a tuple of the queues that this process serves. Raises ConfigurationError
    with all faults together.
    """
    loaded = load(worker, *others, *(queue_settings(queue) for queue in QUEUES))
    count = 1 + len(others)
    served = loaded[0].queues
    table = (apply(queue, values) for queue, values in zip(QUEUES, loaded[count:], strict=True))
    return (*loaded[:count], tuple(queue for queue in table if queue.name in served))


def redis_options(settings: WorkerSettings) -> dict[str, Any]:
    """Connection options of redis-py. Raises ConfigurationError."""
    return options(settings.redis, ca=settings.redis_tls_ca, insecure=settings.redis_tls_insecure)


async def preflight(settings: WorkerSettings, opening: Awaitable[T]) -> T:
    """Check Redis and, at the same time, open what else the process needs; returns what `opening` returns.

    Raises ConfigurationError with the faults of both. Any exception of `opening` counts as its fault, a line a line.
    """
    checked, opened = await asyncio.gather(check_redis(redis_options(settings)), opening, return_exceptions=True)
    faults = [str(fault) for fault in (checked, opened) if isinstance(fault, BaseException)]
    if isinstance(opened, BaseException) or faults:
        raise ConfigurationError(*faults)
    return opened


@contextlib.asynccontextmanager
async def admin(settings: WorkerSettings, forms: Sequence[Form], by: str) -> AsyncIterator[Admin]:
    """What an operator works with; `forms` are the jobs that may be added, `by` is who acts."""
    parts = redis_options(settings)
    name = f"pushmill:admin-{uuid4().hex[:8]}"
    shared, sync = client(parts, decode=True, name=name), synchronous_client(parts, name=name)
    switch = BullMQInspector(shared, settings.bullmq_prefix)
    inspectors: dict[Wire, Inspector] = {Wire.BULLMQ: switch, Wire.RQ: RQInspector(sync, switch)}
    letters = BullMQDeadLetters(shared, settings.bullmq_prefix)
    pulses = RedisPulses(shared, settings.bullmq_prefix)
    served = [inspectors[wire] for wire in settings.wires]
    try:
        yield Admin(served, letters, pulses, settings.queues, by=by, forms=forms)
    finally:
        await letters.close()
        sync.close()


def launcher(settings: WorkerSettings, queues: Sequence[Queue], registry: Registry) -> Launcher:
    """The runner over the wires that the settings name."""
    parts = redis_options(settings)
    pulse = Pulse()
    observe = to_all(LogObserver(), pulse)
    name = f"{socket.gethostname()}-{uuid4().hex[:8]}"
    setup = Setup(
        redis=parts,
        prefix=settings.bullmq_prefix,
        lease_duration=settings.lease_duration,
        worker_name=name,
        observe=observe,
    )
    brokers: list[Broker] = [BROKERS[wire](queues, setup) for wire in settings.wires]
    # Letters are rare, and connections few: the pulse has the same one.
    shared = client(parts, decode=True, name=f"pushmill:{name}")
    letters = BullMQDeadLetters(shared, settings.bullmq_prefix)
    reporter = Reporter(_me(name, settings), pulse, RedisPulses(shared, settings.bullmq_prefix), memory.of_tree)
    return Launcher(brokers, queues, Executor(registry, letters, observe), observe, reporter)


def _me(name: str, settings: WorkerSettings) -> WorkerView:
    return WorkerView(
        name=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=time.time(),
        queues=settings.queues,
        wires=settings.wires,
    )
