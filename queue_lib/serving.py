"""What this process is to serve: the features, their queues and their settings, as the environment has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import structlog

from queue_lib.errors import ConfigurationError
from queue_lib.feature import Served, SettingsT, bridges_of, jobs_of, queues_of, schedules_of
from queue_lib.queues import Retries
from queue_lib.settings import QueueChoice, Reading, WorkerSettings, apply, is_configured, misspelt, queue_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic_settings import BaseSettings

    from queue_lib.feature import Feature
    from queue_lib.processor import JobSchema
    from queue_lib.queues import Queue
    from queue_lib.shown import Showing

T = TypeVar("T")
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


def choose(features: Sequence[Feature], reading: Reading | None = None) -> Served:
    """Read the environment: which of the features this process serves, and with what settings.

    A feature is served if it has a job in a queue that QUEUES or WORKER_TYPE names, and is configured: one of its
    variables is set, or none has to be. A queue that QUEUES names must be served, so its features must be configured.
    A feature without jobs is served if it is configured. Raises ConfigurationError with the faults of all settings
    together, and those that `reading` has already.
    """
    reading = reading or Reading()
    has_all_jobs = not reading.faults  # else a team's own jobs could not be read
    choice, worker = reading.read(QueueChoice) or QueueChoice.model_construct(), reading.read(WorkerSettings)
    schedules, all_queues = _named(schedules_of, features, reading), queues_of(features)
    _named(bridges_of, features, reading)
    if has_all_jobs:
        reading.faults += _queue_faults(choice, features)
    choice = choice.without_unknown(all_queues)
    chosen = choice.among(all_queues)
    wanted = [feature for feature in features if _has_job_in(feature, chosen)]
    ready = [*(_ready(choice, wanted) or (wanted if has_all_jobs else [])), *_without_jobs(features)]
    table = [queue for queue in chosen if any(_has_job_in(feature, [queue]) for feature in ready)]
    models = dict.fromkeys(model for feature in ready for model in _settings_of(feature))
    settings = {model: reading.read(model) for model in models}
    queues = [(queue, reading.read(queue_settings(queue))) for queue in table]
    reading.end()
    if worker is None or not table:
        raise ConfigurationError(_nothing(choice))
    return Served(
        worker=worker,
        queues=tuple(_with_retries(apply(queue, values), ready) for queue, values in queues),
        features=tuple(ready),
        settings={model: values for model, values in settings.items() if values is not None},
        schedules={name: found for name, found in schedules.items() if name in {queue.name for queue in table}},
        owners=frozenset(feature.owner for feature in features),
        not_configured=tuple(feature.name for feature in wanted if feature not in ready),
        jobs=jobs_of(features),
        bridges=tuple(bridge for feature in features if _is_configured(feature) for bridge in feature.bridges),
        worker_type=() if choice.queues else choice.worker_type,
        cache_sources={name: made for feature in features for name, made in feature.cache_sources.items()},
    )


def showings_of(features: Sequence[Feature]) -> dict[str, tuple[JobSchema, Showing]]:
    """What is shown of jobs, by their name.

    Settings with a fault count as missing: the worker that needs them does not start, and says why.
    """

    def find(model: type[SettingsT]) -> SettingsT | None:
        return Reading().read(model) if is_configured([model]) else None

    shown = [(feature, feature.shows(find)) for feature in features if feature.shows is not None]
    return {job.name: (job, showing) for feature, showing in shown for job in feature.jobs}


def served_queues(choice: QueueChoice, features: Sequence[Feature]) -> list[Queue]:
    """The queues that a worker with this environment serves. Raises ConfigurationError for a name that there is not."""
    chosen = choice.among(queues_of(features))
    wanted = [feature for feature in features if _has_job_in(feature, chosen)]
    ready = _ready(choice, wanted) or wanted
    return [queue for queue in chosen if any(_has_job_in(feature, [queue]) for feature in ready)]


def _ready(choice: QueueChoice, wanted: Sequence[Feature]) -> Sequence[Feature]:
    """Those that are configured; where QUEUES names queues, all of them have to be."""
    return [feature for feature in wanted if choice.queues or _is_configured(feature)]


def _without_jobs(features: Sequence[Feature]) -> Sequence[Feature]:
    return [feature for feature in features if not feature.jobs and _is_configured(feature)]


def _named(all_of: Callable[[Sequence[Feature]], T], features: Sequence[Feature], reading: Reading) -> T:
    """All schedules or bridges. Raises ConfigurationError for wrong names, with the faults that were found so far."""
    try:
        return all_of(features)
    except ConfigurationError as error:
        raise ConfigurationError(*reading.faults, *error.faults) from None


def _queue_faults(choice: QueueChoice, features: Sequence[Feature]) -> Sequence[str]:
    """The faults of QUEUES: unknown queues, and queues without a job."""
    try:
        named = choice.named(queues_of(features))
    except ConfigurationError as error:
        return error.faults
    without = [queue.name for queue in named if not any(_has_job_in(feature, [queue]) for feature in features)]
    return [f"QUEUES: no job belongs in the queue {name}" for name in without if name in choice.queues]


def _with_retries(queue: Queue, features: Sequence[Feature]) -> Queue:
    """The row with the attempts and backoffs that single jobs have."""
    jobs = (job for feature in features for job in feature.jobs if job.queue == queue.name)
    own = {job.name: Retries(job.attempts, job.backoff) for job in jobs if job.attempts or job.backoff}
    return replace(queue, retries=own)


def _has_job_in(feature: Feature, queues: Sequence[Queue]) -> bool:
    names = {queue.name for queue in queues}
    return any(job.queue in names for job in feature.jobs)


def _is_configured(feature: Feature) -> bool:
    return is_configured(feature.settings, [queue_settings(queue) for queue in feature.queues])


def _settings_of(feature: Feature) -> Sequence[type[BaseSettings]]:
    optional = [model for model in feature.optional_settings if is_configured([model])]
    return [*feature.settings, *feature.shared_settings, *optional]


def _nothing(choice: QueueChoice) -> str:
    return f"WORKER_TYPE: no queue is {' or '.join(choice.worker_type)}; name another type, or leave it out"


def shares(served: Served) -> list[Served]:
    """What each process of the worker serves: process n has the queues with n processes or more, and its own port."""
    count = max(queue.processes for queue in served.queues)
    return [_share(served, number) for number in range(count)]


def _share(served: Served, number: int) -> Served:
    queues = tuple(queue for queue in served.queues if number < queue.processes)
    port = served.worker.metrics_port and served.worker.metrics_port + number
    return replace(
        served,
        worker=served.worker.model_copy(update={"metrics_port": port}),
        queues=queues,
        features=tuple(
            feature for feature in served.features if _has_job_in(feature, queues) or (number == 0 and not feature.jobs)
        ),
    )


def tell_of_misspelt(features: Sequence[Feature], *models: type[BaseSettings]) -> None:
    """Warn of variables that look like a setting of `models`, of a feature or of a queue, and are none."""
    own = [
        model
        for feature in features
        for model in (*feature.settings, *feature.shared_settings, *feature.optional_settings)
    ]
    for name, meant in misspelt(*models, *own, *map(queue_settings, queues_of(features))).items():
        _log.warning("setting_unknown", name=name, meant=meant)


def tell_what_is_served(served: Served) -> None:
    """One line at the start: which features and queues this process serves, and which features are not configured."""
    _log.info(
        "serving",
        features=[feature.name for feature in served.features],
        queues=[queue.name for queue in served.queues],
        worker_type=list(served.worker_type),
        not_configured=list(served.not_configured),
    )
