"""Reads the modules that JOBS names: all that a team has written. Nothing else is ever imported by name."""

from __future__ import annotations

import importlib
import inspect
import math
import re
import sys
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from queue_lib.bridge import Bridge
from queue_lib.broker.bullmq.own_schedules import schedule_fault
from queue_lib.errors import ConfigurationError
from queue_lib.job import Backoff
from queue_lib.jobs.own_job import Job
from queue_lib.outcome import Failure, reason_of
from queue_lib.queues import DEAD_QUEUE, Profile, Queue, Retention
from queue_lib.schedule import Schedule
from queue_lib.settings import JobsSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from types import ModuleType

    from queue_lib.feature import CacheSource
    from queue_lib.settings import Reading

QUEUE_NAME = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*", re.IGNORECASE)
KEY = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*", re.IGNORECASE)
PLACE = re.compile(r"https?://[a-z0-9.-]+(?::\d+)?/(?:\S*/)?")
BACKOFF = "backoff is no Backoff of seconds; write Backoff((5.0,)), with a comma"
HANDLE = "write async def handle(self, payload, context)"
SHOWS = "write @classmethod def shows(cls, payload, result), without async"
LIBRARIES = ("<", sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))  # "<": as in <frozen os>
LANES = ("-high", "-low")  # RQ's, of a queue


