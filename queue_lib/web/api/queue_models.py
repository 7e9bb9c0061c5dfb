"""Queues and workers in the API's JSON: camelCase, times in milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from queue_lib.admin.add_options import StrictModel
from queue_lib.cancel_key import CANCELLED_FOR, LONGEST, LONGEST_KEY
from queue_lib.job import State, Wire
from queue_lib.processor import Model
from queue_lib.queues import Profile
from queue_lib.web.api.job_models import example, milliseconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.admin.queues import Names, QueueStats
    from queue_lib.observe.worker_stats import Minute, RunningJob, WorkerView

COUNTS = {"waiting": 3, "delayed": 0, "active": 2, "completed": 481, "failed": 1, "waitingChildren": 0}


class Counts(Model):
    """Jobs by state."""

    waiting: int
    delayed: int
    active: int
    completed: int
    failed: int
    waiting_children: int


class WireCounts(Counts):
    """Jobs by state."""

    model_config = example(**COUNTS)


class StoppedOut(Model):
    """A job scheduler that has stopped: its pattern or interval, why no job follows, and when the last one was due.

    `dueAt` is null if it is out of bounds.
    """

    model_config = example(
        id="nightly", schedule="0 9 * * 8", reason="8 is no day of week: expected 0 to 7", dueAt=1795568000000
    )

    id: str
    schedule: str
    reason: str
    due_at: int | None


class QueueOut(Model):
    """A queue at this moment. `oldest`: how long the next job has waited, in milliseconds.

    `profile` is the WORKER_TYPE that serves it, beside `all`.

    `stoppedSchedulers` are the app's job schedulers that stopped before their end, `stuckParents` the ids of jobs that
    wait for a child that has failed for good, or is gone.
    `trouble` says why a part can't be read, such as a key of another type; `wires` and `counts` are then incomplete.
    """

    queue: str
    profile: Profile
    paused: bool
    oldest: int | None
    stopped_schedulers: list[StoppedOut]
    stuck_parents: list[str]
    trouble: str | None
    counts: WireCounts
    wires: dict[Wire, WireCounts]


class Stats(Counts):
    """All queues, their jobs by state together, and how many dead letters: null, if their keys can't be read."""

    queues: list[QueueOut]
    dead_letters: int | None


class Cancellation(StrictModel):
    """The cancel key whose jobs are taken back, and for how many seconds from now: longer than any of them may wait."""

    model_config = example(cancelKey="message:42")

    cancel_key: Annotated[str, Field(min_length=1, max_length=LONGEST_KEY, coerce_numbers_to_str=True)]
    seconds: Annotated[float, Field(gt=0, le=LONGEST)] = CANCELLED_FOR


class Cleaned(Model):
    """How many jobs were deleted."""

    model_config = example(removed=12)

    removed: int


class Retried(Model):
    """How many failed jobs were meant, and how many of them run again."""

    model_config = example(matched=12, retried=12)

    matched: int
    retried: int


class MinuteOut(Model):
    """A minute that began `at`: runs by their end, and waits and run times in milliseconds, null where none was."""

    model_config = example(at=1795572060000, done=412, retried=3, dead=0, waitP50=2, waitP95=11, runP50=180, runP95=410)

    at: int
    done: int
    retried: int
    dead: int
    wait_p50: int | None
    wait_p95: int | None
    run_p50: int | None
    run_p95: int | None


class History(Model):
    """A queue's last minutes, without gaps."""

    queue: str
    minutes: list[MinuteOut]


class NameOut(Model):
    """Runs of the jobs of one name by their end, and run times in milliseconds, null where none was.

    `other` are jobs with a name that no worker has known.
    """

    model_config = example(name="build-report", done=412, retried=3, dead=0, runP50=180, runP95=410)

    name: str
    done: int
    retried: int
    dead: int
    run_p50: int | None
    run_p95: int | None


class ByName(Model):
    """A queue's jobs by name since a moment, in milliseconds."""

    queue: str
    since: int
    names: list[NameOut]


class RunningOut(Model):
    """A running job, and since when it runs."""

    queue: str
    wire: Wire
    id: str
    name: str
    attempt: int
    since: int


