"""The manifest of maintenance. Every process imports it, so nothing heavy is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.maintenance.payload import (
    CacheWarmPayload,
    CacheWarmResult,
    CleanupPayload,
    CleanupResult,
    HousekeepingPayload,
    HousekeepingResult,
)
from processors.maintenance.settings import MaintenanceSettings
from processors.push.settings import SubscriptionSettings
from queue_lib.feature import Feature
from queue_lib.job import Backoff
from queue_lib.processor import JobSchema
from queue_lib.queues import DAY, Queue, Retention
from queue_lib.schedule import Schedule
from storage.settings import DatabaseSettings, ObjectsSettings

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from processors.tools import Tools
    from queue_lib.feature import Opened, Served

QUEUE = "maintenance"
WARM, CLEANUP, HOUSEKEEPING = ("cache-warm", "CACHE_WARM"), ("cleanup", "CLEANUP"), "housekeeping"
WARM_BACKOFF = Backoff((10.0,), exponential=True)  # with its attempts, longer than a deploy of the app takes


def _open(served: Served, tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.maintenance.opening import opened

    return opened(served, tools)


MAINTENANCE = Feature(
    name="maintenance",
    queues=(
        Queue(
            name=QUEUE,
            profile="medium",
            concurrency=3,
            attempts=3,
            backoff=Backoff((5.0,), exponential=True),
            timeout=900.0,
            keep_completed=Retention(age=DAY, count=1000),
        ),
    ),
    jobs=(
        *(JobSchema(name, QUEUE, CacheWarmPayload, CacheWarmResult, attempts=5, backoff=WARM_BACKOFF) for name in WARM),
        *(JobSchema(name, QUEUE, CleanupPayload, CleanupResult) for name in CLEANUP),
        JobSchema(HOUSEKEEPING, QUEUE, HousekeepingPayload, HousekeepingResult, internal=True),
    ),
    settings=(MaintenanceSettings,),
    optional_settings=(DatabaseSettings, ObjectsSettings, SubscriptionSettings),
    schedules=(Schedule("daily", HOUSEKEEPING, cron="23 4 * * *"),),
    open=_open,
)
