"""Metrics of the web process for Prometheus: the queues, which all workers share, and the process itself."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from queue_lib.admin.autoscaling import TYPES, loads
from queue_lib.errors import BrokerUnavailableError, Trouble
from queue_lib.observe.events import API_FAULTS, Event, InternalFault
from queue_lib.observe.metrics import troubles_metric
from queue_lib.observe.process_metrics import ProcessMetrics
from queue_lib.web.api.dependencies import Operator
from queue_lib.web.api.problems import described

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from queue_lib.admin.admin import Admin
    from queue_lib.admin.queues import QueueStats
    from queue_lib.observe.worker_stats import WorkerView

FRESH = 5.0  # seconds that a reading is reused, so that many scrapes cost Redis no more than one
IN_TIME = 1.5  # seconds that Redis has to answer, so that a scrape takes at most two
STALE = 30.0  # seconds after which a reading is dropped if Redis has not answered again
LAG_EVERY = 1.0  # seconds between looks at how late the loop is
RECENT = 15  # minutes for which a worker's faults are shown

router = APIRouter(tags=["metrics"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **described(401)})
async def metrics(request: Request, operator: Operator) -> Response:
    """The metrics of queues and of this process, for Prometheus."""
    scraped: Scraped = request.app.state.scraped
    return Response(await scraped.text(operator), media_type=CONTENT_TYPE_LATEST)


class Scraped(Collector):
    """The queues as last read, at most five seconds ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._clock = clock
        self._reading: asyncio.Task[None] | None = None
        self._read_at = -math.inf
        self._stats: Sequence[QueueStats] = ()
        self._workers: Sequence[WorkerView] = ()
        self._dead_letters: int | None = None  # None while Redis is away
        self._worker_faults: Mapping[str, int] = {}
        self._troubles: set[Trouble] = set()
        self.registry = CollectorRegistry()
        self._faults = Counter("pushmill_faults", "Faults of the API's own.", ["event"], registry=self.registry)
        for word in API_FAULTS:
            self._faults.labels(word)  # begin at 0: Prometheus sees no increase when a series begins at 1
        self._process_metrics = ProcessMetrics(self.registry)
        self.registry.register(self)

    def observe(self, event: Event) -> None:
        """Count a fault."""
        if isinstance(event, InternalFault):
            self._faults.labels(event.word).inc()

    async def text(self, admin: Admin) -> bytes:
        """All metrics in Prometheus's format. While Redis is away, those of the queues are missing."""
        if (self._reading is None or self._reading.done()) and self._clock() - self._read_at >= FRESH:
            self._reading = asyncio.create_task(self._read(admin))
        if self._reading is not None:
            # Not cancelled: a thread that hangs would go on, and the next scrape would take another one.
            reading = self._reading  # who has it first may read again before the others wake up
            answered, _ = await asyncio.wait([reading], timeout=IN_TIME)
            if answered:
                reading.result()
            elif self._clock() - self._read_at >= STALE:
                self._forget(Trouble.AWAY)
        return await asyncio.to_thread(generate_latest, self.registry)

    async def watch_loop(self) -> None:
        """Measure for ever how late the loop wakes up."""
        while True:
            self._process_metrics.woke(LAG_EVERY)
            await asyncio.sleep(LAG_EVERY)

    async def _read(self, admin: Admin) -> None:
        self._troubles = set()
        try:
            await self._check(admin)
            self._stats, self._workers = await admin.queues.stats(), await admin.workers.alive()
            self._troubles |= {queue.trouble for queue in self._stats if queue.trouble is not None}
            self._worker_faults = await admin.workers.faults(RECENT)
            self._dead_letters = await admin.dead_letters.count()
        except BrokerUnavailableError as error:
            self._forget(error.trouble)
        self._read_at = self._clock()

    async def _check(self, admin: Admin) -> None:
        """Note what is wrong with the server. Raises BrokerUnavailableError if it can't be read at all."""
        try:
            await admin.check()
        except BrokerUnavailableError as error:
            if error.trouble is Trouble.AWAY:
                raise
            self._troubles.add(error.trouble)

    def _forget(self, trouble: Trouble) -> None:
        self._stats, self._workers, self._dead_letters, self._worker_faults = (), (), None, {}
        self._troubles.add(trouble)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """What was read, as metrics."""
        jobs = GaugeMetricFamily("pushmill_queue_jobs", "Jobs by state.", labels=["queue", "wire", "state"])
        oldest = GaugeMetricFamily(
            "pushmill_queue_oldest_waiting_seconds", "How long the next job has waited; 0: none does.", labels=["queue"]
        )
        paused = GaugeMetricFamily("pushmill_queue_paused", "Whether the queue is paused.", labels=["queue"])
        stopped = GaugeMetricFamily(
            "pushmill_schedulers_stopped", "Job schedulers of the app that no job follows.", labels=["queue"]
        )
        stuck = GaugeMetricFamily("pushmill_parents_stuck", "Jobs that wait for a dead child.", labels=["queue"])
        for queue in self._stats:
            stopped.add_metric([queue.queue], len(queue.stopped))
            stuck.add_metric([queue.queue], len(queue.stuck))
            oldest.add_metric([queue.queue], queue.oldest or 0.0)
            paused.add_metric([queue.queue], float(queue.paused))
            for wire, counts in queue.counts.items():
                for state, count in counts.items():
                    jobs.add_metric([queue.queue, wire.value, state.value], count)
        workers = GaugeMetricFamily("pushmill_workers", "Worker processes that serve the queue.", labels=["queue"])
        for queue in self._stats:
            workers.add_metric([queue.queue], sum(queue.queue in worker.queues for worker in self._workers))
        letters = GaugeMetricFamily("pushmill_dead_letters", "Letters in the queue `dead`.")
        if self._dead_letters is not None:
            letters.add_metric([], self._dead_letters)
        faults = GaugeMetricFamily("pushmill_worker_faults", "Workers' faults of 15 minutes.", labels=["event"])
        for word, count in self._worker_faults.items():
            faults.add_metric([word], count)
        up = GaugeMetricFamily("pushmill_redis_up", "Whether the API reaches Redis.")
        up.add_metric([], float(self._read_at > -math.inf and Trouble.AWAY not in self._troubles))
        by_type = self._by_type()
        return [
            *(jobs, oldest, paused, stopped, stuck, workers, *by_type),
            *(letters, faults, up, troubles_metric(self._troubles)),
        ]

    def _by_type(self) -> Iterable[GaugeMetricFamily]:
        """What each WORKER_TYPE has to do, and how many processes there are of it."""
        load = GaugeMetricFamily(
            "pushmill_load_seconds", "How long jobs have waited for a WORKER_TYPE; 1 while one runs.", labels=["type"]
        )
        for kind, seconds in loads(self._stats).items():
            load.add_metric([kind], seconds)
        processes = GaugeMetricFamily("pushmill_worker_processes", "Processes of a WORKER_TYPE.", labels=["type"])
        if self._stats:
            for kind in TYPES:
                processes.add_metric([kind], sum(kind in worker.worker_type for worker in self._workers))
        return [load, processes]
