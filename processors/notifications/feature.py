"""The manifest of notifications in the app. Every process imports it, so nothing heavy is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.notifications.payload import NotificationPayload, NotificationResult
from processors.notifications.settings import NotificationSettings
from processors.reach.settings import AddressSettings, ReachSettings
from queue_lib.feature import Counter, Feature
from queue_lib.job import Backoff
from queue_lib.processor import JobSchema
from queue_lib.queues import DAY, Queue, Retention
from storage.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

    from processors.tools import Tools
    from queue_lib.feature import Opened, Served
    from queue_lib.shown import Find, Showing

QUEUE = "notifications"
NAMES = ("user-notification", "USER_NOTIFICATION")
RESULTS = ("created", "duplicate", "unknown")


def _by_result(counts: Mapping[str, Mapping[str, int]]) -> Iterable[tuple[tuple[str, ...], int]]:
    """`{"users": {result: n}}`."""
    return [((result,), count) for kinds in counts.values() for result, count in kinds.items()]


def _open(served: Served, tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.notifications.opening import opened

    return opened(served, tools)


def _shows(_find: Find) -> Showing:
    from processors.notifications.shown import showing

    return showing()


NOTIFICATIONS = Feature(
    name="notifications",
    queues=(
        Queue(
            name=QUEUE,
            profile="light",
            needs=("database", "database_writes"),
            concurrency=3,
            rate_max=0,
            attempts=3,
            backoff=Backoff((2.0,), exponential=True),
            timeout=300.0,
            keep_completed=Retention(age=DAY, count=1000),
        ),
    ),
    jobs=tuple(JobSchema(name, QUEUE, NotificationPayload, NotificationResult) for name in NAMES),
    settings=(NotificationSettings,),
    shared_settings=(DatabaseSettings, ReachSettings, AddressSettings),
    counters=(
        Counter(
            metric="notifications",
            name="notifications",
            meaning="Users who were to be told something in the app.",
            queue=QUEUE,
            labels={"result": RESULTS},
            samples=_by_result,
        ),
    ),
    open=_open,
    shows=_shows,
)
