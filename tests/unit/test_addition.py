"""The options that a producer may give, and how each wire writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from queue_lib.addition import LONGEST, Addition, Deduplication
from queue_lib.broker.bullmq.producer import options
from queue_lib.broker.memory import MemoryStore
from queue_lib.broker.rq import producer as rq
from queue_lib.errors import PermanentError
from queue_lib.job import Backoff
from queue_lib.queues import Retention

PLAIN = Addition(name="greet", data={"userId": "u1"})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"job_id": "12"}, "a job's id has letters"),
        ({"name": ""}, "name: empty, or no text"),
        ({"name": "\ud800"}, "name: empty, or no text"),
        ({"delay": -1.0}, "delay: not a number of seconds from 0 to ten years"),
        ({"delay": float("nan")}, "delay: not a number of seconds from 0 to ten years"),
        ({"delay": 1e12}, "delay: not a number of seconds from 0 to ten years"),
        ({"delay": "5"}, "delay: not a number of seconds from 0 to ten years"),
        ({"attempts": 0}, "attempts: not a whole number of 1 or more"),
        ({"attempts": 1.5}, "attempts: not a whole number of 1 or more"),
        ({"attempts": 10**30}, "attempts: not a whole number of 1 or more"),
        ({"backoff": 5.0}, "backoff: not seconds from 0 to ten years"),
        ({"backoff": Backoff(())}, "backoff: not seconds from 0 to ten years"),
        ({"backoff": Backoff((-5.0,))}, "backoff: not seconds from 0 to ten years"),
        ({"backoff": Backoff((float("inf"),))}, "backoff: not seconds from 0 to ten years"),
        ({"backoff": Backoff((1.0,), jitter=7.0)}, "backoff: not seconds from 0 to ten years"),
        ({"priority": -1}, "priority: not a number from 0 to 2,097,151, high or low"),
        ({"priority": 2**21}, "priority: not a number from 0 to 2,097,151, high or low"),
        ({"priority": True}, "priority: not a number from 0 to 2,097,151, high or low"),
        ({"priority": "urgent"}, "priority: not a number from 0 to 2,097,151, high or low"),
        ({"lifo": "yes"}, "lifo: not true or false"),
        ({"remove_on_complete": -7}, "removeOnComplete: not a boolean"),
        ({"remove_on_complete": Retention(float("inf"))}, "removeOnComplete: not a boolean"),
        ({"remove_on_fail": Retention(-5.0)}, "removeOnFail: not a boolean"),
        ({"remove_on_fail": "x"}, "removeOnFail: not a boolean"),
        ({"deduplication": Deduplication(id="")}, "deduplication: its id is empty, or no text"),
        ({"deduplication": Deduplication(id="\ud800")}, "deduplication: its id is empty, or no text"),
        ({"deduplication": Deduplication(id="a", ttl=0.0)}, "deduplication: its ttl is not more than 0 seconds"),
        ({"deduplication": Deduplication(id="a", ttl=1e300)}, "deduplication: its ttl is not more than 0 seconds"),
        ({"data": {1: 1, None: 2}}, "the payload can't be written as JSON: TypeError"),
        ({"data": float("nan")}, "the payload can't be written as JSON: ValueError"),
        ({"data": "\ud800"}, "the payload can't be written as JSON: UnicodeEncodeError"),
        ({"data": object()}, "the payload can't be written as JSON: TypeError"),
    ],
)
def test_options_that_no_wire_takes(changes: dict[str, Any], reason: str) -> None:
    """They are refused with the option's name, before anything is in a queue."""
    with pytest.raises(PermanentError, match=reason):
        replace(PLAIN, **changes).check()


