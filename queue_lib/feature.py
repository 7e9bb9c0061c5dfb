"""A feature: one kind of work that the worker can do, and all that the rest needs to know of it."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_settings import BaseSettings

from queue_lib.errors import ConfigurationError, PermanentError
from queue_lib.processor import Route
from queue_lib.schedule import PREFIX, TEAM, schedule_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AsyncExitStack

    from fastapi import APIRouter
    from prometheus_client.registry import Collector

    from queue_lib.bridge import Bridge
    from queue_lib.chore import Chore, Post
    from queue_lib.processor import JobSchema, OnDead, Processor
    from queue_lib.queues import Queue
    from queue_lib.schedule import Schedule
    from queue_lib.settings import WorkerSettings
    from queue_lib.shown import Find, Showing

SettingsT = TypeVar("SettingsT", bound=BaseSettings)
Check = Callable[[], Awaitable[None]]
# A function of the tools and of a payload's params. What it returns, or what that awaits, is the value.
CacheSource = Callable[[Any, Any], Any]


async def _nothing_to_do() -> None:
    pass


def _no_chores(_post: Post) -> Sequence[Chore]:
    return ()


@dataclass(frozen=True, slots=True)
class Counter:
    """A Prometheus counter for what a feature's processors count.

    `metric` is the name that processors pass to `Context.count`. The Prometheus counter is `pushmill_<name>_total`. Its
    labels are the job's name and `labels`, which maps each label to all values that it can have. Every series starts at
    0, for each job of `queue`. `samples` turns the counts of a run into (label values, number to add).
    """

    metric: str
    name: str
    meaning: str
    queue: str
    labels: Mapping[str, Collection[str]]
    samples: Callable[[Mapping[str, Mapping[str, int]]], Iterable[tuple[tuple[str, ...], int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A feature that is ready to work.

    `processors` and `on_dead` are by job name; every job of the feature has a processor. `checks` ask, by name, how
    servers of others are: `/readyz` says what they raise, and no job waits for it. `holds` ask, by name, for what this
    process itself must have: while one of them raises, no job of a queue that needs it is claimed. `at_start` runs
    once, when the servers have been checked. `facts` are what the app must agree with, by name; the worker reports
    them, so they are no secrets. `chores` makes what runs beside the jobs, from the start to the end of the process.
    `collectors` are Prometheus metrics of the feature's own.
    """

    processors: Mapping[str, Processor[Any]] = field(default_factory=dict)
    on_dead: Mapping[str, OnDead] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    holds: Mapping[str, Check] = field(default_factory=dict)
    at_start: Callable[[], Awaitable[None]] = _nothing_to_do
    facts: Mapping[str, str] = field(default_factory=dict)
    chores: Callable[[Post], Sequence[Chore]] = _no_chores
    collectors: Sequence[Collector] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """The manifest of a feature. It is imported by every process, so its module imports nothing that is heavy.

    `settings` are the classes of its own variables: a feature with a required variable is served only if one of them
    is set. `shared_settings` are read as well, and other features read them too. `optional_settings` are read if one of
    their variables is set. `open` makes the processors, over what this process serves and the tools that features
    share. What it imports is in memory only where the feature is served. `routes` makes those of its own in the API.
    `shows` says what operators see of its jobs, beside payload and result.

    A feature without jobs has chores. It is served where it is configured, whatever queues a worker has.
    `bridges` are in force where the feature that has them is configured. `cache_sources` are functions that make values
    for the app's cache, by their names. `of_team` marks a team's own jobs.
    """

    name: str
    queues: tuple[Queue, ...] = ()
    jobs: tuple[JobSchema, ...] = ()
    settings: tuple[type[BaseSettings], ...] = ()
    shared_settings: tuple[type[BaseSettings], ...] = ()
    optional_settings: tuple[type[BaseSettings], ...] = ()
    counters: tuple[Counter, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    cache_sources: Mapping[str, CacheSource] = field(default_factory=dict)
    of_team: bool = False
    open: Callable[[Served, Any], AbstractAsyncContextManager[Opened]]
    routes: Callable[[], APIRouter] | None = None
    shows: Callable[[Find], Showing] | None = None

    @property
    def owner(self) -> str:
        """Whose its schedules are."""
        return TEAM if self.of_team else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What one process serves: its `queues` with the environment's numbers, the features with jobs in them, settings.

    `not_configured` names the features that have no variable set, and so are not served. `schedules` are those of the
    queues, by the queue's name and their ids, also of features that this process does not serve; `owners` are all of
    whom this process knows the schedules. `jobs` are those of all features, and `bridges` those of all features that
    are configured: a job may be added here that another process runs. `cache_sources` are those of all features.
    `worker_type` is WORKER_TYPE, and empty where QUEUES has chosen.
    """

    worker: WorkerSettings
    queues: tuple[Queue, ...]
    features: tuple[Feature, ...]
    settings: Mapping[type[BaseSettings], BaseSettings] = field(repr=False)
    not_configured: tuple[str, ...] = ()
    schedules: Mapping[str, Mapping[str, Schedule]] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()
    jobs: tuple[JobSchema, ...] = ()
    bridges: tuple[Bridge, ...] = ()
    worker_type: tuple[str, ...] = ()
    cache_sources: Mapping[str, CacheSource] = field(default_factory=dict)

    def of(self, model: type[SettingsT]) -> SettingsT:
        """The settings of a class that one of the features names. LookupError if none does."""
        found = self.find(model)
        if found is None:
            msg = f"{model.__name__} was not read: a feature that needs it names it in its manifest"
            raise LookupError(msg)
        return found

    def find(self, model: type[SettingsT]) -> SettingsT | None:
        """The settings of a class, if one of the features names it."""
        found = self.settings.get(model)
        return found if isinstance(found, model) else None

    def queue(self, name: str) -> Queue | None:
        """The queue of that name, if this process serves it."""
        return next((queue for queue in self.queues if queue.name == name), None)


async def open_features(served: Served, tools: Any, cleanup: AsyncExitStack) -> list[Opened]:
    """Open the served features, in their order; `cleanup` closes them. ConfigurationError names a missing package."""
    opened = []
    for feature in served.features:
        try:
            opened.append(await cleanup.enter_async_context(feature.open(served, tools)))
        except ModuleNotFoundError as error:
            msg = f"{feature.name}: the package of {error.name} is not installed; README says what each feature needs"
            raise ConfigurationError(msg) from error
    return opened


def queues_of(features: Sequence[Feature]) -> tuple[Queue, ...]:
    """All queues. A name that two features give is a ConfigurationError."""
    _refuse_twice("queue", [(queue.name, feature.name) for feature in features for queue in feature.queues])
    return tuple(queue for feature in features for queue in feature.queues)


def jobs_of(features: Sequence[Feature]) -> tuple[JobSchema, ...]:
    """All jobs. A name that two features give is a ConfigurationError; so is a job in a queue that there is none of."""
    _refuse_twice("job", [(job.name, feature.name) for feature in features for job in feature.jobs])
    jobs = tuple(job for feature in features for job in feature.jobs)
    known = {queue.name for queue in queues_of(features)}
    for job in jobs:
        if job.queue not in known:
            msg = f"the job {job.name!r} belongs in the queue {job.queue!r}, and there is none of that name"
            raise ConfigurationError(msg)
    return jobs


def schedules_of(features: Sequence[Feature]) -> dict[str, dict[str, Schedule]]:
    """All schedules, by queue and id. What can't be added is a ConfigurationError, with a line for each fault."""
    jobs = {job.name: job for job in jobs_of(features)}
    found: dict[str, list[tuple[str, Schedule]]] = {}
    faults = []
    for feature in features:
        for schedule in feature.schedules:
            try:
                queue = _queue_of(schedule, jobs)
            except PermanentError as error:
                faults.append(f"the schedule {schedule.key!r} of {feature.name}: {error}")
            else:
                found.setdefault(queue, []).append((schedule_id(feature.owner, schedule.key), schedule))
    if faults:
        raise ConfigurationError(*faults)
    for schedules in found.values():
        _refuse_twice("schedule", [(each.removeprefix(PREFIX), schedule.job) for each, schedule in schedules])
    return {queue: dict(schedules) for queue, schedules in found.items()}


def bridges_of(features: Sequence[Feature]) -> tuple[Bridge, ...]:
    """All bridges. One to a job that nobody may add is a ConfigurationError, with a line for each fault."""
    known = {job.name for job in jobs_of(features) if not job.internal}
    faults = [
        f"the bridge of {bridge.topic!r} of {feature.name}: no such job: {bridge.job!r}"
        for feature in features
        for bridge in feature.bridges
        if bridge.job not in known
    ]
    if faults:
        raise ConfigurationError(*faults)
    return tuple(bridge for feature in features for bridge in feature.bridges)


def _queue_of(schedule: Schedule, jobs: Mapping[str, JobSchema]) -> str:
    if schedule.job not in jobs:
        msg = f"no such job: {schedule.job!r}"
        raise PermanentError(msg)
    jobs[schedule.job].parse(schedule.data)
    return jobs[schedule.job].queue


def _refuse_twice(kind: str, names: Sequence[tuple[str, str]]) -> None:
    """`names` are each with the feature that gives it."""
    for name, count in Count(name for name, _ in names).items():
        if count > 1:
            where = " and ".join(dict.fromkeys(feature for given, feature in names if given == name))
            msg = f"the {kind} name {name!r} is taken: it is there {count} times, in {where}"
            raise ConfigurationError(msg)


def routers_of(features: Sequence[Feature]) -> list[APIRouter]:
    """The routes that features have in the API."""
    return [feature.routes() for feature in features if feature.routes is not None]


def routes(served: Served, opened: Sequence[Opened]) -> list[Route]:
    """The routes for the jobs of the served queues: `opened` are the served features, in their order."""
    names = {queue.name for queue in served.queues}
    return [
        Route(job, ready.processors[job.name], ready.on_dead.get(job.name))
        for feature, ready in zip(served.features, opened, strict=True)
        for job in feature.jobs
        if job.queue in names
    ]