@dataclass(frozen=True, slots=True)
class OwnJobs:
    """What a team has written."""

    queues: tuple[Queue, ...] = ()
    jobs: tuple[type[Job[Any]], ...] = ()
    schedules: tuple[Schedule, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    cache_sources: Mapping[str, CacheSource] = field(default_factory=dict)


def own_jobs(reading: Reading) -> OwnJobs:
    """The contents of the modules that JOBS names. `reading` reports their faults when it ends, one line each."""
    settings = reading.read(JobsSettings)
    try:
        return read_modules(settings.jobs if settings else ())
    except ConfigurationError as error:
        reading.faults += error.faults
        return OwnJobs()


def read_modules(names: Sequence[str]) -> OwnJobs:
    """What the modules have. They may be in the working directory or on PYTHONPATH.

    Raises ConfigurationError, one line a fault.
    """
    if names and (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)  # behind all others: no file there takes the place of a package
    faults: list[str] = []
    queues: list[Queue] = []
    jobs: list[type[Job[Any]]] = []
    schedules: list[Schedule] = []
    bridges: list[Bridge] = []
    sources: dict[str, CacheSource] = {}
    for name in names:
        if name.endswith(".py") or not all(part.isidentifier() for part in name.split(".")):
            faults.append(f"JOBS: {name}: it is no name of a module; write JOBS=jobs for the file jobs.py")
            continue
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- any error of the team's file is a fault of the set-up
            faults.append(f"JOBS: {name}: {fault_of(error)}")
            continue
        faults += [f"JOBS: {name}: {fault}" for fault in (*_faults(module), *_source_faults(module, sources))]
        queues += _listed(module, "QUEUES")
        jobs += _listed(module, "JOBS")
        schedules += _listed(module, "SCHEDULES")
        bridges += _listed(module, "BRIDGES")
        sources |= _sources(module)
    if faults:
        raise ConfigurationError(*faults)
    return OwnJobs(tuple(queues), tuple(jobs), tuple(schedules), tuple(bridges), sources)


def fault_of(error: BaseException) -> str:
    """An error of the team's code in one line. The place is the last line that is not a library's."""
    if isinstance(error, (ImportError, SyntaxError)):
        return reason_of(error)
    kind, frames = type(error).__name__, Failure.of(error).frames
    file, line, _ = next((frame for frame in reversed(frames) if not frame[0].startswith(LIBRARIES)), frames[-1])
    return f"{kind}: {reason_of(error).removeprefix(f'{kind}: ')} ({file}, line {line})"


def _listed(module: ModuleType, name: str) -> Sequence[Any]:
    found = getattr(module, name, ())
    return found if isinstance(found, (tuple, list)) else ()


def _faults(module: ModuleType) -> Iterator[str]:
    for name in ("QUEUES", "JOBS", "SCHEDULES", "BRIDGES"):
        if not isinstance(getattr(module, name, ()), (tuple, list)):
            yield f"{name} is no tuple; write {name} = (..., )"
    if not hasattr(module, "JOBS"):
        file = getattr(module, "__file__", None) or "a folder without __init__.py"
        yield f"it has no JOBS; write JOBS = (SendInvoice,) with the classes of its jobs ({file})"
    for queue in _listed(module, "QUEUES"):
        yield from _queue_faults(queue)
    for job in _listed(module, "JOBS"):
        yield from _job_faults(job)
    for schedule in _listed(module, "SCHEDULES"):
        yield from _schedule_faults(schedule)
    for bridge in _listed(module, "BRIDGES"):
        yield from _bridge_faults(bridge)


def _queue_faults(queue: object) -> Iterator[str]:
    if not isinstance(queue, Queue):
        yield f"QUEUES: {_short(queue)} is no Queue"
        return
    if not isinstance(queue.name, str):
        yield f"QUEUES: {_short(queue.name)} can't be the name of a queue: it is no text"
        return
    if not QUEUE_NAME.fullmatch(queue.name) or queue.name.endswith(LANES) or queue.name == DEAD_QUEUE:
        known = f"letters and digits, with - or _ between them; not {DEAD_QUEUE}, and no end in -high or -low"
        yield f"QUEUES: {queue.name[:100]!r} can't be the name of a queue: {known}"
    where = f"the queue {queue.name[:100]!r}"
    if queue.profile not in get_args(Profile):
        yield f"{where}: profile {_short(queue.profile)} is none of {', '.join(get_args(Profile))}"
    if not _is_backoff(queue.backoff):
        yield f"{where}: {BACKOFF}"
    for which in ("keep_completed", "keep_failed"):
        if not isinstance(getattr(queue, which), Retention):
            yield f"{where}: {which} is no Retention; write {which}=Retention(age=3600.0) with seconds"


def _job_faults(job: object) -> Iterator[str]:
    if not (isinstance(job, type) and issubclass(job, Job)):
        yield f"JOBS: {_short(job)} is no class of a Job; write class SendInvoice(Job[Invoice])"
        return
    for which in ("name", "queue"):
        if not isinstance(getattr(job, which, None), str):
            yield f'{job.__name__} has no {which}; write {which} = "..." in the class'
    model = getattr(job, "payload", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        what = "it has no payload" if model is None else f"its payload, {_short(model)}, is no Model"
        yield f"{job.__name__}: {what}; write class {job.__name__}(Job[...]) with a class of a Model"
    if job.attempts is not None and not (isinstance(job.attempts, int) and job.attempts >= 1):
        yield f"{job.__name__}: attempts is no whole number of 1 or more"
    if job.backoff is not None and not _is_backoff(job.backoff):
        yield f"{job.__name__}: {BACKOFF}"
    yield from _handle_faults(job)
    yield from _shows_faults(job)


def _handle_faults(job: type[Job[Any]]) -> Iterator[str]:
    if job.handle is Job.handle:
        yield f"{job.__name__} has no handle; {HANDLE}"
        return
    if inspect.isgeneratorfunction(job.handle) or inspect.isasyncgenfunction(job.handle):
        yield f"{job.__name__}: handle has a yield, so nobody would run it; return the result"
    try:
        inspect.signature(job.__new__(job).handle).bind(None, None)
    except TypeError:
        yield f"{job.__name__}: handle has other arguments; {HANDLE}"


def _shows_faults(job: type[Job[Any]]) -> Iterator[str]:
    try:
        inspect.signature(job.shows).bind(None, None)
    except TypeError:
        yield f"{job.__name__}: shows has other arguments; {SHOWS}"
    if inspect.iscoroutinefunction(job.shows):
        yield f"{job.__name__}: shows is async; {SHOWS}"
    places = job.links_below
    if not isinstance(places, (tuple, list)) or not all(
        isinstance(place, str) and PLACE.fullmatch(place) for place in places
    ):
        yield f'{job.__name__}: links_below is no tuple of addresses with / at their end; write ("https://app.example/",)'


def _schedule_faults(schedule: object) -> Iterator[str]:
    if not isinstance(schedule, Schedule):
        yield f"SCHEDULES: {_short(schedule)} is no Schedule"
        return
    where = f"the schedule {schedule.key!r}"
    texts = [schedule.key, schedule.job, schedule.tz, schedule.cron or ""]
    if not all(isinstance(text, str) for text in texts) or not isinstance(schedule.every or 0, int | float):
        yield f"{where} has a wrong type: key, job, cron and tz are texts, and every is a number of seconds"
        return
    if not KEY.fullmatch(schedule.key):
        yield f"{where} needs another key: letters and digits, with -, _ or . between them"
    if (fault := schedule_fault(schedule)) is not None:
        yield f"{where} {fault}"


def _bridge_faults(bridge: object) -> Iterator[str]:
    if not isinstance(bridge, Bridge):
        yield f"BRIDGES: {_short(bridge)} is no Bridge"
        return
    where = f"the bridge of {bridge.topic!r}"
    if not isinstance(bridge.topic, str) or not isinstance(bridge.job, str):
        yield f"{where} has a wrong type: topic and job are texts"
    if not callable(bridge.data) or not (bridge.deduplication is None or callable(bridge.deduplication)):
        yield f"{where}: data and deduplication are functions of an event; write lambda event: {{...}}"


def _sources(module: ModuleType) -> Mapping[str, Any]:
    found = getattr(module, "CACHE_SOURCES", {})
    return found if isinstance(found, dict) else {}


def _source_faults(module: ModuleType, others: Collection[str]) -> Iterator[str]:
    """What is wrong with the functions for the app's cache; `others` are the names that are taken."""
    if not isinstance(getattr(module, "CACHE_SOURCES", {}), dict):
        yield 'CACHE_SOURCES is no dict; write CACHE_SOURCES = {"top-posts": top_posts}'
    for name, made in _sources(module).items():
        where = f"the cache source {_short(name)}"
        if not isinstance(name, str) or not KEY.fullmatch(name):
            yield f"{where} needs another name: letters and digits, with -, _ or . between them"
        elif name in others:
            yield f"{where} is there twice; choose another name"
        try:
            inspect.signature(made).bind(None, None)
        except (TypeError, ValueError):  # ValueError: a builtin that does not say what it takes
            yield f"{where} is no function of two arguments; write async def top_posts(tools, params)"


def _is_backoff(value: object) -> bool:
    return (
        isinstance(value, Backoff)
        and isinstance(value.delays, tuple)
        and len(value.delays) > 0
        and all(isinstance(delay, int | float) and 0 <= delay < math.inf for delay in value.delays)
    )


def _short(value: object) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)[:100]