class WorkerOut(Model):
    """A worker process. `memory` is in bytes, of the process and its children.

    `features` are those that it serves. `workerType` is its WORKER_TYPE, and empty where QUEUES has chosen. `facts`
    are what the app must agree with, by name.
    """

    model_config = example(
        name="dyno-1-c7f3a210",
        host="dyno-1",
        pid=4,
        startedAt=1795568000000,
        seenAt=1795572109000,
        memory=106954752,
        queues=["reports", "mails"],
        wires=["bullmq", "rq"],
        version="0.1.0",
        features=["reports", "mails"],
        workerType=["light"],
        facts={"reportTable": "Report"},
        running=[
            {
                "queue": "reports",
                "wire": "rq",
                "id": "9d6b",
                "name": "build-report",
                "attempt": 1,
                "since": 1795572100000,
            }
        ],
    )

    name: str
    host: str
    pid: int
    started_at: int
    seen_at: int
    memory: int
    queues: list[str]
    wires: list[Wire]
    version: str
    features: list[str]
    worker_type: list[str]
    facts: dict[str, str]
    running: list[RunningOut]


def minute_out(minute: Minute) -> MinuteOut:
    """A minute for a client."""
    return MinuteOut(
        at=round(minute.at * 1000),
        done=minute.done,
        retried=minute.retried,
        dead=minute.dead,
        wait_p50=milliseconds(minute.wait_p50),
        wait_p95=milliseconds(minute.wait_p95),
        run_p50=milliseconds(minute.run_p50),
        run_p95=milliseconds(minute.run_p95),
    )


def by_name_out(queue: str, found: Names) -> ByName:
    """Jobs by name for a client."""
    names = [
        NameOut(
            name=each.name,
            done=each.done,
            retried=each.retried,
            dead=each.dead,
            run_p50=milliseconds(each.run_p50),
            run_p95=milliseconds(each.run_p95),
        )
        for each in found.names
    ]
    return ByName(queue=queue, since=round(found.since * 1000), names=names)


def worker_out(worker: WorkerView) -> WorkerOut:
    """A worker for a client."""
    return WorkerOut(
        name=worker.name,
        host=worker.host,
        pid=worker.pid,
        started_at=round(worker.started_at * 1000),
        seen_at=round(worker.seen_at * 1000),
        memory=worker.memory,
        queues=list(worker.queues),
        wires=list(worker.wires),
        version=worker.version,
        features=list(worker.features),
        worker_type=list(worker.worker_type),
        facts=dict(worker.facts),
        running=[_running(job) for job in worker.running],
    )


def _running(job: RunningJob) -> RunningOut:
    since = round(job.since * 1000)
    return RunningOut(queue=job.queue, wire=job.wire, id=job.id, name=job.name, attempt=job.attempt, since=since)


def queue_out(stats: QueueStats) -> QueueOut:
    """A queue for a client."""
    totals = {state: stats.total(state) for state in State}
    return QueueOut(
        queue=stats.queue,
        profile=stats.profile,
        paused=stats.paused,
        oldest=milliseconds(stats.oldest),
        stopped_schedulers=[
            StoppedOut(id=each.id, schedule=each.schedule, reason=each.reason, due_at=milliseconds(each.due_at))
            for each in stats.stopped
        ],
        stuck_parents=[each.id for each in stats.stuck],
        trouble=stats.trouble and stats.trouble.value,
        counts=_counts(totals),
        wires={wire: _counts(dict(counts)) for wire, counts in stats.counts.items()},
    )


def stats_out(all_stats: Sequence[QueueStats], dead_letters: int | None) -> Stats:
    """All queues for a client."""
    totals = _counts({state: sum(stats.total(state) for stats in all_stats) for state in State})
    queues = [queue_out(each) for each in all_stats]
    return Stats(queues=queues, dead_letters=dead_letters, **totals.model_dump())


def _counts(counts: dict[State, int]) -> WireCounts:
    return WireCounts(**{state.value.replace("-", "_"): count for state, count in counts.items()})
