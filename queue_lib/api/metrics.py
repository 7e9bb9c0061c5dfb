"""What Prometheus asks the web process: the queues, which all workers share, and the process itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from queue_lib.api.guard import reader
from queue_lib.api.lookup import admin
from queue_lib.api.problems import described
from queue_lib.api.tokens import Token
from queue_lib.errors import BrokerUnavailableError
from queue_lib.observe.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from queue_lib.admin import Admin
    from queue_lib.answers import QueueStats
    from queue_lib.observe.pulse import WorkerView

FRESH = 5.0  # seconds that what was read is told again: scrapes, however many, cost Redis no more
LAG_EVERY = 1.0  # seconds between looks at how late the loop is

router = APIRouter(tags=["metrics"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **described(401)})
async def metrics(request: Request, token: Annotated[Token, Depends(reader)]) -> Response:
    """The metrics of queues and of this process, for Prometheus."""
    scraped: Scraped = request.app.state.scraped
    return Response(await scraped.text(admin(request, token)), media_type=CONTENT_TYPE_LATEST)


class Scraped(Collector):
    """The queues as they were read last, at most five seconds ago."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._clock = clock
        self._lock = asyncio.Lock()
        self._read_at: float | None = None
        self._stats: Sequence[QueueStats] = ()
        self._workers: Sequence[WorkerView] = ()
        self._letters: int | None = None  # None while Redis is away
        self.registry = CollectorRegistry()
        self._vitals = Vitals(self.registry)
        self.registry.register(self)

    async def text(self, admin: Admin) -> bytes:
        """All metrics in Prometheus's format. While Redis is away those of the queues are missing."""
        async with self._lock:
            if self._read_at is None or self._clock() - self._read_at >= FRESH:
                await self._read(admin)
                self._read_at = self._clock()
        return await asyncio.to_thread(generate_latest, self.registry)

    async def watch_loop(self) -> None:
        """Measure for ever how late the loop wakes up."""
        while True:
            self._vitals.woke(LAG_EVERY)
            await asyncio.sleep(LAG_EVERY)

    async def _read(self, admin: Admin) -> None:
        try:
            self._stats, self._workers = await admin.stats(), await admin.workers()
            self._letters = await admin.letter_count()
        except BrokerUnavailableError:
            self._stats, self._workers, self._letters = (), (), None

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """What was read, as metrics."""
        jobs = GaugeMetricFamily("pushmill_queue_jobs", "Jobs by state.", labels=["queue", "wire", "state"])
        oldest = GaugeMetricFamily(
            "pushmill_queue_oldest_waiting_seconds", "How long the next job has waited; 0: none does.", labels=["queue"]
        )
        paused = GaugeMetricFamily("pushmill_queue_paused", "Whether the queue is paused.", labels=["queue"])
        for queue in self._stats:
            oldest.add_metric([queue.queue], queue.oldest or 0.0)
            paused.add_metric([queue.queue], float(queue.paused))
            for wire, counts in queue.counts.items():
                for state, count in counts.items():
                    jobs.add_metric([queue.queue, wire.value, state.value], count)
        workers = GaugeMetricFamily("pushmill_workers", "Worker processes that serve the queue.", labels=["queue"])
        for queue in self._stats:
            workers.add_metric([queue.queue], sum(queue.queue in worker.queues for worker in self._workers))
        letters = GaugeMetricFamily("pushmill_dead_letters", "Letters in the queue `dead`.")
        if self._letters is not None:
            letters.add_metric([], self._letters)
        up = GaugeMetricFamily("pushmill_redis_up", "Whether the API reaches Redis.")
        up.add_metric([], float(self._letters is not None))
        return [jobs, oldest, paused, workers, letters, up]
