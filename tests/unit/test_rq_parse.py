"""From RQ's job to ours, and which requests in RQ's hash are refused."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from rq.serializers import JSONSerializer

from queue_lib.broker.rq.job import MAX_DATA, GuardedJob
from queue_lib.broker.rq.parse import MALFORMED, restore, to_job
from tests.support.queues import QUEUES

if TYPE_CHECKING:
    from queue_lib.job import Job

QUEUE = QUEUES[0]
CONNECTION = redis.Redis()  # never connected
NOW = 1767323050.0  # 2026-01-02T03:04:10Z
CALL: list[Any] = ["greet", None, [{"userId": "u1"}], {}]


def parse(call: Any = CALL, **fields: bytes | str) -> Job:
    """Parse a job hash as RQ writes it."""
    raw = {b"data": zlib.compress(json.dumps(call).encode()), b"origin": b"q", b"status": b"queued"}
    raw |= {name.encode(): value if isinstance(value, bytes) else value.encode() for name, value in fields.items()}
    return to_job(raw, restore("7", raw, CONNECTION, JSONSerializer), QUEUE, NOW)


def test_a_job_as_rq_writes_it() -> None:
    """The function's name is the job's name, the one argument its payload; the queue's policy holds."""
    job = parse(enqueued_at="2026-01-02T03:04:05Z", timeout="180")
    assert ("7", "greet", {"userId": "u1"}, None) == (job.id, job.name, job.data, job.refusal)
    assert (1, 3, QUEUE.backoff, QUEUE.timeout) == (job.attempt, job.max_attempts, job.backoff, job.timeout)
    assert (1767323045.0, 5.0) == (job.enqueued_at, job.waited)


def test_how_long_a_job_has_waited_is_known_unless_its_worker_died() -> None:
    """`enqueued_at` is the last time it was put in line; a recovered job has run since."""
    times = {"enqueued_at": "2026-01-02T03:04:05Z"}
    assert (None, None) == (parse(**times, crashes="1").waited, parse().waited)


def test_plain_json_is_a_job_too() -> None:
    """Uncompressed data, as other languages write it, is accepted."""
    assert {"userId": "u1"} == parse(data=json.dumps(CALL)).data


def test_the_producers_retries_win() -> None:
    """Retry(max=4, interval=[1, 9]) is kept: RQ uses the first interval for the missing ones."""
    job = parse(retries_left="4", retry_intervals="[1, 9]")
    assert 5 == job.max_attempts
    assert [1, 1, 1, 9] == [job.backoff.delay(attempt, 0) for attempt in (1, 2, 3, 4)]


def test_attempts_made_are_counted() -> None:
    """A job that has failed once and has one retry left is in attempt 2 of 3."""
    job = parse(retries_left="1", retry_intervals="[1, 9]", attempts_made="1")
    assert (2, 3, 9.0) == (job.attempt, job.max_attempts, job.backoff.delay(2, 0))


def test_a_timeout_of_its_own_is_kept() -> None:
    """job_timeout is kept; RQ's default of 180 s, which it writes unasked, is not a choice."""
    assert 7.0 == parse(timeout="7").timeout
    assert QUEUE.timeout == parse(timeout="-1").timeout


@pytest.mark.parametrize(
    ("call", "fields", "reason"),
    [
        (["upper", "abc", [], {}], {}, "it names a method of an instance; enqueue the job's name instead"),
        (CALL, {"success_callback_name": "os.system"}, "success_callback_name is set"),
        (CALL, {"failure_callback_name": "os.system"}, "failure_callback_name is set"),
        (CALL, {"stopped_callback_name": "os.system"}, "stopped_callback_name is set"),
        (CALL, {"webhooks": '[{"url": "http://127.0.0.1/"}]'}, "webhooks is set"),
        (["greet", None, [], {}], {}, "it must have one positional argument"),
        (["greet", None, [1, 2], {}], {}, "it must have one positional argument"),
        (["greet", None, [1], {"b": 2}], {}, "it must have one positional argument"),
        ([None, None, [1], {}], {}, "it names no job"),
        (CALL, {"crashes": "3"}, "its worker died 3 times while running it"),
    ],
)
def test_jobs_that_are_refused(call: Any, fields: dict[str, str], reason: str) -> None:
    """Instances, callbacks, webhooks and other forms of calls, each with a reason."""
    refusal = parse(call, **fields).refusal
    assert refusal is not None
    assert refusal.startswith(reason)


def test_nothing_is_ever_imported_or_performed() -> None:
    """A job's function can't be resolved, even by mistake."""
    job = GuardedJob("7", connection=CONNECTION, serializer=JSONSerializer)
    with pytest.raises(PermissionError):
        _ = job.func
    with pytest.raises(PermissionError):
        job.perform()


def test_a_bomb_is_not_unpacked() -> None:
    """Data that unpacks to more than 4 MiB is refused before it is unpacked."""
    bomb = zlib.compress(b"0" * (MAX_DATA * 4))
    with pytest.raises(ValueError, match="larger than"):
        parse(data=bomb)


def test_a_name_that_can_not_be_written_is_replaced() -> None:
    """JSON may have half a surrogate pair; UTF-8, and so Redis and the log, can't."""
    assert "a?" == parse(["a\ud800", None, [1], {}]).name


FIELDS = [
    *("data", "created_at", "enqueued_at", "started_at", "ended_at", "timeout", "result_ttl", "failure_ttl", "status"),
    *("meta", "retries_left", "retry_intervals", "number_of_retries", "dependency_ids", "ttl", "crashes"),
    *("attempts_made", "enqueue_at_front", "worker_name"),
]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(st.dictionaries(st.sampled_from(FIELDS), st.binary(max_size=30) | TEXT | st.just("[1]")))
def test_any_hash_is_parsed_or_refused(fields: dict[str, Any]) -> None:
    """No other exception is raised, whatever stands in it."""
    fields = {
        name: value if isinstance(value, bytes) else value.encode(errors="replace") for name, value in fields.items()
    }
    try:
        job = parse(**fields)
    except MALFORMED:
        return
    assert job.timeout > 0
