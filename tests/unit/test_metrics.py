"""How events become metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from processors.features import FEATURES
from processors.push.delivery import Kind
from processors.push.services import SERVICES, service_of
from queue_lib.job import Wire
from queue_lib.observe.events import (
    BrokerLost,
    Counts,
    Event,
    FollowUpAdded,
    JobEnded,
    JobsRecovered,
    JobStarted,
    RateLimited,
    to_all,
)
from queue_lib.observe.metrics import LONGEST_WAIT, Metrics
from queue_lib.observe.process_metrics import ProcessMetrics
from queue_lib.outcome import Dead, Done, Failure, Lost, Released, Retry, Snooze
from tests.support.exposition import Exposition
from tests.support.fakes import make_job

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from queue_lib.outcome import Outcome

JOB = make_job()
FAILURE = Failure("it broke")
HOSTILE = 'x"} 1\npushmill_jobs_total{name="'


NAMES = {"work": ["greet"], "other-queue": ["part"]}
OUTCOMES: tuple[Outcome, ...] = (Done(None), Retry(1.0, FAILURE), Snooze(1.0, ""), Dead(FAILURE))


def told(*events: Event, names: Mapping[str, Collection[str]] = NAMES) -> Exposition:
    """The page after these events, of a worker that takes jobs of these names."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, names, [counter for feature in FEATURES for counter in feature.counters])
    for event in events:
        metrics(event)
    return Exposition(generate_latest(registry).decode())


def series(page: Exposition) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Names with their labels."""
    return {(sample.name, tuple(sorted(sample.labels.items()))) for sample in page.samples}


@pytest.mark.parametrize(
    ("outcome", "word"),
    [(Done(None), "done"), (Retry(1.0, FAILURE), "retry"), (Snooze(1.0, ""), "snooze"), (Dead(FAILURE), "dead")],
)
def test_a_run_is_counted_by_its_outcome(outcome: Outcome, word: str) -> None:
    """With its queue, name and wire, and how long it took."""
    read = told(JobEnded(JOB, outcome, 0.3), JobEnded(replace(JOB, wire=Wire.RQ), outcome, 0.3))

    assert 1 == read("pushmill_jobs_total", queue="work", name="greet", wire="bullmq", outcome=word)
    assert 2 == read("pushmill_jobs_total")
    assert 2 == read("pushmill_job_run_seconds_bucket", queue="work", name="greet", le="0.5")
    assert 0 == read("pushmill_job_run_seconds_bucket", queue="work", name="greet", le="0.25")


def test_runs_without_an_outcome_are_counted() -> None:
    """Runs that were given back or lost; they do not count in the duration of runs."""
    read = told(JobEnded(JOB, Released(), 9.0), JobEnded(JOB, Lost("taken over"), 9.0))

    assert 1 == read("pushmill_jobs_total", outcome="released")
    assert 1 == read("pushmill_jobs_total", outcome="lost")
    assert 0 == read("pushmill_job_run_seconds_count")


def test_a_start_counts_how_long_its_job_has_waited() -> None:
    """If the wire knows it, and if the time is plausible."""
    waits = (None, 0.2, LONGEST_WAIT, float("inf"), float("nan"))
    read = told(*(JobStarted(replace(JOB, waited=wait)) for wait in waits))

    assert 1 == read("pushmill_job_wait_seconds_count", queue="work", wire="bullmq")
    assert 0.2 == read("pushmill_job_wait_seconds_sum")


def test_counters_of_alerts_begin_at_zero() -> None:
    """For Prometheus a counter that appears with its first event has not increased."""
    read = told()

    for name in ("greet", "other"):
        assert 0 == read("pushmill_jobs_total", queue="work", name=name, wire="rq", outcome="dead")
    assert 0 == read("pushmill_broker_outages_total", queue="other-queue", wire="rq")


def test_no_series_is_born_with_an_event() -> None:
    """After every event, with each label's values, the series are those that were there from the start."""
    pushes, files = make_job(queue="push-notifications", name="push"), make_job(queue="file-processing", name="file")
    everything: list[Event] = []
    for job in (replace(each, wire=wire) for each in (pushes, files, replace(pushes, name="?")) for wire in Wire):
        everything += [
            JobStarted(replace(job, waited=1.0)),
            JobEnded(job, Released(), 1.0),
            JobEnded(job, Lost(""), 1.0),
        ]
        everything += [JobEnded(job, outcome, 1.0) for outcome in OUTCOMES]
        everything += [BrokerLost(job.wire, job.queue, ""), JobsRecovered(job.wire, job.queue, ("1",))]
        everything += [RateLimited(job.wire, job.queue, 1.0), FollowUpAdded(job.queue, job.name)]
    everything += [FollowUpAdded("a-queue-of-others", "greet")]
    deliveries = {f"https://{host}": dict.fromkeys(map(str, Kind), 120) for host in SERVICES}
    deliveries |= {"https://example.com": {"sent": 1}, "refused": {"gone": 1}}
    pushed: Counts = {"push_deliveries": deliveries, "push_pruned": {"subscriptions": {"gone": 120}}}
    stored: Counts = {"media_bytes": {"in": {"upload": 1}, "out": {"files": 1}}}
    everything += [JobEnded(pushes, Done(None), 1.0, pushed), JobEnded(files, Done(None), 1.0, stored)]
    names = {"push-notifications": ["push"], "file-processing": ["file"]}

    born, later = told(names=names), told(*everything, names=names)

    assert series(born) == series(later)
    assert {0} == {sample.value for sample in born.samples}
    assert 120 == later("pushmill_push_results_total", name="push", service="apple", result="gone")
    assert 360 == later("pushmill_push_results_total", name="push", service="google", result="gone")


