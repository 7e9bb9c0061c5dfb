"""The manifest of push: notifications to every device of a user. Every process imports it, so nothing heavy is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.push.delivery import Kind
from processors.push.payload import FOLLOW_UP, BatchPayload, FollowUpPayload, PushPayload
from processors.push.result import PushResult
from processors.push.services import OTHER, REFUSED, SERVICES, service_of
from processors.push.settings import PushSettings, SubscriptionSettings
from processors.reach.settings import ReachSettings
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

    Counts = Mapping[str, Mapping[str, int]]
    Samples = Iterable[tuple[tuple[str, ...], int]]

QUEUE = "push-notifications"


def _by_service_and_result(counts: Counts) -> Samples:
    """`{origin: {result: n}}`; the results are those of `Kind`."""
    return [((service_of(origin), kind), count) for origin, kinds in counts.items() for kind, count in kinds.items()]


def _in_all(counts: Counts) -> Samples:
    """`{...: {...: n}}`, added up."""
    return [((), sum(sum(kinds.values()) for kinds in counts.values()))]


def _open(served: Served, tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.push.opening import opened

    return opened(served, tools)


def _shows(_find: Find) -> Showing:
    from processors.push.shown import showing

    return showing()


PUSH = Feature(
    name="push",
    queues=(
        Queue(
            name=QUEUE,
            profile="light",
            needs=("database",),
            concurrency=30,
            rate_max=100,
            attempts=3,
            backoff=Backoff((2.0,), exponential=True),
            timeout=300.0,
            keep_completed=Retention(age=DAY, count=1000),
        ),
    ),
    jobs=(
        JobSchema("push-notification", QUEUE, PushPayload, PushResult),
        JobSchema("push-batch", QUEUE, BatchPayload, PushResult),
        JobSchema(FOLLOW_UP, QUEUE, FollowUpPayload, PushResult, internal=True),
    ),
    settings=(PushSettings, SubscriptionSettings),
    shared_settings=(DatabaseSettings, ReachSettings),
    counters=(
        Counter(
            metric="push_deliveries",
            name="push_results",
            meaning="Messages to subscriptions.",
            queue=QUEUE,
            labels={"service": (*sorted(set(SERVICES.values())), OTHER, REFUSED), "result": tuple(Kind)},
            samples=_by_service_and_result,
        ),
        Counter(
            metric="push_pruned",
            name="push_pruned",
            meaning="Subscriptions that were deleted or switched off.",
            queue=QUEUE,
            labels={},
            samples=_in_all,
        ),
    ),
    open=_open,
    shows=_shows,
)
