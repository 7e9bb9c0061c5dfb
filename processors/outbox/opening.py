"""Opens the outbox, or the bridges without one: no processors, but chores."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from processors.outbox.bridging import Bridging
from processors.outbox.metrics import BridgeMetrics, OutboxMetrics
from processors.outbox.pace import Pace
from processors.outbox.publisher import Publisher
from processors.outbox.settings import BridgeSettings, OutboxSettings
from processors.outbox.subscriber import Subscriber
from processors.outbox.upkeep import Upkeep
from queue_lib.admin.admission import Admission
from queue_lib.chore import Chore
from queue_lib.errors import ConfigurationError
from queue_lib.feature import Opened
from queue_lib.job import Wire
from storage.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from processors.tools import Tools
    from queue_lib.chore import Post
    from queue_lib.feature import Served

LOOK_EVERY, CLEAR_EVERY, LISTEN_AGAIN = 10.0, 600.0, 5.0  # seconds


@asynccontextmanager
async def outbox_opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """The outbox, until the worker ends. Raises ConfigurationError."""
    settings = served.of(OutboxSettings)
    _refuse_without_bullmq(served, "OUTBOX_TABLE")
    if settings.outbox_notify is not None:
        _refuse_deaf(served.of(DatabaseSettings).database_url)
    outbox, metrics, pace = tools.storage.outbox(settings.outbox_table), OutboxMetrics(), Pace()
    upkeep = Upkeep(outbox, settings.outbox_table, metrics)

    def chores(post: Post) -> Sequence[Chore]:
        bridging = _bridging(served, post, settings.outbox_prefix)
        publisher = Publisher(outbox, post, bridging, settings.outbox_prefix, pace, metrics)
        made = [
            Chore("publish the outbox", 0.0, publisher.turn),
            Chore("look at the outbox", LOOK_EVERY, partial(upkeep.look, post.board)),
            Chore("clear the outbox", CLEAR_EVERY, upkeep.clear),
        ]
        if settings.outbox_notify is not None:
            made.append(Chore("listen to Postgres", LISTEN_AGAIN, partial(upkeep.listen, settings.outbox_notify, pace)))
        return made

    yield Opened(chores=chores, collectors=(metrics,), facts={"outboxTable": settings.outbox_table})


@asynccontextmanager
async def bridges_opened(served: Served) -> AsyncIterator[Opened]:
    """The bridges without an outbox, until the worker ends. Raises ConfigurationError."""
    pattern = served.of(BridgeSettings).bridge_subscribe
    _refuse_without_bullmq(served, "BRIDGE_SUBSCRIBE")
    if served.find(OutboxSettings) is not None:
        msg = "BRIDGE_SUBSCRIBE: with OUTBOX_TABLE each event would be taken twice; leave one of them out"
        raise ConfigurationError(msg)
    metrics, prefix = BridgeMetrics(), pattern.partition(".")[0]

    def chores(post: Post) -> Sequence[Chore]:
        subscriber = Subscriber(post, _bridging(served, post, prefix), pattern, metrics)
        return [Chore("listen to events", LISTEN_AGAIN, subscriber.listen)]

    yield Opened(chores=chores, collectors=(metrics,))


def _bridging(served: Served, post: Post, prefix: str) -> Bridging:
    return Bridging(served.bridges, Admission(served.jobs), prefix, post.pack)


def _refuse_deaf(database_url: str) -> None:
    if not database_url.startswith("postgres"):
        msg = "OUTBOX_NOTIFY: only Postgres notifies; leave it out"
        raise ConfigurationError(msg)
    if "pgbouncer=true" in database_url:
        msg = "OUTBOX_NOTIFY: DATABASE_URL leads to PgBouncer, which passes no notification on; leave it out"
        raise ConfigurationError(msg)


def _refuse_without_bullmq(served: Served, variable: str) -> None:
    if Wire.BULLMQ not in served.worker.wires:
        msg = f"{variable}: its jobs are added on BullMQ's wire, and WIRES does not have bullmq"
        raise ConfigurationError(msg)