def test_options_that_every_wire_takes() -> None:
    """The bounds of numbers are allowed values."""
    PLAIN.check()
    replace(PLAIN, job_id="a-1", delay=0.5, attempts=1, priority=2**21 - 1, deduplication=Deduplication(id="a")).check()
    replace(PLAIN, priority="high", backoff=Backoff((0, 3600.0)), remove_on_complete=True, remove_on_fail=0).check()
    replace(PLAIN, delay=LONGEST, remove_on_complete=Retention(0), remove_on_fail=Retention(60.0, 5)).check()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"job_id": "a", "delay": 1.0005, "attempts": 2}, {"jobId": "a", "delay": 1001, "attempts": 2}),
        ({"priority": 0, "lifo": False}, {}),
        ({"priority": 7}, {"priority": 7}),
        ({"lifo": True}, {"lifo": True}),
        ({"delay": 2.007}, {"delay": 2007}),
        ({"backoff": Backoff((0.5,))}, {"backoff": {"type": "fixed", "delay": 500}}),
        (
            {"backoff": Backoff((2.0,), exponential=True, jitter=0.5)},
            {"backoff": {"type": "exponential", "delay": 2000, "jitter": 0.5}},
        ),
        ({"remove_on_complete": True, "remove_on_fail": False}, {"removeOnComplete": True, "removeOnFail": False}),
        ({"remove_on_complete": 0}, {"removeOnComplete": 0}),
        (
            {"remove_on_complete": Retention(60.0), "remove_on_fail": Retention(60.0, 5)},
            {"removeOnComplete": {"age": 60}, "removeOnFail": {"age": 60, "count": 5}},
        ),
        ({"deduplication": Deduplication(id="d")}, {"deduplication": {"id": "d"}}),
        (
            {"deduplication": Deduplication(id="d", ttl=1.5, extend=True, replace=True)},
            {"deduplication": {"id": "d", "ttl": 1500, "extend": True, "replace": True}},
        ),
        (
            {"deduplication": Deduplication(id="d", keep_last_if_active=True)},
            {"deduplication": {"id": "d", "keepLastIfActive": True}},
        ),
    ],
)
def test_options_of_bullmq(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """They equal those that Node's `queue.add` writes; options that are not given are the queue's."""
    assert expected == options(replace(PLAIN, **changes))


def test_a_list_of_delays_is_no_backoff_of_bullmq() -> None:
    """BullMQ would drop it silently."""
    with pytest.raises(PermanentError, match=r"^backoff: BullMQ takes one delay"):
        options(replace(PLAIN, backoff=Backoff((1.0, 5.0))))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"priority": "high"}, "priority: BullMQ takes a number; high is a lane of RQ"),
        ({"lifo": True, "priority": 7}, "lifo: BullMQ ignores it for a job with a delay or a priority"),
        ({"lifo": True, "delay": 1.0}, "lifo: BullMQ ignores it for a job with a delay or a priority"),
        (
            {"deduplication": Deduplication(id="d", extend=True)},
            "deduplication.extend: BullMQ ignores it without a ttl",
        ),
        (
            {"deduplication": Deduplication(id="d", ttl=1.0, keep_last_if_active=True)},
            "deduplication.ttl: BullMQ ignores it with keepLastIfActive",
        ),
    ],
)
def test_options_that_bullmq_lacks(changes: dict[str, Any], reason: str) -> None:
    """They are refused with the option's name, while bullmq itself ignores them silently."""
    with pytest.raises(PermanentError, match=f"^{reason}"):
        options(replace(PLAIN, **changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"priority": 1}, "priority: RQ has no numbers; say high or low"),
        ({"priority": 0}, "priority: RQ has no numbers"),
        ({"deduplication": Deduplication(id="d")}, "deduplication: RQ has none"),
        ({"lifo": True, "delay": 1.0}, "lifo: RQ adds a delayed job at the end"),
        ({"backoff": Backoff((1.0,), jitter=0.5), "attempts": 2}, r"backoff\.jitter: RQ has none"),
        ({"backoff": Backoff((1.0,), exponential=True)}, "backoff: RQ keeps a list of delays"),
        ({"remove_on_complete": 5}, "removeOnComplete: RQ keeps a job for a time"),
        ({"remove_on_fail": Retention(60.0, 5)}, "removeOnFail: RQ keeps a job for a time"),
    ],
)
def test_options_that_rq_lacks(changes: dict[str, Any], reason: str) -> None:
    """They are refused with the option's name: nothing is dropped silently."""
    with pytest.raises(PermanentError, match=f"^{reason}"):
        rq.check(replace(PLAIN, **changes))


def test_options_that_the_fake_lacks() -> None:
    """A test of them needs a server."""
    with pytest.raises(PermanentError, match="priority: not in memory"):
        MemoryStore().add("work", replace(PLAIN, priority=1))
