"""From RQ's job to ours."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rq.exceptions import DeserializationError, NoSuchJobError, TimeoutFormatError
from rq.queue import Queue as StockQueue

from queue_lib.broker.base import CRASH_CAP
from queue_lib.broker.rq.job import GuardedJob, decompressed, refusal
from queue_lib.job import Backoff, Job, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis import Redis

    from queue_lib.queues import Queue

LARGEST = 2**40  # seconds or times: 35,000 years
NUMBERS = (
    *(b"retries_left", b"result_ttl", b"failure_ttl", b"ttl", b"number_of_retries", b"repeats_left"),
    *(b"attempts_made", b"crashes", b"rate_limit_concurrency"),
)
SECONDS = (b"retry_intervals", b"repeat_intervals")
Raw = dict[bytes, bytes]
# What parsing a hostile hash may raise; RQ wraps what its serializer raises in a DeserializationError.
MALFORMED = (
    DeserializationError,
    NoSuchJobError,
    TimeoutFormatError,
    AssertionError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    zlib.error,
)


def number(raw: bytes | None) -> int:
    """A count in a job's hash; 0 if there is none, or it is no possible count."""
    return int(raw) if raw and raw.isdigit() and len(raw) < 20 else 0  # noqa: PLR2004 -- digits


@dataclass(frozen=True, slots=True)
class Found:
    """A claimed job as it stands in Redis; `strangers` says which of its keys held what RQ would not have written."""

    job_id: str
    fields: Raw
    strangers: Sequence[str]

    def check(self) -> None:
        """Raises TypeError for strangers: they hid what the job was to do beside its run."""
        if self.strangers:
            msg = f"{', '.join(self.strangers)}: removed"
            raise TypeError(msg)


def describe(error: Exception) -> str:
    """One line for one of MALFORMED. RQ's own errors say nothing, or show the whole hash, and so the payload."""
    if isinstance(error, DeserializationError):
        return "unreadable job: its data is no JSON, but pickled, it seems; enqueue with serializer=json"
    text = "" if isinstance(error, NoSuchJobError) else str(error)
    return f"unreadable job: {type(error).__name__}: {text}".removesuffix(": ")


def restore(job_id: str, raw: Mapping[bytes, bytes], connection: Redis, serializer: type) -> GuardedJob:
    """RQ's view of the hash. Raises one of MALFORMED."""
    _check(raw)
    job = GuardedJob(job_id, connection=connection, serializer=serializer)
    job.restore({**raw, b"data": decompressed(raw[b"data"])})
    dependencies = job._dependency_ids  # noqa: SLF001
    if not isinstance(job.meta, dict) or not all(isinstance(dependency, str) for dependency in dependencies):
        msg = "meta or dependency_ids are of a wrong type"
        raise TypeError(msg)
    return job


def _check(raw: Mapping[bytes, bytes]) -> None:
    """Refuse what would break RQ later, when it writes the job: numbers beyond 53 bits, and odd lists of seconds."""
    numbers: list[object] = [int(raw[name]) for name in NUMBERS if raw.get(name)]
    for name in SECONDS:
        listed = json.loads(raw.get(name) or b"[]")
        numbers += listed if isinstance(listed, list) else [None]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float) or not -LARGEST < number < LARGEST:
            msg = "a number in its hash is none, or out of bounds"
            raise ValueError(msg)


def to_job(raw: Mapping[bytes, bytes], rq_job: GuardedJob, queue: Queue, now: float) -> Job:
    """Translate. The producer's options win; where it gave none, the queue's hold and are set on `rq_job`, too.

    `now` is when the job was claimed, in seconds since the epoch. RQ counts the retries that are left; the attempts
    made are a field of ours in the hash. Raises one of MALFORMED.
    """
    name = str(rq_job.func_name).encode(errors="replace").decode()  # JSON may carry what UTF-8 may not
    made = int(raw.get(b"attempts_made") or 0)
    if rq_job.retries_left is None:
        rq_job.retries_left = max(0, queue.attempts_of(name) - 1 - made)
    retries = made + rq_job.retries_left
    return Job(
        id=rq_job.id,
        name=name,
        queue=queue.name,
        wire=Wire.RQ,
        data=rq_job.args[0] if rq_job.args else None,
        attempt=made + 1,
        max_attempts=retries + 1,
        backoff=_backoff(rq_job, retries) or queue.backoff_of(name),
        timeout=_timeout(rq_job) or queue.timeout,
        enqueued_at=rq_job.enqueued_at.timestamp() if rq_job.enqueued_at else 0.0,
        created_at=rq_job.created_at.timestamp() if rq_job.created_at else 0.0,
        waited=waited(raw, rq_job, now),
        refusal=refusal(raw, rq_job) or _crashed(raw),
    )


def waited(raw: Mapping[bytes, bytes], rq_job: GuardedJob, claimed_at: float) -> float | None:
    """Seconds between the moment a job was ready and its claim; None for one whose worker has died.

    The claim script notes when a scheduled job was due: RQ's `enqueued_at` is when it was moved into the queue.
    """
    if rq_job.enqueued_at is None or number(raw.get(b"crashes")):
        return None
    ready = rq_job.enqueued_at.timestamp()
    if raw.get(b"promoted_at") == raw.get(b"enqueued_at"):
        ready = min(ready, number(raw.get(b"due_at")) or ready)
    return max(0.0, claimed_at - ready)


def written(raw: Mapping[bytes, bytes]) -> bytes:
    """What stands in the hash as the call, uncompressed where it can be, for people to look at."""
    data = raw.get(b"data", b"")
    try:
        return decompressed(data) or data  # a text may look like the beginning of what is compressed
    except MALFORMED:
        return data


def bare(job_id: str, lane: str, connection: Redis, serializer: type) -> GuardedJob:
    """RQ's view of a job that could not be read: enough to settle it. Its data stays as it is in Redis."""
    job = GuardedJob(connection=connection, serializer=serializer)
    job._id = job_id  # noqa: SLF001 -- RQ's setter would refuse an id that only other producers write
    job.origin = lane
    job.data = b""
    return job


def _backoff(job: GuardedJob, retries: int) -> Backoff | None:
    """RQ's list of intervals: with fewer of them than retries, the first one stands for the missing ones."""
    intervals = job.retry_intervals
    if not intervals or retries < 1:
        return None
    indices = (max(len(intervals) - left, 0) for left in range(min(retries, 1000), 0, -1))
    return Backoff(tuple(max(0.0, float(intervals[index])) for index in indices))


def _timeout(job: GuardedJob) -> float | None:
    """The job's own timeout; None if it is the one that RQ's Queue writes unasked (180 s), or none at all."""
    if job.timeout is None or job.timeout <= 0 or job.timeout == StockQueue.DEFAULT_TIMEOUT:
        return None
    return float(min(job.timeout, LARGEST))


def _crashed(raw: Mapping[bytes, bytes]) -> str | None:
    crashes = int(raw.get(b"crashes") or 0)
    return f"its worker died {crashes} times while running it" if crashes >= CRASH_CAP else None
