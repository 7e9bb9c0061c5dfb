"""From BullMQ's job to ours. Options that Node would not write are refused, not guessed at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bullmq import Job as BullJob

from queue_lib.broker.refused import NAME
from queue_lib.job import Backoff, Job, Wire
from queue_lib.plain_json import MAX_NUMBER

if TYPE_CHECKING:
    from queue_lib.queues import Queue

MS = 1000.0
NO_BOUND = -1  # of removeOnComplete and removeOnFail: all jobs are kept
RETENTIONS = ("removeOnComplete", "removeOnFail")
LIMITS = ("keepLogs", "stackTraceLimit")
FLAGS = (
    *("failParentOnFailure", "continueParentOnFailure", "ignoreDependencyOnFailure", "removeDependencyOnFailure"),
    "lifo",
)
MALFORMED = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)  # what parsing a hostile hash may raise


def to_job(raw: Any, queue: Queue) -> Job:
    """Translate. The producer's options win; where it gave none, the queue's hold.

    A BullMQ job has no timeout of its own. Raises one of MALFORMED, with the option's name in the message.
    """
    _check(raw)
    name = _name(raw.name)
    attempts = _number(raw.opts.get("attempts"), "attempts")
    return Job(
        id=raw.id,
        name=name,
        queue=queue.name,
        wire=Wire.BULLMQ,
        data=raw.data,
        attempt=raw.attemptsMade + 1,
        max_attempts=int(attempts) or queue.attempts_of(name),  # Node writes 0 where the app gave none
        backoff=_backoff(raw.opts.get("backoff")) or queue.backoff_of(name),
        timeout=queue.timeout,
        enqueued_at=raw.timestamp / MS,
        created_at=raw.timestamp / MS,
        waited=waited(raw),
        refusal=_refusal(raw),
    )


def waited(raw: Any) -> float | None:
    """Seconds between the moment a job was due first and its claim, a parent's wait for its children included.

    None for later runs: BullMQ does not keep when they were due.
    """
    delay = raw.opts.get("delay") or 0
    if raw.attemptsStarted != 1 or not raw.processedOn or not isinstance(delay, int | float):
        return None
    return max(0.0, float(raw.processedOn - raw.timestamp - delay) / MS)


def bare(worker: Any, job_id: str) -> Any:
    """The package's Job for one that could not be read: enough to settle it."""
    return BullJob(worker, NAME, None, {}, job_id)


def keep(option: Any, count: int | None) -> Any:
    """`removeOnComplete`/`removeOnFail` in the scripts' form.

    Where the producer gave none, at most `count` of such jobs stay (None: no such bound); a chore deletes the old ones.
    """
    if isinstance(option, bool | int | dict):
        return option
    return {"count": -1} if count is None else {"count": -1, "of_queue": count}


def keeps_none(kept: Any) -> bool:
    """Whether a job is deleted as it ends; `kept` is what `keep` returns, or None for one that has not ended."""
    if kept is None or isinstance(kept, bool):
        return kept is True
    return 0 in (kept.get("count"), kept.get("age")) if isinstance(kept, dict) else kept == 0


def _check(raw: Any) -> None:
    """What the scripts would stumble over when the job is settled."""
    for name in RETENTIONS:
        _check_retention(raw.opts.get(name), name)
    for name in LIMITS:
        _number(raw.opts.get(name), name)
    for name in FLAGS:
        if not isinstance(raw.opts.get(name), bool | None):
            msg = f"the option {name} is not true or false"
            raise TypeError(msg)
    if not isinstance(raw.stacktrace, list) or not all(isinstance(trace, str) for trace in raw.stacktrace):
        msg = "stacktrace is not a list of texts"
        raise ValueError(msg)
    _number(raw.attemptsMade, "attemptsMade")


def _check_retention(option: Any, name: str) -> None:
    bounds = option if isinstance(option, dict) else {} if isinstance(option, bool) else {"count": option}
    for key, bound in bounds.items():
        if bound != NO_BOUND and _number(bound, name) % 1 and key == "count":
            msg = f"the option {name} has a count that is no whole number"
            raise ValueError(msg)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        msg = "the job has no name"
        raise ValueError(msg)
    return value


def _refusal(raw: Any) -> str | None:
    if raw.deferredFailure:  # the stalled check or a failed child has passed the verdict already
        return str(raw.deferredFailure)
    return None


def _backoff(option: Any) -> Backoff | None:
    """Backoff of a job's options; None where there is none, or one of a type that only the app knows."""
    if isinstance(option, int | float):
        option = {"type": "fixed", "delay": option}
    if not isinstance(option, dict) or option.get("type") not in {"fixed", "exponential"}:
        return None
    delay = _number(option.get("delay"), "backoff.delay") / MS
    jitter = min(1.0, _number(option.get("jitter"), "backoff.jitter"))
    return Backoff((delay,), exponential=option["type"] == "exponential", jitter=jitter)


def _number(value: Any, name: str) -> float:
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < MAX_NUMBER:
        msg = f"the option {name} is not a number of 0 or more"
        raise ValueError(msg)
    return float(value)
