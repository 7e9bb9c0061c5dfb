"""The metrics of a worker: an observer that counts events for Prometheus. Every label has a bounded set of values."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from typing import TYPE_CHECKING

from prometheus_client import Counter, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from queue_lib.errors import Trouble
from queue_lib.job import Wire
from queue_lib.observe.events import BrokerLost, Event, FollowUpAdded, JobEnded, JobsRecovered, JobStarted, RateLimited
from queue_lib.outcome import Dead, Done, Ending, Lost, Released, Retry, Snooze

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any

    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

    from queue_lib.feature import Counter as JobCounter
    from queue_lib.job import Job

OTHER = "other"  # for a job name, or a queue, that this process does not serve: producers may write any
OUTCOMES: dict[type[Ending], str] = {Done: "done", Retry: "retry", Snooze: "snooze", Dead: "dead"}
ENDINGS: dict[type[Ending], str] = {**OUTCOMES, Released: "released", Lost: "lost"}
WAITS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)  # seconds
RUNS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)  # seconds
LONGEST_WAIT = 30 * 86_400.0  # seconds; what says more is no time that a producer's clock has shown

disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each, which no dashboard reads


class Cell:
    """How often something took how long. Adding to one takes a third of the time that the library's histograms take."""

    __slots__ = ("_bounds", "counts", "seconds")

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` are the upper ends of the buckets, in seconds; there is one more for what is longer."""
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self._bounds, seconds)] += 1
        self.seconds += seconds

    def merge(self, other: Cell) -> None:
        """Count all that another one has counted."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus has them: the end of each, and how many were no longer."""
        ends = [*map(floatToGoString, self._bounds), "+Inf"]
        return list(zip(ends, itertools.accumulate(self.counts), strict=True))


class JobMetrics(Collector):
    """What happens to every job. It is counted in cells of our own, and made the library's metrics when it is read."""

    def __init__(self, names: Mapping[str, Collection[str]]) -> None:
        """`names` are the job names that each queue takes: they are there before their first job, as alerts need it."""
        self._waits = {(queue, wire): Cell(WAITS) for queue in names for wire in Wire}
        self._runs: dict[tuple[str, str, Wire, type[Ending]], Cell] = {
            (queue, name, wire, kind): Cell(RUNS)
            for queue, known in names.items()
            for name in (*known, OTHER)
            for wire in Wire
            for kind in ENDINGS
        }

    def started(self, event: JobStarted) -> None:
        """Count how long the job has waited, if that is known."""
        job = event.job
        if job.waited is not None and job.waited < LONGEST_WAIT:
            self._waits[job.queue, job.wire].add(job.waited)

    def ended(self, event: JobEnded) -> None:
        """Count the run by its ending."""
        job, kind = event.job, type(event.ending)
        cell = self._runs.get((job.queue, job.name, job.wire, kind)) or self._runs[job.queue, OTHER, job.wire, kind]
        cell.add(event.seconds)

    def collect(self) -> Iterable[Metric]:
        """What was counted."""
        labels = ["queue", "name", "wire", "outcome"]
        jobs = CounterMetricFamily("pushmill_jobs", "Runs of jobs that have ended.", labels=labels)
        merged: dict[tuple[str, str], Cell] = {}
        for (queue, name, wire, kind), cell in self._runs.items():
            jobs.add_metric([queue, name, wire.value, ENDINGS[kind]], sum(cell.counts))
            if kind in OUTCOMES:
                merged.setdefault((queue, name), Cell(RUNS)).merge(cell)
        labels = ["queue", "name"]
        runs = HistogramMetricFamily(
            "pushmill_job_run_seconds", "How long runs took that have an outcome.", labels=labels
        )
        for key, cell in merged.items():
            runs.add_metric(key, cell.buckets(), cell.seconds)
        labels = ["queue", "wire"]
        waits = HistogramMetricFamily(
            "pushmill_job_wait_seconds", "From when a job was due to its start.", labels=labels
        )
        for (queue, wire), cell in self._waits.items():
            waits.add_metric([queue, wire.value], cell.buckets(), cell.seconds)
        return [jobs, runs, waits]


def troubles_metric(troubles: Collection[Trouble]) -> GaugeMetricFamily:
    """What is wrong with Redis, of all that there can be."""
    metric = GaugeMetricFamily("pushmill_redis_trouble", "Whether this is wrong with Redis.", labels=["trouble"])
    for trouble in Trouble:
        metric.add_metric([trouble.word], float(trouble in troubles))
    return metric


class Metrics:
    """Counts events."""

    def __init__(
        self, registry: CollectorRegistry, names: Mapping[str, Collection[str]], counters: Sequence[JobCounter] = ()
    ) -> None:
        """`names` are the job names that each queue takes; `counters` are what features count."""
        self._names = {queue: frozenset(known) for queue, known in names.items()}
        self._registry = registry
        jobs = JobMetrics(names)
        registry.register(jobs)
        self._limited = self._counter("limiter_waits", "Claims that had to wait for the rate limit.", "queue", "wire")
        self._limited_for = self._counter("limiter_wait_seconds", "How long they were to wait.", "queue", "wire")
        self._outages = self._counter("broker_outages", "Times that Redis went away.", "queue", "wire")
        self._recovered = self._counter("jobs_recovered", "Jobs taken back from silent workers.", "wire")
        self._follow_ups = self._counter("follow_ups", "Jobs that running jobs have added.", "queue", "name")
        self._job_counters = {
            declared.metric: (declared, self._counter(declared.name, declared.meaning, "name", *declared.labels))
            for declared in counters
        }
        self._handlers: dict[type[Event], Callable[[Any], object]] = {
            JobStarted: jobs.started,
            JobEnded: jobs.ended,
            RateLimited: self._rate_limited,
            BrokerLost: lambda event: self._outages.labels(event.queue, event.wire).inc(),
            JobsRecovered: lambda event: self._recovered.labels(event.wire).inc(len(event.job_ids)),
            FollowUpAdded: self._follow_up_added,
        }
        self._begin_at_zero()

    def __call__(self, event: Event) -> None:
        """Count an event, if it is one that counts."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        if isinstance(event, JobEnded):
            for metric, counts in event.counts.items():
                self._count(event.job, metric, counts)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"pushmill_{name}", meaning, labels, registry=self._registry)

    def _begin_at_zero(self) -> None:
        """Every series is there before its first event: from nothing to 120 is no increase, as Prometheus sees it."""
        for wire in Wire:
            self._recovered.labels(wire)
        by_queue = (self._limited, self._limited_for, self._outages)
        for counter, queue, wire in itertools.product(by_queue, self._names, Wire):
            counter.labels(queue, wire)
        for queue, known in self._names.items():
            for name in (*known, OTHER):
                self._follow_ups.labels(queue, name)
        self._follow_ups.labels(OTHER, OTHER)
        for declared, counter in self._job_counters.values():
            for labels in itertools.product(self._names.get(declared.queue, ()), *declared.labels.values()):
                counter.labels(*labels)

    def _name(self, queue: str, name: str) -> str:
        return name if name in self._names.get(queue, ()) else OTHER

    def _follow_up_added(self, event: FollowUpAdded) -> None:
        queue = event.queue if event.queue in self._names else OTHER
        self._follow_ups.labels(queue, self._name(queue, event.name)).inc()

    def _rate_limited(self, event: RateLimited) -> None:
        self._limited.labels(event.queue, event.wire).inc()
        self._limited_for.labels(event.queue, event.wire).inc(event.seconds)

    def _count(self, job: Job, metric: str, counts: Mapping[str, Mapping[str, int]]) -> None:
        if metric not in self._job_counters:
            return
        declared, counter = self._job_counters[metric]
        name = self._name(job.queue, job.name)
        for values, count in declared.samples(counts):
            counter.labels(name, *values).inc(count)
