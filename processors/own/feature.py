"""The manifest of a team's own jobs, made of the modules that JOBS names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from queue_lib.feature import Feature
from queue_lib.jobs.own_job import schema_of
from storage.settings import DatabaseSettings, ObjectsSettings

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from processors.tools import Tools
    from queue_lib.feature import Opened, Served
    from queue_lib.jobs.own_module import OwnJobs
    from queue_lib.shown import Find, Showing


def _open(own: OwnJobs, served: Served, tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.own.opening import opened

    return opened(own, served, tools)


def _shows(own: OwnJobs, find: Find) -> Showing:
    from processors.own.shown import showing

    return showing(own.jobs, find(ObjectsSettings))


def own_feature(own: OwnJobs) -> Feature:
    """The feature. Its jobs may use the database and the object store, where those are set."""
    return Feature(
        name="own jobs",
        queues=own.queues,
        jobs=tuple(map(schema_of, own.jobs)),
        schedules=own.schedules,
        bridges=own.bridges,
        cache_sources=own.cache_sources,
        of_team=True,
        optional_settings=(DatabaseSettings, ObjectsSettings),
        open=partial(_open, own),
        shows=partial(_shows, own),
    )
