"""The alerts about the outbox, bridges, search and flows, as in test_alerts.py: `make alerts`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bullmq import FlowProducer

from embedded.search_server import SearchServer
from tests.support.alert_stage import FILES, PUSHES, staged
from tests.support.outbox import INDEX, SQLITE
from tests.support.prometheus import MINUTE

if TYPE_CHECKING:
    from tests.support.app import App

WRITTEN = (
    """INSERT INTO "Outbox" ("topic", "aggregateType", "aggregateId", "payload") VALUES ('job', 'message', '1', ?)"""
)
GOOD = '{"name": "push-notification", "data": {"userId": "user-1", "payload": {"title": "Ada", "body": "Hello"}}}'
SEARCHED = """CREATE VIEW "search_Post" AS SELECT 'a' AS "id", 'Ada' AS "title", 1 AS "version"
    UNION ALL SELECT 'b', 'Bob', 1"""
POST = {"entity": "Post", "id": "a"}


async def test_an_outbox_that_stands_and_a_row_that_is_bad(app: App) -> None:
    """While Redis is full no job is published. A bad row is told until an operator has skipped it."""
    app.sql(SQLITE)
    app.sql(INDEX)
    async with (
        staged(app, {"oldest_seconds) > 60": "oldest_seconds) > 5"}) as stage,
        stage.worker(OUTBOX_TABLE="Outbox"),
    ):
        await stage.is_calm()
        stage.mess.redis.config_set("maxmemory", "1")
        app.sql(WRITTEN, GOOD)
        app.sql(WRITTEN, "{}")
        await stage.prometheus.fires("OutboxStands")
        stage.mess.redis.config_set("maxmemory", "0")
        await stage.prometheus.resolved("OutboxStands")
        await stage.prometheus.fires("OutboxBadRows")
        app.sql("""UPDATE "Outbox" SET "publishedAt" = CURRENT_TIMESTAMP""")
        await stage.prometheus.resolved("OutboxBadRows", "RedisRefuses")


async def test_messages_that_become_no_job(app: App) -> None:
    """They are no JSON."""
    async with staged(app) as stage, stage.worker(BRIDGE_SUBSCRIBE="epop.*") as worker:
        await worker.logged("bridges_listen")
        await stage.is_calm()
        stage.mess.redis.publish("epop.message.created", "{")
        await stage.prometheus.fires("BridgeLoses")
        await stage.prometheus.resolved("BridgeLoses")


async def test_a_search_engine_that_refuses_us(app: App) -> None:
    """Its password is another one: documents wait until a worker has the right one."""
    app.sql(SEARCHED)
    engine = SearchServer("elasticsearch", user="worker:new")
    right = await engine.start()
    wrong = right.replace("worker:new", "worker:old")
    async with staged(app) as stage:
        async with stage.worker(SEARCH_URL=wrong, SEARCH_ENGINE="elasticsearch"):
            await stage.prometheus.resolved("NoReadyWorker", f"NoWorker {PUSHES}", f"NoWorker {FILES}")
            for _ in range(6):
                await stage.mess.bullmq("index_doc", POST, queue="search")
                await asyncio.sleep(MINUTE)
            await stage.prometheus.fires("SearchRefused", "ServerAway search_engine")
        async with stage.worker(SEARCH_URL=right, SEARCH_ENGINE="elasticsearch"):
            await stage.prometheus.resolved("SearchRefused", "ServerAway search_engine")
    await engine.stop()


async def test_documents_that_are_missing(app: App) -> None:
    """The engine has said that it took one."""
    app.sql(SEARCHED)
    engine = SearchServer("elasticsearch")
    url = await engine.start()
    engine.indexes.loses = {"b"}
    async with staged(app) as stage, stage.worker(SEARCH_URL=url, SEARCH_ENGINE="elasticsearch") as worker:
        await stage.is_calm()
        await stage.mess.bullmq("backfill", {"entity": "Post"}, queue="search", attempts=5)
        await stage.prometheus.fires("SearchLost")
        engine.indexes.loses = set()
        await worker.logged("job_done", within=120.0, name="backfill")
        await stage.prometheus.resolved("SearchLost")
    await engine.stop()


async def test_a_parent_that_waits_for_a_dead_child(app: App) -> None:
    """It runs when the child is deleted, as an operator may do."""
    async with staged(app) as stage, stage.worker():
        await stage.is_calm()
        flows: Any = FlowProducer({"connection": stage.redis.url})
        child = {"name": "process-image", "queueName": FILES, "data": {"fileId": None}}
        parent = {"name": "push-notification", "queueName": PUSHES, "data": {}, "children": [child]}
        tree = await flows.add(parent)
        await flows.close()
        await stage.prometheus.fires(f"ParentsStuck {PUSHES}")
        answer = await stage.ask("DELETE", f"/queue/jobs/{tree['children'][0]['job'].id}?queue={FILES}")
        assert answer.is_success, answer.text
        await stage.prometheus.resolved(f"ParentsStuck {PUSHES}")
