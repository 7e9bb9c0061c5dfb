"""Builds everything from settings: the composition root of the queue, in plain order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from queue_lib import VERSION
from queue_lib.admin.admin import Admin
from queue_lib.admin.admission import Admission
from queue_lib.admin.backends import Backends
from queue_lib.admin.bullmq.inspector import BullMQInspector
from queue_lib.admin.bullmq.schedules import BullMQSchedules
from queue_lib.admin.rq.inspector import RQInspector
from queue_lib.broker.base import Setup
from queue_lib.broker.board import RedisBoard
from queue_lib.broker.bullmq import own_schedules
from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.bullmq.dead_letters import BullMQDeadLetters
from queue_lib.broker.bullmq.library import SharedQueue
from queue_lib.broker.bullmq.post import BullMQPost
from queue_lib.broker.connection import client, redis_options, synchronous_client
from queue_lib.broker.heartbeats import RedisHeartbeats
from queue_lib.broker.preflight import check_redis
from queue_lib.broker.rq.broker import RQBroker
from queue_lib.chore import Chore
from queue_lib.errors import BrokerRefusedError, ConfigurationError
from queue_lib.feature import jobs_of, queues_of, routes
from queue_lib.job import Wire
from queue_lib.observe import http, memory
from queue_lib.observe.events import to_all
from queue_lib.observe.log import LogObserver
from queue_lib.observe.metrics import Metrics
from queue_lib.observe.process_metrics import ProcessMetrics
from queue_lib.observe.worker_stats import WorkerStats, WorkerView
from queue_lib.outcome import reason_of
from queue_lib.processor import Registry
from queue_lib.runner.executor import Executor
from queue_lib.runner.health import Health, HealthCheck
from queue_lib.runner.launcher import Launcher
from queue_lib.runner.reporter import Reporter
from queue_lib.settings import QueueChoice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence

    from queue_lib.admin.ports import Inspector
    from queue_lib.broker.base import Broker
    from queue_lib.broker.cache import RedisCache
    from queue_lib.feature import Check, Feature, Opened, Served
    from queue_lib.observe.events import Observer
    from queue_lib.observe.sentry import SentryObserver
    from queue_lib.queues import Queue
    from queue_lib.settings import WorkerSettings

T = TypeVar("T")
HOLD_FRESH = 1.0  # seconds: so long may a process go on to claim jobs that it can't do
LAG_EVERY = 1.0  # seconds between looks at how late the loop is
ADMIN_THREADS = 5  # for RQ's methods: several clients of the web process are served at once
BROKERS: dict[Wire, type[BullMQBroker | RQBroker]] = {Wire.BULLMQ: BullMQBroker, Wire.RQ: RQBroker}


async def preflight(settings: WorkerSettings, opening: Awaitable[T]) -> T:
    """Check Redis and, at the same time, open what else the process needs; returns what `opening` returns.

    Raises ConfigurationError with the faults of both. Any exception of `opening` counts as its fault, a line a line.
    """
    checked, opened = await asyncio.gather(_check_redis(settings), opening, return_exceptions=True)
    faults = [str(fault) for fault in (checked, opened) if isinstance(fault, BaseException)]
    if isinstance(opened, BaseException) or faults:
        raise ConfigurationError(*faults)
    return opened


async def keep_schedules(served: Served) -> None:
    """Add, change and remove the schedules of the served queues; they need the wire bullmq.

    A queue whose keys are broken is only logged. Raises BrokerUnavailableError.
    """
    if Wire.BULLMQ not in served.worker.wires:
        return
    connection = client(redis_options(served.worker), decode=True, name="pushmill:schedules")
    try:
        for queue in served.queues:
            try:
                shared = SharedQueue(queue.name, connection, served.worker.bullmq_prefix)
                await own_schedules.keep_schedules(shared, served.schedules.get(queue.name, {}), served.owners)
            except BrokerRefusedError as error:
                structlog.get_logger().warning("schedules_refused", queue=queue.name, reason=reason_of(error))
    finally:
        await connection.aclose()


async def _check_redis(settings: WorkerSettings) -> None:
    parts, variable = redis_options(settings), settings.redis_variable
    await check_redis(parts, variable, prefix=settings.bullmq_prefix, wires=settings.wires)


@contextlib.asynccontextmanager
async def admin(
    settings: WorkerSettings, features: Sequence[Feature], *, by: str, choice: QueueChoice | None = None
) -> AsyncIterator[Admin]:
    """What an operator works with: the jobs and queues of the features, of those that the `choice` names; `by` acts.

    Raises ConfigurationError if QUEUES names a queue that there is not.
    """
    queues = (choice or QueueChoice.model_construct()).named(queues_of(features))
    redis = redis_options(settings)
    name = f"pushmill:admin-{uuid4().hex[:8]}"
    shared, sync = client(redis, decode=True, name=name), synchronous_client(redis, name=name, threads=ADMIN_THREADS)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(ADMIN_THREADS))
    switch = BullMQInspector(shared, settings.bullmq_prefix)
    inspectors: dict[Wire, Inspector] = {Wire.BULLMQ: switch, Wire.RQ: RQInspector(sync, switch)}
    letters = BullMQDeadLetters(shared, settings.bullmq_prefix)
    heartbeats = RedisHeartbeats(shared, settings.bullmq_prefix)
    served = [inspectors[wire] for wire in settings.wires]
    try:
        backends = Backends(
            inspectors=served,
            dead_letters=letters,
            heartbeats=heartbeats,
            board=RedisBoard(shared, settings.bullmq_prefix),
            queues=[queue.name for queue in queues],
            profiles={queue.name: queue.profile for queue in queues},
            admission=Admission(jobs_of(features)),
            schedules=BullMQSchedules(switch.queue) if Wire.BULLMQ in settings.wires else None,
        )
        yield Admin(backends, by=by)
    finally:
        await letters.close()
        sync.close()


@contextlib.asynccontextmanager
async def worker(
    served: Served, opened: Sequence[Opened], checks: Mapping[str, Check], cache: RedisCache | None = None
) -> AsyncIterator[Launcher]:
    """The runner and its observers: the log, and where the settings say so, Sentry and the metrics' port.

    `opened` are the served features, in their order; `checks` ask the servers beside Redis. `cache` gets the worker's
    connection. Raises ConfigurationError.
    """
    registry = Registry(routes(served, opened))
    holds = {name: hold for feature in opened for name, hold in feature.holds.items()}
    called = {name: check for feature in opened for name, check in feature.checks.items()}
    async with contextlib.AsyncExitStack() as cleanup:
        observers: list[Observer] = []
        if (reports := sentry(served.worker)) is not None:
            cleanup.push_async_callback(asyncio.to_thread, reports.close)
            observers.append(reports)
        chores = await cleanup.enter_async_context(_chores(served.worker, opened))
        if served.worker.metrics_port is None:
            runner = launcher(served.worker, served.queues, registry, observers, chores, cache)
            yield _held(_telling(runner, served, opened), holds)
            return
        collectors = _collectors(opened)
        process_metrics = ProcessMetrics(collectors)
        observers.append(_metrics(served, registry, collectors))
        chores.append(Chore("measure lag", LAG_EVERY, partial(_woke, process_metrics)))
        runner = launcher(served.worker, served.queues, registry, observers, chores, cache)
        _held(_telling(runner, served, opened), holds)
        needs = {queue.name: ("redis", *queue.needs) for queue in served.queues}
        health = Health(runner.states, {"redis": runner.ping, **checks, **called, **holds}, needs)
        collectors.register(health)
        site = http.serve(served.worker.metrics_host, served.worker.metrics_port, pages(health, collectors))
        await cleanup.enter_async_context(site)
        yield runner


@contextlib.asynccontextmanager
async def _chores(settings: WorkerSettings, opened: Sequence[Opened]) -> AsyncIterator[list[Chore]]:
    """The features' chores. They have a connection of their own, which is opened with its first command."""
    post = BullMQPost(redis_options(settings), settings.bullmq_prefix, "pushmill:chores")
    try:
        yield [chore for feature in opened for chore in feature.chores(post)]
    finally:
        await post.close()


