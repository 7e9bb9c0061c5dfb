"""What a worker process counts of itself, and how it reports that."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.admin.admin import Admin
from queue_lib.admin.backends import Backends
from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.heartbeats import SILENCE, Data, MemoryHeartbeats
from queue_lib.broker.memory import MemoryStore
from queue_lib.broker.memory_dead_letters import MemoryDeadLetters
from queue_lib.errors import BrokerUnavailableError
from queue_lib.job import Wire
from queue_lib.observe.events import InternalFault, JobEnded, JobStarted, to_all
from queue_lib.observe.memory import of_tree
from queue_lib.observe.worker_stats import (
    BOUNDS,
    MOST_NAMES,
    UNSENT,
    WorkerStats,
    WorkerView,
    bucket,
    minute_of,
    names_of,
    quantile,
)
from queue_lib.outcome import Dead, Done, Failure, Lost, Released, Retry, Snooze
from queue_lib.runner.reporter import Reporter
from tests.support.fakes import make_job

if TYPE_CHECKING:
    from queue_lib.observe.events import Event
    from queue_lib.observe.worker_stats import Counts

FAILURE = Failure("it broke")
NOON = 1_800_000_000.0  # seconds; a minute begins with it
ME = WorkerView(name="dyno-1", host="dyno", pid=7, started_at=NOON, queues=("work",), wires=(Wire.BULLMQ,))


class Clock:
    """Seconds since the epoch, as a test sets them."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_runs_are_counted_by_their_end() -> None:
    """A retry is one of three; a run that is put off, given back or lost is not counted."""
    stats = WorkerStats(Clock())
    job = make_job(waited=0.5)
    for outcome in (Done(None), Done(None), Retry(1.0, FAILURE), Dead(FAILURE), Snooze(1.0, "away")):
        stats(JobStarted(job))
        stats(JobEnded(job, outcome, 2.0))
    stats(JobEnded(job, Released(), 1.0))
    stats(JobEnded(job, Lost("gone"), 1.0))

    [(key, counts)] = stats.take().items()

    minute = minute_of(key[1], counts)
    assert ("work", NOON) == (key[0], minute.at)
    assert (2, 1, 1) == (minute.done, minute.retried, minute.dead)
    assert (5, 4) == (counts[f"wait:{bucket(0.5)}"], counts[f"run:{bucket(2.0)}"])
    assert {} == stats.take()


def test_runs_are_counted_by_the_names_that_are_served() -> None:
    """What a producer has made up is counted as other: each name takes room in Redis for a day."""
    stats = WorkerStats(Clock(), {"work": ["send it", "idle"]})
    for name, outcome in (("send it", Done(None)), ("send it", Dead(FAILURE)), ("x" * 999, Retry(1.0, FAILURE))):
        stats(JobEnded(make_job(name=name), outcome, 2.0))

    [counts] = stats.take().values()
    first, second = names_of([counts, counts, {"done": 7, "done ": 7, " ": 1}])

    assert ("send it", 2, 0, 2) == (first.name, first.done, first.retried, first.dead)
    assert ("other", 0, 2, 0) == (second.name, second.done, second.retried, second.dead)
    assert first.run_p50 is not None
    assert 1.4 < first.run_p50 <= (first.run_p95 or 0) < 2.9
    assert MOST_NAMES == len(names_of([{f"done {number}": 1 for number in range(999)}]))


