"""What a worker process is running, and what it has done, minute by minute.

An observer counts, each job by its name, too. The runner sends the counts to the broker's server every ten seconds and
at the end, as the worker's heartbeat; there, those of all processes are added up. Durations are kept in fixed buckets,
so that they can be added. Faults are counted, too: one that ends the process could not be scraped from it.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping  # noqa: TC003 -- pydantic reads it
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from queue_lib.job import Wire  # noqa: TC001 -- pydantic reads it
from queue_lib.observe.events import InternalFault, JobEnded, JobStarted
from queue_lib.outcome import Dead, Done, Retry
from queue_lib.processor import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from queue_lib.job import Job
    from queue_lib.observe.events import Event
    from queue_lib.outcome import Ending

MINUTE = 60  # seconds
SPAN = 600  # seconds for which counts are kept together, to look at a day
NAMES_SPAN = 1800  # the same of the jobs of each name: they take ten times the room
# Upper ends of the buckets, in seconds: from 1 ms to 26 hours, each 1.41 times the one before. What is longer is in a
# last bucket of its own.
BOUNDS = tuple(0.001 * 2 ** (step / 2) for step in range(54))
LONGEST = 200  # characters of a name or an id that are sent
MOST_RUNNING = 200  # jobs that are sent
UNSENT = 60  # minutes that are kept while the broker's server is away
FAULTS = "faults"  # beside the queues: how often each fault has happened
WAIT, RUN = "wait:", "run:"  # and the number of a bucket: how many durations are in it
OTHER = "other"  # for a job name that this process does not serve: producers may write any
MOST_NAMES = 100  # of a queue that are shown
WORDS: dict[type[Ending], str] = {Done: "done", Retry: "retried", Dead: "dead"}  # others are not counted

# (queue, minute since the epoch) -> what -> how often. `what` may end in a space and the name of a job.
Counts = dict[tuple[str, int], Counter[str]]


# An entry of another program is a worker only if its numbers are possible.
Moment = Annotated[float, Field(ge=0, lt=2**53)]  # seconds since the epoch
Count = Annotated[int, Field(ge=0, lt=2**53)]


class RunningJob(Model):
    """A job that a worker process is running, since a moment in seconds since the epoch."""

    queue: str
    wire: Wire
    id: str
    name: str
    attempt: Count
    since: Moment


class WorkerView(Model):
    """A worker process. Times are in seconds since the epoch, `memory` in bytes, of the process and its children.

    `features` are those that it serves. `facts` are what the app must agree with, such as the public VAPID key: by
    name, and secret to nobody who may look at the queues. `worker_type` is its WORKER_TYPE, and empty where QUEUES has
    chosen. All four are empty for a worker of an earlier version.
    """

    name: str
    host: str
    pid: Count
    started_at: Moment
    seen_at: Moment = 0.0
    memory: Count = 0
    queues: tuple[str, ...]
    wires: tuple[Wire, ...]
    version: str = ""
    features: tuple[str, ...] = ()
    worker_type: tuple[str, ...] = ()
    facts: Mapping[str, str] = Field(default_factory=dict)
    running: tuple[RunningJob, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What all processes have done with a queue's jobs in a minute, or in a span of ten.

    It began `at`, in seconds since the epoch. `done`, `retried` and `dead` are runs that ended so. The rest are
    seconds, None where nothing was measured: how long jobs that started had been ready (`wait`), and how long ended
    runs took (`run`), half of them and 95 of 100 at most. They are exact to a bucket: a fifth, as a rule.
    """

    at: float
    done: int
    retried: int
    dead: int
    wait_p50: float | None
    wait_p95: float | None
    run_p50: float | None
    run_p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameStats:
    """What all processes have done with the jobs of one name; the fields are those of `Minute`."""

    name: str
    done: int
    retried: int
    dead: int
    run_p50: float | None
    run_p95: float | None


def names_of(spans: Sequence[Mapping[str, int]]) -> list[NameStats]:
    """The jobs by name over some spans, those that failed most first; at most a hundred names."""
    counts: dict[str, Counter[str]] = {}
    for span in spans:
        for what, count in span.items():
            kind, _, name = what.partition(" ")
            counts.setdefault(name, Counter())[kind] += count
    found = [_name_of(name, counted) for name, counted in counts.items() if name]
    return sorted(found, key=lambda each: (-each.dead, -each.retried, -each.done, each.name))[:MOST_NAMES]


