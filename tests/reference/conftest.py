"""A team that comes from a queue system of its own: its app in Node, all its servers, and one real worker.

Each file of this folder has the examples of one kind of system: what such a team writes today, run as it stands.
"""

from __future__ import annotations

import json
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
import redis

from embedded.search_server import SearchServer
from embedded.smtp_server import SmtpServer
from tests.support.api_client import FULL, SECRET
from tests.support.app import FILES, SUBSCRIPTIONS, App
from tests.support.host import Host
from tests.support.outbox import SQLITE as OUTBOX
from tests.support.polling import PATIENCE, until
from tests.support.push_service import SUBJECT, PushService
from tests.support.redis_server import RedisServer
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage
    from pathlib import Path

    from storage.ports import Subscription
    from tests.support.worker_process import WorkerProcess

TABLES = (
    SUBSCRIPTIONS,
    FILES,
    """CREATE TABLE "Notification" ("id" TEXT PRIMARY KEY, "userId" TEXT NOT NULL, "type" TEXT, "title" TEXT NOT NULL,
        "body" TEXT NOT NULL, "metadata" TEXT, "readAt" DATETIME)""",
    OUTBOX,
    'CREATE TABLE "Post" ("id" TEXT PRIMARY KEY, "title" TEXT)',
    'CREATE VIEW "search_Post" AS SELECT * FROM "Post"',
    'CREATE TABLE "Order" ("id" TEXT PRIMARY KEY, "product" TEXT)',
    "INSERT INTO \"Order\" VALUES ('o1', 'Tea'), ('o2', 'Coffee'), ('o3', 'Tea')",
    'CREATE VIEW "export_orders" AS SELECT * FROM "Order"',
    'CREATE VIEW "cache_orders" AS SELECT * FROM "Order"',
    'CREATE TABLE "AuditLog" ("id" TEXT PRIMARY KEY, "createdAt" DATETIME)',
    'CREATE TABLE "Session" ("id" TEXT PRIMARY KEY, "expires" DATETIME)',
)
# What Node's side of all systems has: the connection, and how a script waits for a job.
COMMON = {
    "lib/connection.ts": "export const connection = { url: process.env.REDIS_URL };\n",
    "lib/finished.ts": """
import { QueueEvents, type Job } from "bullmq";
import { connection } from "./connection";

const events = new Map<string, QueueEvents>();

// From the start of the stream: with the default, "$", what happens before the first read is lost.
export async function finished(job: Job) {
  const opened = events.get(job.queueName) ?? new QueueEvents(job.queueName, { connection, lastEventId: "0-0" });
  events.set(job.queueName, opened);
  return job.waitUntilFinished(opened, 60_000);
}
""",
}


@dataclass
class Team:
    """The app in Node (`node`), its database and uploads (`app`), the servers, and the worker."""

    node: Host
    app: App
    redis: redis.Redis
    worker: WorkerProcess
    pushes: PushService
    mails: SmtpServer
    search: SearchServer

    def subscribe(self, user_id: str) -> Subscription:
        """A device of the user; returns its row."""
        row = self.pushes.subscribe(user_id)
        self.app.subscribe(row)
        return row

    async def mail_to(self, address: str) -> EmailMessage:
        """The mail for this address, once it has come."""

        def look() -> list[EmailMessage]:
            return [mail.message for mail in self.mails.received if address in mail.recipients]

        return (await until(look))[0]

    def started(self, queue: str) -> list[str]:
        """The ids of the queue's jobs in the order in which they were claimed, as its events have it."""
        events: Any = self.redis.xrange(f"bull:{queue}:events")
        return [fields["jobId"] for _, fields in events if fields["event"] == "active"]

    def letters(self) -> list[dict[str, Any]]:
        """The dead letters, each with the id and the name of its entry."""
        ids = map(str, self.redis.lrange("bull:dead:wait", 0, -1))
        entries: dict[str, Any] = {each: self.redis.hgetall(f"bull:dead:{each}") for each in ids}
        return [
            {"entry": each, "called": fields["name"], **json.loads(fields["data"])} for each, fields in entries.items()
        ]

    async def letter(self, queue: str, job_id: str) -> dict[str, Any]:
        """The dead letter of a job, once there is one."""
        return (
            await until(lambda: [each for each in self.letters() if (each["queue"], each["id"]) == (queue, job_id)])
        )[0]


@asynccontextmanager
async def _listening(server: Any) -> AsyncIterator[Any]:
    started = await server.start()
    try:
        yield started
    finally:
        await server.stop()


def _settings(
    folder: Path, keys: tuple[str, str], server: RedisServer, mails: SmtpServer, engine: str
) -> dict[str, str]:
    """The worker's environment, with the names that such teams use already."""
    return {
        "REDIS_HOST": "127.0.0.1",
        "REDIS_PORT": str(server.port),
        "REDIS_PASSWORD": "null",
        "REDIS_DB": "0",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mails.port),
        "SMTP_USER": "",
        "SMTP_PASS": "",
        "SMTP_SECURE": "false",
        "MAIL_FROM": "App <app@example.com>",
        "VAPID_PUBLIC_KEY": keys[1],
        "VAPID_PRIVATE_KEY": keys[0],
        "VAPID_SUBJECT": SUBJECT,
        "EMAIL_WORKER_CONCURRENCY": "5",
        "SEARCH_WORKER_CONCURRENCY": "5",
        "NOTIFICATION_WORKER_CONCURRENCY": "3",
        # What is Pushmill's own.
        "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
        "STORAGE_URL": f"file://{folder / 'store'}",
        "EMAIL_TEMPLATES": str(folder / "emails"),
        "NOTIFICATION_TABLE": "Notification",
        "PUSH_ALLOW_LOCAL_ENDPOINTS": "1",
        "SEARCH_URL": engine,
        "SEARCH_ENGINE": "zincsearch",
        "JOBS": "tests.reference.jobs",
    }


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=["bullmq5", pytest.param("bullmq6", marks=pytest.mark.matrix)]
)
async def team(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, vapid_keys: tuple[str, str]
) -> AsyncIterator[Team]:
    """One for each file, whose SETTINGS its worker has besides. In the end the worker gets SIGTERM, and ends well."""
    folder = tmp_path_factory.mktemp("team")
    for name in ("store", "emails"):
        (folder / name).mkdir()
    pushes, mails, search = PushService(vapid_keys[1]), SmtpServer(), SearchServer("zincsearch")
    async with AsyncExitStack() as cleanup:
        server = cleanup.enter_context(RedisServer())
        store = cleanup.enter_context(redis.Redis.from_url(server.url, decode_responses=True))
        _, _, engine = [await cleanup.enter_async_context(_listening(each)) for each in (pushes, mails, search)]
        env = _settings(folder, vapid_keys, server, mails, engine) | request.module.SETTINGS
        app = App(folder, env)
        for table in TABLES:
            app.sql(table)
        node = await cleanup.enter_async_context(Host(folder / "app", request.param, {"REDIS_URL": server.url}))
        node.write(COMMON | request.module.APP)
        worker = await cleanup.enter_async_context(app.worker())
        yield Team(node, app, store, worker, pushes, mails, search)
        status, _ = await worker.terminate(PATIENCE)
        assert 0 == status


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(team: Team) -> AsyncIterator[httpx.AsyncClient]:
    """A client of `python web.py`, with a token."""
    process, url = web_process("", team.app.folder, FULL, **team.app.env)
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with process, httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE) as client:
        yield client
