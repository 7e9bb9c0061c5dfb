"""Jobs for `add_many.lua`: the same as the package makes for its own scripts."""

from __future__ import annotations

import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.addition import LONGEST, LOWEST_PRIORITY, Addition, Deduplication, NewJob
from queue_lib.broker.bullmq.packing import packed
from queue_lib.broker.bullmq.producer import Producer
from queue_lib.broker.bullmq.worker import named
from queue_lib.broker.connection import client, options
from queue_lib.errors import PermanentError
from queue_lib.job import Backoff
from queue_lib.queues import Retention

NOWHERE = client(options("redis://127.0.0.1:1"), decode=True, name="test")
PRODUCER = Producer(NOWHERE, "bull", {})

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)
SECONDS = st.floats(0, LONGEST) | st.integers(0, int(LONGEST))
KEPT = st.none() | st.booleans() | st.integers(0, 9) | st.builds(Retention, age=SECONDS, count=st.integers(0, 9))
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=9,
)
ADDITIONS = st.builds(
    Addition,
    name=TEXTS,
    data=DATA,
    job_id=st.none() | st.from_regex(r"[a-z-]{1,9}", fullmatch=True),
    delay=st.just(0.0) | SECONDS,
    attempts=st.none() | st.integers(1, 9),
    backoff=st.none() | st.builds(Backoff, delays=st.tuples(SECONDS), jitter=st.floats(0, 1)),
    priority=st.none() | st.integers(0, LOWEST_PRIORITY),
    remove_on_complete=KEPT,
    remove_on_fail=KEPT,
    deduplication=st.none()
    | st.builds(Deduplication, id=TEXTS, keep_last_if_active=st.booleans())
    | st.builds(Deduplication, id=TEXTS, ttl=st.floats(0.001, LONGEST), extend=st.booleans(), replace=st.booleans()),
) | st.builds(Addition, name=TEXTS, data=DATA, lifo=st.booleans())


@given(ADDITIONS)
def test_a_job_is_packed_as_the_package_does_it(addition: Addition) -> None:
    """All but the time, and the notation of its data."""
    job = PRODUCER._job(NewJob("reports", addition), {})
    about, data, kept = job.queue.backend.scripts.addJobArgs(job)

    kind, *ours = packed(NewJob("reports", addition), "bull").arguments

    assert ("delayed" if job.delay else "prioritized" if job.priority else "standard") == kind
    theirs = [msgpack.unpackb(about), json.loads(data), msgpack.unpackb(kept)]
    mine = [msgpack.unpackb(ours[0]), json.loads(ours[1]), msgpack.unpackb(ours[2])]
    assert abs(theirs[0].pop(3) - mine[0].pop(3)) < 60_000
    assert theirs == mine


@pytest.mark.parametrize(
    "addition",
    [
        Addition(name="count", data={"text": "\ud800"}),
        Addition(name="count", data={}, attempts=0),
        Addition(name="count", data={}, priority="high"),
    ],
)
def test_a_job_that_can_not_be_added_is_refused(addition: Addition) -> None:
    """For its data, for an option that no wire takes, and for one that BullMQ does not take."""
    with pytest.raises(PermanentError):
        packed(NewJob("reports", addition), "bull")


@pytest.mark.parametrize("size", [0, 1, 11, 14, 15, 16, 40])
def test_a_name_is_put_behind_packed_options(size: int) -> None:
    """As if they had been packed with it, however many they are."""
    options = {f"option-{number}": number for number in range(size)}
    assert options | {"name": "my worker"} == msgpack.unpackb(named(msgpack.packb(options), "my worker"))