def _name_of(name: str, counts: Mapping[str, int]) -> NameStats:
    minute = minute_of(0, counts)
    return NameStats(
        name=name,
        done=minute.done,
        retried=minute.retried,
        dead=minute.dead,
        run_p50=minute.run_p50,
        run_p95=minute.run_p95,
    )


def minute_of(number: int, counts: Mapping[str, int], seconds: int = MINUTE) -> Minute:
    """The minute with this number since the epoch; or the span, if it has that many seconds."""
    waits, runs = _durations(counts, WAIT), _durations(counts, RUN)
    return Minute(
        at=float(number * seconds),
        done=counts.get("done", 0),
        retried=counts.get("retried", 0),
        dead=counts.get("dead", 0),
        wait_p50=quantile(waits, 0.5),
        wait_p95=quantile(waits, 0.95),
        run_p50=quantile(runs, 0.5),
        run_p95=quantile(runs, 0.95),
    )


def _durations(counts: Mapping[str, int], kind: str) -> dict[int, int]:
    """Bucket -> how many, of one kind."""
    named = {f"{kind}{number}": number for number in range(len(BOUNDS) + 1)}
    return {named[name]: count for name, count in counts.items() if name in named and count > 0}


def bucket(seconds: float) -> int:
    """The number of the bucket for a duration."""
    return bisect_left(BOUNDS, seconds)


def quantile(buckets: Mapping[int, int], share: float) -> float | None:
    """Seconds that a `share` of the durations did not exceed; None where there are no durations."""
    left = share * sum(buckets.values())
    for number in sorted(buckets):
        if left <= buckets[number]:
            low = BOUNDS[number - 1] if number else 0.0
            high = BOUNDS[min(number, len(BOUNDS) - 1)]
            return low + (high - low) * left / buckets[number]
        left -= buckets[number]
    return None


class WorkerStats:
    """The observer that counts."""

    def __init__(
        self, clock: Callable[[], float] = time.time, names: Mapping[str, Collection[str]] | None = None
    ) -> None:
        """`clock` gives seconds since the epoch. `names` are the job names that each queue takes."""
        self._clock = clock
        self._names = {queue: frozenset(known) for queue, known in (names or {}).items()}
        self._running: dict[tuple[str, Wire, str], tuple[Job, float]] = {}  # and since when, in seconds
        self._counts: Counts = {}

    def __call__(self, event: Event) -> None:
        """Take note of a start, an end or a fault."""
        match event:
            case JobStarted(job):
                self._start(job)
            case JobEnded(job, ending, seconds):
                self._end(job)
                self._count(job, ending, seconds)
            case InternalFault(word):
                self._now(FAULTS)[word] += 1
            case _:
                pass

    def running(self) -> tuple[RunningJob, ...]:
        """The jobs that run, the longest first."""
        longest = islice(self._running.values(), MOST_RUNNING)
        return tuple(_running(job, since) for job, since in longest)

    def take(self) -> Counts:
        """What was counted since it was last taken."""
        taken, self._counts = self._counts, {}
        return taken

    def put_back(self, unsent: Counts) -> None:
        """Keep counts that could not be sent for the next heartbeat, unless they are more than an hour old."""
        oldest = self._clock() // MINUTE - UNSENT
        for (queue, minute), counts in unsent.items():
            if minute >= oldest:
                self._counts.setdefault((queue, minute), Counter()).update(counts)

    def _start(self, job: Job) -> None:
        self._running[_key(job)] = job, self._clock()
        if job.waited is not None:
            self._now(job.queue)[f"{WAIT}{bucket(job.waited)}"] += 1

    def _end(self, job: Job) -> None:
        self._running.pop(_key(job), None)  # what is given back unrun has never started

    def _count(self, job: Job, ending: Ending, seconds: float) -> None:
        if (word := WORDS.get(type(ending))) is not None:
            counts, name = self._now(job.queue), self._name(job)
            for what in (word, f"{RUN}{bucket(seconds)}"):
                counts[what] += 1
                counts[f"{what} {name}"] += 1

    def _name(self, job: Job) -> str:
        return job.name if job.name in self._names.get(job.queue, ()) else OTHER

    def _now(self, queue: str) -> Counter[str]:
        return self._counts.setdefault((queue, int(self._clock() // MINUTE)), Counter())


def _key(job: Job) -> tuple[str, Wire, str]:
    return job.queue, job.wire, job.id


def _running(job: Job, since: float) -> RunningJob:
    return RunningJob(
        queue=job.queue,
        wire=job.wire,
        id=_short(job.id),
        name=_short(job.name),
        attempt=job.attempt,
        since=since,
    )


def _short(text: str) -> str:
    return text[:LONGEST].encode(errors="replace").decode()