def test_each_minute_is_counted_by_itself() -> None:
    """A wait counts when the job starts, its run when it ends; an unknown wait is not counted."""
    clock = Clock()
    stats = WorkerStats(clock)
    stats(JobStarted(make_job(waited=1.0)))
    stats(JobStarted(make_job(id="2")))
    clock.now += 60
    stats(JobEnded(make_job(), Done(None), 60.0))

    assert {
        ("work", NOON // 60): Counter({f"wait:{bucket(1.0)}": 1}),
        ("work", NOON // 60 + 1): Counter({"done": 1, f"run:{bucket(60.0)}": 1})
        + Counter({"done other": 1, f"run:{bucket(60.0)} other": 1}),
    } == stats.take()


def test_running_jobs_are_known_until_they_end() -> None:
    """However they end; the longest is first, and long values of others are cut."""
    clock = Clock()
    stats = WorkerStats(clock)
    jobs = [make_job(id=f"{n}" * 300, name="\ud800") for n in range(4)]
    for job in jobs:
        stats(JobStarted(job))
        clock.now += 1
    shown = stats.running()
    stats(JobEnded(jobs[0], Snooze(1.0, "away"), 1.0))
    stats(JobEnded(jobs[1], Released(), 1.0))
    stats(JobEnded(jobs[2], Lost("gone"), 1.0))
    stats(JobEnded(make_job(id="unrun"), Released(), 0.0))

    assert [NOON + n for n in range(4)] == [each.since for each in shown]
    assert ("0" * 200, "?", Wire.BULLMQ, 1) == (shown[0].id, shown[0].name, shown[0].wire, shown[0].attempt)
    assert ["3" * 200] == [each.id for each in stats.running()]


@given(st.lists(st.floats(0.0, BOUNDS[-1]), min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_exact_to_its_bucket(durations: list[float], share: float) -> None:
    """The true value is in the same bucket, for any measurements."""
    ranked = sorted(durations)
    true = ranked[max(0, -int(-share * len(ranked) // 1) - 1)]

    told = quantile(Counter(map(bucket, durations)), share)

    assert told is not None
    assert bucket(true) == bucket(told) or told == pytest.approx(BOUNDS[bucket(true)])


def test_a_quantile_of_nothing_and_of_what_is_endless() -> None:
    """Nothing has none; a time of more than a day counts as a day."""
    assert quantile({}, 0.5) is None
    assert BOUNDS[-1] == quantile({bucket(1e9): 3}, 0.95)


def test_malformed_counts_are_left_out() -> None:
    """Other programs may write anything to Redis."""
    minute = minute_of(1, {"wait:999": 5, "wait:x": 5, "run:-1": 5, "run:3": -2, "else": 1})

    assert (None, None, 0) == (minute.wait_p95, minute.run_p50, minute.done)


def test_events_go_to_all_observers() -> None:
    """In order."""
    heard: list[tuple[int, Event]] = []
    event = JobStarted(make_job())

    to_all(lambda each: heard.append((1, each)), lambda each: heard.append((2, each)))(event)

    assert [(1, event), (2, event)] == heard


class Away(MemoryHeartbeats):
    """A server that does not answer, until it is back."""

    away = True

    async def send(self, worker: WorkerView, counts: Counts) -> Data:
        """Fail, or keep them."""
        if self.away:
            msg = "away"
            raise BrokerUnavailableError(msg)
        return await super().send(worker, counts)


async def test_counts_that_could_not_be_sent_are_sent_later() -> None:
    """They are added to later counts, unless they are more than an hour old."""
    clock, heartbeats = Clock(), Away()
    stats = WorkerStats(clock)
    reporter = Reporter(ME, stats, heartbeats, lambda: 5, lambda _: None)
    for pause in (0, UNSENT * 60, 60):
        clock.now += pause
        stats(JobEnded(make_job(), Done(None), 1.0))
        with pytest.raises(BrokerUnavailableError):
            await reporter.send()
    heartbeats.away = False
    stats(JobEnded(make_job(), Done(None), 1.0))
    await reporter.send()

    first = int(NOON // 60)
    found = await heartbeats.minutes("work", [first, first + UNSENT, first + UNSENT + 1])
    assert [0, 1, 2] == [counts.get("done", 0) for counts in found]


class Losing(MemoryHeartbeats):
    """A server that has this data."""

    data = Data("first", 7)

    async def send(self, worker: WorkerView, counts: Counts) -> Data:
        """Keep it."""
        await super().send(worker, counts)
        return self.data


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (Data("first", 8), None),
        (Data("first", 90), None),
        (Data("second", 90), "Redis has lost data that it had: it was emptied, or is another server"),
        (Data("first", 7), "Redis has lost data that it had: it has older data"),
        (Data("first", 2), "Redis has lost data that it had: it has older data"),
    ],
)
async def test_lost_data_is_reported_once(later: Data, reason: str | None) -> None:
    """The server is empty, or has gone back. The next heartbeat compares with its new data."""
    events: list[Event] = []
    heartbeats = Losing()
    reporter = Reporter(ME, WorkerStats(), heartbeats, lambda: 5, events.append)
    await reporter.send()
    heartbeats.data = later
    await reporter.send()
    heartbeats.data = Data(later.id, later.heartbeats + 1)
    await reporter.send()

    told = [(event.word, event.failure.reason) for event in events if isinstance(event, InternalFault)]
    assert [("redis_lost_data", reason)] * (reason is not None) == told


async def test_a_farewell_does_not_wait() -> None:
    """A server that is away, or hangs, keeps no process from ending; one that answers gets the last counts."""
    heartbeats, stats = Away(), WorkerStats()
    reporter = Reporter(ME, stats, heartbeats, lambda: 5, lambda _: None)
    await reporter.sign_off()
    heartbeats.away = False
    await reporter.send()
    [seen] = await heartbeats.workers()
    await reporter.sign_off()

    assert (5, "dyno-1") == (seen.memory, seen.name)
    assert [] == await heartbeats.workers()


async def test_silent_workers_are_forgotten() -> None:
    """A minute after their last heartbeat."""
    clock = Clock()
    heartbeats = MemoryHeartbeats(clock)
    await heartbeats.send(ME, {})
    clock.now += SILENCE - 1
    assert [NOON] == [view.seen_at for view in await heartbeats.workers()]
    clock.now += 1
    assert [] == await heartbeats.workers()


@pytest.mark.slow
async def test_memory_is_that_of_the_children_too() -> None:
    """A child with 200 MB is seen, and gone with it; meanwhile others take and give back pages that are shared."""
    before = of_tree()
    child = await asyncio.create_subprocess_exec(
        "python3", "-c", "x = bytearray(200_000_000); print(flush=True); input()", stdin=-1, stdout=-1
    )
    assert child.stdout is not None
    await child.stdout.readline()
    during = of_tree()
    child.kill()
    await child.wait()

    assert 150_000_000 < during - before < 400_000_000
    assert of_tree() < before + 100_000_000


def test_a_job_is_equal_to_itself_alone() -> None:
    """The same id on another wire is another job."""
    stats = WorkerStats()
    stats(JobStarted(make_job()))
    stats(JobStarted(replace(make_job(), wire=Wire.RQ)))
    assert 2 == len(stats.running())


async def test_a_fault_that_ends_the_process_is_reported_by_others() -> None:
    """It goes with the last heartbeat, and is reported for as many minutes as requested."""
    clock = Clock()
    stats, heartbeats = WorkerStats(clock), MemoryHeartbeats(clock)
    admin = Admin(
        Backends(
            inspectors=[],
            dead_letters=MemoryDeadLetters(MemoryStore()),
            heartbeats=heartbeats,
            board=MemoryBoard(),
            queues=[],
            clock=clock,
        ),
        by="test",
    )
    before = await admin.workers.faults(15)
    stats(InternalFault("loop_ended", FAILURE))
    await Reporter(ME, stats, heartbeats, lambda: 1, lambda _: None).sign_off()
    at_once = await admin.workers.faults(15)
    clock.now += 14 * 60
    later = await admin.workers.faults(15)
    clock.now += 60

    assert [0, 1, 1] == [faults["loop_ended"] for faults in (before, at_once, later)]
    assert {"loop_ended": 0, "job_fault": 0, "redis_lost_data": 0} == await admin.workers.faults(15)