def _collectors(opened: Sequence[Opened]) -> CollectorRegistry:
    """With the features' own metrics."""
    registry = CollectorRegistry()
    for collector in (collector for feature in opened for collector in feature.collectors):
        registry.register(collector)
    return registry


def _metrics(served: Served, registry: Registry, collectors: CollectorRegistry) -> Metrics:
    names = {queue.name: registry.names(queue.name) for queue in served.queues}
    return Metrics(collectors, names, [counter for feature in served.features for counter in feature.counters])


def _telling(runner: Launcher, served: Served, opened: Sequence[Opened]) -> Launcher:
    facts = {name: fact for feature in opened for name, fact in feature.facts.items()}
    runner.tell([feature.name for feature in served.features], facts, served.worker_type)
    return runner


def _held(runner: Launcher, holds: Mapping[str, Check]) -> Launcher:
    runner.hold_back({name: HealthCheck(check, fresh=HOLD_FRESH) for name, check in holds.items()})
    return runner


def sentry(settings: WorkerSettings) -> SentryObserver | None:
    """The observer for Sentry, if that is set. Raises ConfigurationError without the package, or for a wrong DSN."""
    if settings.sentry_dsn is None:
        return None
    try:
        from queue_lib.observe.sentry import SentryObserver  # noqa: PLC0415 -- an extra, of 4 MiB
    except ModuleNotFoundError:
        msg = "SENTRY_DSN: the package sentry-sdk is not installed; pip install sentry-sdk, or leave the variable out"
        raise ConfigurationError(msg) from None
    return SentryObserver(settings.sentry_dsn.get_secret_value())


