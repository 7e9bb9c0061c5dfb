"""Opens maintenance: its processors over what the settings allow."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from processors.maintenance.cleanup import Cleanup, CleanupDependencies
from processors.maintenance.feature import CLEANUP, HOUSEKEEPING, WARM
from processors.maintenance.housekeeping import EXPORTS, Ended, Housekeeping
from processors.maintenance.places import Place, Places
from processors.maintenance.settings import MaintenanceSettings
from processors.maintenance.sources import NO_TOKEN, Sources
from processors.maintenance.warm import CacheWarm, WarmDependencies
from processors.own.toolkit import Toolkit
from processors.push.settings import SubscriptionSettings
from queue_lib.admin.admission import Admission
from queue_lib.errors import ConfigurationError
from queue_lib.feature import Opened
from storage.settings import DatabaseSettings, ObjectsSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from processors.tools import Storage, Tools
    from queue_lib.feature import Served
    from storage.objects.base import Clearable
    from storage.ports import OldRows


@asynccontextmanager
async def opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """Maintenance, until the worker ends. The caller closes the tools. Raises ConfigurationError."""
    settings = served.of(MaintenanceSettings)
    faults = missing(settings, served.find(DatabaseSettings), served.find(ObjectsSettings))
    if faults := [*faults, *_taken(settings.cache_prefix, served.worker.bullmq_prefix)]:
        raise ConfigurationError(*faults)
    cleaning = cleanup_dependencies(settings, tools.storage)
    warming = _warming(settings, served, tools)
    cleanup, warm = Cleanup(cleaning), CacheWarm(warming)
    ended = _ended(served, tools.storage) if settings.cleanup_subscriptions else None
    # A directory may have this name, too, and is only cleaned by jobs.
    exports = Place(tools.storage.objects(), EXPORTS) if EXPORTS in settings.cleanup_prefixes else None
    yield Opened(
        processors={
            **dict.fromkeys(WARM, warm),
            **dict.fromkeys(CLEANUP, cleanup),
            HOUSEKEEPING: Housekeeping(cleanup, exports, ended),
        },
        checks={"cache_redis": warming.cache.check} if settings.cache_redis_url else {},
        facts={"cachePrefix": settings.cache_prefix or "", "cleanupPlaces": ", ".join(cleaning.places.stores)},
    )


def cleanup_dependencies(settings: MaintenanceSettings, storage: Storage) -> CleanupDependencies:
    """What may be cleaned. Raises ConfigurationError for a directory that is not there."""
    faults = [
        f"CLEANUP_DIRS: there is no directory {path}, or it is a link; name the directory itself"
        for path in settings.cleanup_dirs
        if path.is_symlink() or not path.is_dir()
    ]
    if faults:
        raise ConfigurationError(*faults)
    stores: dict[str, Clearable] = {prefix: storage.objects() for prefix in settings.cleanup_prefixes}
    stores |= {path.name: storage.directory(path) for path in settings.cleanup_dirs}
    rows: dict[str, OldRows] = {}
    if settings.cleanup_logs is not None:
        rows["old_logs"] = storage.old_logs(*settings.cleanup_logs)
    if settings.cleanup_sessions is not None:
        rows["expired_sessions"] = storage.expired_sessions(*settings.cleanup_sessions)
    return CleanupDependencies(Places(stores), rows, settings.cleanup_max)


def _warming(settings: MaintenanceSettings, served: Served, tools: Tools) -> WarmDependencies:
    has_database = served.find(DatabaseSettings) is not None
    url = settings.cache_redis_url
    sources = Sources(
        views=tools.storage.cache_views() if has_database and settings.cache_prefix else None,
        http=tools.http,
        app_url=settings.app_internal_url,
        app_token=settings.app_internal_token or NO_TOKEN,
        functions=served.cache_sources,
        tools=Toolkit(tools, Admission(served.jobs)),
    )
    return WarmDependencies(tools.app_cache(url.get_secret_value() if url else None), settings.cache_prefix, sources)


def _ended(served: Served, storage: Storage) -> Ended:
    from processors.push.undeliverable import has_ended  # noqa: PLC0415 -- push's packages, only where they are needed

    settings = served.find(SubscriptionSettings) or SubscriptionSettings.model_construct()
    return Ended(storage.subscriptions(*settings.arguments), has_ended)


def missing(
    settings: MaintenanceSettings, database: DatabaseSettings | None, objects: ObjectsSettings | None
) -> Sequence[str]:
    """What is set without what it needs, a line each."""
    needs_database = {
        "CLEANUP_LOGS": settings.cleanup_logs,
        "CLEANUP_SESSIONS": settings.cleanup_sessions,
        "CLEANUP_SUBSCRIPTIONS": settings.cleanup_subscriptions,
    }
    faults = []
    if database is None:
        faults += [
            f"{name}: it needs DATABASE_URL, which is not set" for name, value in needs_database.items() if value
        ]
    if objects is None and settings.cleanup_prefixes:
        faults.append("CLEANUP_PREFIXES: it needs STORAGE_URL, which is not set")
    if settings.app_internal_url and settings.app_internal_token is None:
        faults.append("APP_INTERNAL_TOKEN: not set, but APP_INTERNAL_URL is; set both")
    return faults


def _taken(prefix: str | None, of_queues: str) -> Sequence[str]:
    """A prefix under which a producer could write over the queues."""
    ours = (f"{of_queues}:", "rq:")
    if prefix is None or not any(prefix.startswith(each) or each.startswith(prefix) for each in ours):
        return ()
    return [f"CACHE_PREFIX: keys of the queues begin with {' or '.join(ours)}, too; choose another one, such as cache:"]
