"""What RQ keeps of how jobs have ended: the results in their streams, the newest last."""

from __future__ import annotations

import contextlib
from base64 import b64decode
from typing import TYPE_CHECKING

from rq.job import Job as StockJob
from rq.results import Result
from rq.serializers import JSONSerializer

from queue_lib.broker.rq.job import decompressed
from queue_lib.broker.rq.parse import MALFORMED
from queue_lib.broker.rq.retention import keys_of
from queue_lib.broker.trouble import synchronous_answers
from queue_lib.outcome import MAX_REASON
from queue_lib.processor import Children

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

FAILURES = frozenset({Result.Type.FAILED, Result.Type.STOPPED, Result.Type.MAX_RETRIES_EXCEEDED})


def read_result(connection: Redis, job_id: str, entry_id: bytes, fields: dict[bytes, bytes]) -> Result | None:
    """An entry of a job's stream; None for one that RQ has not written, or that holds more than 4 MiB."""
    with contextlib.suppress(*MALFORMED):
        decompressed(b64decode(fields.get(b"exc_string", b"")))  # RQ would unpack whatever size it has
        return Result.restore(job_id, entry_id.decode(), fields, connection, JSONSerializer)
    return None


def of_jobs(connection: Redis, job_ids: Sequence[str]) -> Children:
    """How each of these jobs has ended last. Raises redis-py's errors."""
    with connection.pipeline(transaction=False) as pipe:
        for job_id in job_ids:
            pipe.xrevrange(keys_of(job_id)[2], count=1)
            pipe.hget(StockJob.key_for(job_id), "failed_reason")
        found = synchronous_answers(pipe)
    results, failures = {}, {}
    for job_id, entries, reason in zip(job_ids, found[::2], found[1::2], strict=True):
        result = read_result(connection, job_id, *entries[0]) if entries else None
        if result is not None and result.type is Result.Type.SUCCESSFUL:
            results[job_id] = result.return_value
        elif result is not None and result.type in FAILURES:
            failures[job_id] = reason.decode(errors="replace") if reason else _last_line(result.exc_string)
    return Children(results, failures)


def _last_line(trace: str | None) -> str:
    """The reason in another worker's trace: the last line of Python's."""
    lines = (trace or "").strip().splitlines() or ["it failed"]
    return lines[-1][:MAX_REASON]
