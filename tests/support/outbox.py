"""The app's table of events, as Prisma makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from storage.outbox import SqlOutbox
    from tests.support.prisma import App

POSTGRES = """CREATE TABLE "Outbox" ("id" BIGSERIAL PRIMARY KEY, "topic" TEXT NOT NULL, "aggregateType" TEXT NOT NULL,
    "aggregateId" TEXT NOT NULL, "payload" JSONB NOT NULL, "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "publishedAt" TIMESTAMP(3), "error" TEXT)"""
SQLITE = """CREATE TABLE "Outbox" ("id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, "topic" TEXT NOT NULL,
    "aggregateType" TEXT NOT NULL, "aggregateId" TEXT NOT NULL, "payload" JSONB NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, "publishedAt" DATETIME, "error" TEXT)"""
# A module of JOBS: an event's number is seen, and a worker of the queue `idle` does nothing but publish.
SEEN = """
from queue_lib.jobs import Bridge, Deduplication, Job, Model, Queue


class Seen(Model):
    number: int
    of: str


class See(Job[Seen]):
    name, queue = "see", "seen"

    async def handle(self, payload, context):
        pass


class Idle(Job[Seen]):
    name, queue = "idle", "idle"

    async def handle(self, payload, context):
        pass


QUEUES = (Queue(name="seen"), Queue(name="idle"))
JOBS = (See, Idle)


def number_of(event):
    return {"number": event.payload["n"], "of": event.aggregate_id}


"""
INDEX = 'CREATE INDEX "Outbox_open" ON "Outbox" ("id") WHERE "publishedAt" IS NULL'


def add_outbox(app: App) -> None:
    """Create the table, with its index."""
    app.sql(SQLITE if app.url.startswith("sqlite") else POSTGRES)
    app.sql(INDEX)


def event(number: int, topic: str = "message.created", payload: str = "{}") -> dict[str, Any]:
    """A row about the message `number`."""
    return {"topic": topic, "aggregateType": "message", "aggregateId": number, "payload": payload}


async def published(outbox: SqlOutbox, bad: dict[int, str] | None = None) -> list[int]:
    """The ids of a round, which is marked."""
    async with outbox.round() as found:
        assert found is not None
        found.bad.update(bad or {})
        return [row.id for row in found.rows]
