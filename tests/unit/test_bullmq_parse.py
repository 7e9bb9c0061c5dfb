"""From BullMQ's job to ours."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from bullmq import Job as BullJob
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.broker.bullmq.parse import MALFORMED, keep, keeps_none, to_job
from queue_lib.job import Backoff
from tests.support.queues import QUEUES

QUEUE = QUEUES[0]
OWNER = SimpleNamespace(backend=None, qualifiedName="bull:q", opts={})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=10,
)


def parse(opts: Any, **fields: str) -> Any:
    """Parse a job hash with these options."""
    raw = {"name": "greet", "data": '{"a":1}', "opts": json.dumps(opts), "timestamp": "1700000000500"} | fields
    return to_job(BullJob.fromJSON(OWNER, raw, "7"), QUEUE)


def test_the_queues_policy_where_the_app_chose_none() -> None:
    """Node writes `attempts: 0` if the app gave no options: then the queue's policy holds."""
    job = parse({"attempts": 0})
    assert ("7", "greet", {"a": 1}, 1_700_000_000.5) == (job.id, job.name, job.data, job.enqueued_at)
    assert (1, 3, QUEUE.backoff, QUEUE.timeout) == (job.attempt, job.max_attempts, job.backoff, job.timeout)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (1500, Backoff((1.5,))),
        ({"type": "fixed", "delay": 250}, Backoff((0.25,))),
        ({"type": "exponential", "delay": 1000}, Backoff((1.0,), exponential=True)),
        ({"type": "exponential", "delay": 1000, "jitter": 0.5}, Backoff((1.0,), exponential=True, jitter=0.5)),
        ({"type": "mine"}, QUEUE.backoff),
        (None, QUEUE.backoff),
    ],
)
def test_backoff_options(option: Any, expected: Backoff) -> None:
    """BullMQ's backoff options are kept; a type that only the app's code knows falls back to the queue's."""
    assert expected == parse({"attempts": 5, "backoff": option}).backoff


def test_attempts_are_counted_from_one() -> None:
    """A job that has failed twice is in its third attempt."""
    job = parse({"attempts": 4}, atm="2")
    assert (3, 4, False) == (job.attempt, job.max_attempts, job.is_last_attempt)


@pytest.mark.parametrize(
    ("opts", "fields", "expected"),
    [
        ({}, {"ats": "1"}, 2.5),
        ({"delay": 2000}, {"ats": "1"}, 0.5),
        ({"delay": 60_000}, {"ats": "1"}, 0.0),  # an operator has promoted it
        ({"delay": "soon"}, {"ats": "1"}, None),
        ({}, {"ats": "2"}, None),
        ({}, {}, None),
    ],
)
def test_how_long_a_job_has_waited_is_known_in_its_first_run(
    opts: Any, fields: dict[str, str], expected: float | None
) -> None:
    """From when it was due, without the app's delay; of later runs BullMQ keeps no time."""
    assert expected == parse(opts, processedOn="1700000003000", **fields).waited


def test_a_verdict_of_bullmq_is_kept() -> None:
    """A job that BullMQ itself has failed, for example after too many stalls, is refused with BullMQ's reason."""
    assert "job stalled more than allowable limit" == parse({}, defa="job stalled more than allowable limit").refusal


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (None, {"count": -1, "of_queue": 5}),
        (True, True),
        (False, False),
        (10, 10),
        ({"age": 1}, {"age": 1}),
        ("x", {"count": -1, "of_queue": 5}),
    ],
)
def test_retention_options(option: Any, expected: Any) -> None:
    """The producer's removeOnComplete wins; without one the job is counted among the queue's."""
    assert expected == keep(option, 5)


def test_a_queue_without_a_bound() -> None:
    """Its jobs stay until they are too old; a chore deletes them."""
    assert {"count": -1} == keep(None, None)


@pytest.mark.parametrize(
    ("kept", "none"),
    [
        (True, True),
        (0, True),
        ({"count": 0}, True),
        (False, False),
        (1, False),
        ({"count": 1}, False),
        ({"age": 0, "count": 5}, True),
        ({"age": 1}, False),
        (None, False),
    ],
)
def test_a_job_that_is_deleted_as_it_ends(kept: Any, none: bool) -> None:
    """If such a job has vanished, that is no sign of trouble."""
    assert none is keeps_none(kept)


@given(
    opts=JSON | st.fixed_dictionaries({}, optional={"attempts": JSON, "backoff": JSON, "delay": JSON, "lifo": JSON}),
    data=st.text(max_size=30) | JSON.map(json.dumps),
    atm=st.text(max_size=3) | st.just("1"),
)
def test_any_hash_is_parsed_or_refused(opts: Any, data: str, atm: str) -> None:
    """No other exception is raised, whatever stands in it."""
    try:
        job = parse(opts, data=data, atm=atm)
    except MALFORMED:
        return
    assert job.attempt >= 1 or int(atm) < 0
    assert job.max_attempts >= 1