async def _woke(process_metrics: ProcessMetrics) -> None:
    process_metrics.woke(LAG_EVERY)


def pages(health: Health, collectors: CollectorRegistry) -> http.Pages:
    """What the worker's port serves."""

    async def alive() -> http.Answer:
        return http.Answer.of(HTTPStatus.OK, {"outcome": "alive"})  # the loop runs, or there would be no answer

    async def ready() -> http.Answer:
        report = await health.report()
        status = HTTPStatus.OK if report["ready"] else HTTPStatus.SERVICE_UNAVAILABLE
        return http.Answer.of(status, report)

    async def metrics() -> http.Answer:
        await health.report()
        text = await asyncio.to_thread(generate_latest, collectors)  # it reads files of all our processes
        return http.Answer(HTTPStatus.OK, text, CONTENT_TYPE_LATEST)

    return {"/healthz": alive, "/readyz": ready, "/metrics": metrics}


def launcher(
    settings: WorkerSettings,
    queues: Sequence[Queue],
    registry: Registry,
    observers: Sequence[Observer] = (),
    chores: Sequence[Chore] = (),
    cache: RedisCache | None = None,
) -> Launcher:
    """The runner over the wires that the settings name. The log and the `observers` get its events.

    `cache` gets the connection for commands.
    """
    redis = redis_options(settings)
    stats = WorkerStats(names={queue.name: registry.names(queue.name) for queue in queues})
    observe = to_all(LogObserver(), stats, *observers)
    name = f"{socket.gethostname()}-{uuid4().hex[:8]}"
    setup = Setup(
        redis=redis,
        prefix=settings.bullmq_prefix,
        lease_duration=settings.lease_duration,
        worker_name=name,
        observe=observe,
    )
    brokers: list[Broker] = [BROKERS[wire](queues, setup) for wire in settings.wires]
    # Letters, heartbeats and the board are rare, and connections few: they have BullMQ's, if there is one.
    of_bullmq = next((broker.commands for broker in brokers if isinstance(broker, BullMQBroker)), None)
    shared = of_bullmq or client(redis, decode=True, name=f"pushmill:{name}")
    if cache is not None:
        cache.connect(shared, settings.bullmq_prefix)
    letters = BullMQDeadLetters(shared, settings.bullmq_prefix)
    heartbeats = RedisHeartbeats(shared, settings.bullmq_prefix)
    reporter = Reporter(_me(name, settings, queues), stats, heartbeats, memory.of_tree, observe)
    executor = Executor(registry, letters, observe, RedisBoard(shared, settings.bullmq_prefix))
    return Launcher(brokers, queues, executor, observe, reporter, chores)


def _me(name: str, settings: WorkerSettings, queues: Sequence[Queue]) -> WorkerView:
    return WorkerView(
        name=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        started_at=time.time(),
        queues=tuple(queue.name for queue in queues),
        wires=settings.wires,
        version=VERSION,
    )
