"""The log: one line an event, one line a job. No secret, endpoint or payload is ever in it."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any, TextIO, assert_never

import structlog

from queue_lib.observe.events import (
    BrokerBack,
    BrokerLost,
    Event,
    JobEnded,
    JobsRecovered,
    JobStarted,
    Logged,
    QueueHeld,
    Unlogged,
)
from queue_lib.outcome import Dead, Done, Ending, Lost, Released, Retry, Snooze

Fields = dict[str, Any]
LONGEST = 200  # characters of a name or an id: any producer may have written them


def configure(level: str, form: str, out: TextIO | None = None) -> None:
    """Set the log up, on standard output or `out`.

    `form` is `json`, `console` or `auto` (console on a terminal, else JSON).
    """
    out = out or sys.stdout
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="backslashreplace")  # a name that can't be printed must not end the process
    console = form == "console" or (form == "auto" and out.isatty())
    processors: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer() if console else _as_json,
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    # The libraries' own loggers are quiet: what they have to say reaches us as exceptions.
    libraries = logging.StreamHandler(out)
    libraries.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[_of_library, *processors]))
    logging.basicConfig(level=logging.WARNING, handlers=[libraries])
    # RQ's set levels of their own, and would show a job's payload.
    rq = logging.getLogger("rq")
    rq.addHandler(logging.NullHandler())
    rq.propagate = False


# Made once: `json.dumps` with options makes one for each call. What JSON does not have is shown as Python shows it.
_encode = json.JSONEncoder(default=repr).encode


def _as_json(_logger: object, _method: str, event: structlog.typing.EventDict) -> str:
    return _encode(event)


def _of_library(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """A line of a library, with the form of ours."""
    said = {"event": "library", "library": event["_record"].name, "said": event["event"]}
    return said | {"exc_info": event.get("exc_info")}


class LogObserver:
    """Writes events to the log."""

    def __init__(self) -> None:
        """The logger that `configure` has set up is bound with the first line."""
        self._log: Any = None

    def __call__(self, event: Event) -> None:
        """Write one line, if there is one for it."""
        if isinstance(event, Unlogged):
            return
        log = self._log = self._log or structlog.get_logger().bind()
        if isinstance(event, JobStarted) and not log.is_enabled_for(logging.DEBUG):
            return  # as nearly always: its fields are not worth making
        level, name, fields = describe(event)
        log.log(level, name, **fields)


def describe(event: Logged) -> tuple[int, str, Fields]:
    """Level, event word and fields of the line for an event."""
    match event:
        case JobStarted(job):
            return logging.DEBUG, "job_started", _of_job(job)
        case JobEnded(job, ending, seconds, counts):
            level, name, extra = _ended(ending)
            return level, name, {**_of_job(job, seconds), **extra, **counts}
        case BrokerLost() | BrokerBack() | QueueHeld() | JobsRecovered():
            return _of_broker(event)
        case _:
            assert_never(event)


def _of_broker(event: BrokerLost | BrokerBack | QueueHeld | JobsRecovered) -> tuple[int, str, Fields]:
    fields: Fields = {"wire": event.wire.value, "queue": event.queue}
    match event:
        case BrokerLost():
            return logging.ERROR, "broker_lost", {**fields, "reason": event.reason}
        case BrokerBack():
            return logging.INFO, "broker_back", {**fields, "seconds": round(event.seconds, 1)}
        case QueueHeld(reason=None):
            return logging.INFO, "queue_freed", fields
        case QueueHeld():
            return logging.ERROR, "queue_held", {**fields, "reason": event.reason}
        case JobsRecovered():
            return logging.WARNING, "jobs_recovered", {**fields, "ids": list(event.job_ids)}
        case _:
            assert_never(event)


def _of_job(job: Any, seconds: float | None = None) -> Fields:
    fields = {
        "queue": job.queue,
        "wire": job.wire.value,
        "id": job.id[:LONGEST],
        "name": job.name[:LONGEST],
        "attempt": job.attempt,
    }
    return fields if seconds is None else {**fields, "seconds": round(seconds, 3)}


def _ended(ending: Ending) -> tuple[int, str, Fields]:
    match ending:
        case Done():
            return logging.INFO, "job_done", {"outcome": "done"}
        case Retry(delay, failure):
            return logging.WARNING, "job_retry", {"outcome": "retry", "delay": delay, "reason": failure.reason}
        case Snooze(delay, reason):
            return logging.INFO, "job_snoozed", {"outcome": "snooze", "delay": delay, "reason": reason}
        case Dead(failure):
            return logging.ERROR, "job_dead", {"outcome": "dead", "reason": failure.reason}
        case Released():
            return logging.INFO, "job_released", {}
        case Lost(reason):
            return logging.WARNING, "job_lost", {"reason": reason}
        case _:
            assert_never(ending)
