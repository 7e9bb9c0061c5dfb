"""The retry decision: (job, error) -> outcome. No clock, no store."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from queue_lib.errors import BrokerRefusedError, BrokerUnavailableError, PermanentError, SnoozeError, TransientError
from queue_lib.outcome import Dead, Failure, Retry, Snooze, reason_of

if TYPE_CHECKING:
    from queue_lib.job import Job

OUTAGE_PAUSE = 5.0  # seconds


def decide(job: Job, error: BaseException, chance: float | None = None) -> Retry | Snooze | Dead:
    """The outcome of `error` in this attempt of `job`.

    Another attempt follows an error that is not a JobError (a bug, a library's exception), as in BullMQ and RQ.
    `chance` in [0, 1) is the draw for a jittered backoff; by default it is random.
    """
    if isinstance(error, SnoozeError):
        return Snooze(error.delay, reason_of(error))
    if isinstance(error, BrokerUnavailableError) and not isinstance(error, BrokerRefusedError):
        return Snooze(OUTAGE_PAUSE, reason_of(error))  # the job is not to blame
    failure = Failure.of(error)
    if isinstance(error, PermanentError) or job.is_last_attempt:
        return Dead(failure)
    draw = random.random() if chance is None else chance  # noqa: S311 -- spreads retries, guards nothing
    least = error.at_least if isinstance(error, TransientError) else 0.0
    return Retry(max(least, job.backoff.delay(job.attempt, draw)), failure)