@pytest.mark.parametrize("name", ["no-such-job", "part", HOSTILE, "x" * 100_000, ""])
def test_a_name_that_is_not_registered_is_other(name: str) -> None:
    """Producers choose names: thousands of them share one label, and none writes into the page."""
    job = replace(JOB, name=name)
    read = told(JobEnded(job, Dead(FAILURE), 0.1), FollowUpAdded(JOB.queue, name))

    assert 1 == read("pushmill_jobs_total", queue="work", name="other", outcome="dead")
    assert 1 == read("pushmill_jobs_total")
    assert 1 == read("pushmill_follow_ups_total", queue="work", name="other")


def test_events_beside_jobs_are_counted() -> None:
    """Waits for the limiter, outages, recovered jobs and follow-ups."""
    read = told(
        RateLimited(Wire.RQ, "work", 0.25),
        RateLimited(Wire.RQ, "work", 0.5),
        BrokerLost(Wire.RQ, "work", "refused"),
        JobsRecovered(Wire.RQ, "work,other-queue", ("1", "2")),
        FollowUpAdded(JOB.queue, "greet"),
        FollowUpAdded("a-queue-of-others", "greet"),
    )

    assert 2 == read("pushmill_limiter_waits_total", queue="work", wire="rq")
    assert 0.75 == read("pushmill_limiter_wait_seconds_total", queue="work", wire="rq")
    assert 1 == read("pushmill_broker_outages_total", queue="work", wire="rq")
    assert 2 == read("pushmill_jobs_recovered_total", wire="rq")
    assert 1 == read("pushmill_follow_ups_total", queue="work", name="greet")
    assert 1 == read("pushmill_follow_ups_total", queue="other", name="other")


def test_counters_of_processors() -> None:
    """Pushes by service and result, deleted rows, bytes; undefined counters are left out."""
    deliveries = {
        "https://fcm.googleapis.com": {"sent": 2, "gone": 1},
        "https://web.push.apple.com": {"throttled": 1},
        "https://evilpush.apple.com.example": {"sent": 5},
        "https://127.0.0.1:8443": {"sent": 1},
        "refused": {"gone": 1},
        "other": {"sent": 1},
    }
    read = told(
        JobEnded(JOB, Done(None), 1.0, {"push_deliveries": deliveries, "greetings": {"here": {"sent": 1}}}),
        JobEnded(JOB, Released(), 1.0, {"push_pruned": {"subscriptions": {"gone": 3}}}),
        JobEnded(JOB, Lost("away"), 1.0, {"media_bytes": {"in": {"upload": 1000}, "out": {"files": 300}}}),
    )

    assert 2 == read("pushmill_push_results_total", name="greet", service="google", result="sent")
    assert 1 == read("pushmill_push_results_total", service="apple", result="throttled")
    assert 7 == read("pushmill_push_results_total", service="other", result="sent")
    assert 1 == read("pushmill_push_results_total", service="refused", result="gone")
    assert 3 == read("pushmill_push_pruned_total", name="greet")
    assert (1000, 300) == tuple(read("pushmill_media_bytes_total", direction=way) for way in ("in", "out"))
    assert not any("greetings" in name for name in read.names)


def test_every_push_service_has_a_name() -> None:
    """Each service that may be called has its own name in the metrics."""
    assert "mozilla" == service_of("https://updates.push.services.mozilla.com")
    assert "microsoft" == service_of("https://db5p.notify.windows.com")


def test_the_loops_lag_is_how_late_it_woke() -> None:
    """Of three looks, one a second, the last one came half a second late."""
    registry, times = CollectorRegistry(), iter([10.0, 11.0, 12.5])
    process_metrics = ProcessMetrics(registry, clock=lambda: next(times), tree=lambda: 123)
    for _ in range(3):
        process_metrics.woke(1.0)
    read = Exposition(generate_latest(registry).decode())

    assert (2, 0.5) == (read("pushmill_event_loop_lag_seconds_count"), read("pushmill_event_loop_lag_seconds_sum"))
    assert 123 == read("pushmill_tree_memory_bytes")


def test_observers_get_events_in_their_order() -> None:
    """Each event goes to all of them."""
    heard: list[tuple[str, Event]] = []
    event = JobStarted(JOB)
    to_all(lambda each: heard.append(("first", each)), lambda each: heard.append(("second", each)))(event)

    assert [("first", event), ("second", event)] == heard
