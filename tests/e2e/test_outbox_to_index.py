"""From the app's transactions to the search index: publishers, workers and Redis are killed on the way."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import redis

from embedded.redis_server import RedisServer
from embedded.search_server import SearchServer
from tests.support.outbox import SEEN, add_outbox
from tests.support.polling import PATIENCE, until
from tests.support.prisma import App
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from embedded.search_indexes import Kind

JOBS = f"""{SEEN}
BRIDGES = (
    Bridge("post.*", "see", number_of),
    Bridge(
        "post.*",
        "index_doc",
        lambda event: dict(entity="Post", id=event.aggregate_id),
        deduplication=lambda event: Deduplication(id="post:" + event.aggregate_id, keep_last_if_active=True),
    ),
)
"""
EVENTS, AGGREGATES, COMMITTED = 20_000, 50, 50
DELETED = 5  # aggregates whose last event is that they are deleted
TABLE = """CREATE TABLE "Post" ("id" INTEGER PRIMARY KEY, "title" TEXT NOT NULL, "version" INTEGER NOT NULL)"""
VIEW = """CREATE VIEW "search_Post" AS SELECT * FROM "Post" """
FILL = f"""INSERT INTO "Post" SELECT n, 'new', 0 FROM generate_series(0, {AGGREGATES - 1}) n"""  # noqa: S608 -- a number of its own
OPEN = """SELECT 1 FROM "Outbox" WHERE "publishedAt" IS NULL LIMIT 1"""
CHANGE = """UPDATE "Post" SET "title" = %s, "version" = "version" + 1 WHERE "id" = %s"""
DELETE = """DELETE FROM "Post" WHERE "id" = %s"""
INSERT = (
    """INSERT INTO "Outbox" (topic, "aggregateType", "aggregateId", payload) VALUES ('post.changed', 'post', %s, %s)"""
)


def write(url: str) -> None:
    """Two writers, each with aggregates of its own: the one that began first commits last."""
    with psycopg.connect(url) as first, psycopg.connect(url) as second:
        for start in range(0, EVENTS, COMMITTED):
            for number in range(start, start + COMMITTED):
                aggregate = number % AGGREGATES
                writer = first if aggregate < AGGREGATES / 2 else second
                is_last = number >= EVENTS - AGGREGATES
                if is_last and aggregate < DELETED:
                    writer.execute(DELETE, (aggregate,))
                else:
                    writer.execute(CHANGE, (f"title {number}", aggregate))
                writer.execute(INSERT, (str(aggregate), json.dumps({"n": number})))
            second.commit()
            first.commit()


async def killed(env: dict[str, str], folder: Path, times: int) -> None:
    """Workers, one after the other, each killed while it works."""
    for _ in range(times):
        async with WorkerProcess(env, folder) as worker:
            await asyncio.sleep(random.uniform(0.2, 2.0))
            await worker.kill()


def order(client: redis.Redis) -> dict[str, list[int]]:
    """The numbers of the events of each aggregate, in the order in which their jobs were added."""
    pipe = client.pipeline()
    ids: list[Any] = client.lrange("bull:seen:wait", 0, -1)
    for job_id in reversed(ids):
        pipe.hget(f"bull:seen:{job_id}", "data")
    found = defaultdict(list)
    for data in map(json.loads, pipe.execute()):
        found[data["of"]].append(data["number"])
    return found


@asynccontextmanager
async def engine(kind: Kind) -> AsyncIterator[tuple[SearchServer, dict[str, str]]]:
    """The double, and the worker's settings for it."""
    server = SearchServer(kind, lag=0.05 if kind == "zincsearch" else 0.0)
    try:
        yield server, {"SEARCH_URL": await server.start(), "SEARCH_ENGINE": kind}
    finally:
        await server.stop()


def prepared(url: str) -> App:
    """The app's tables, with a row for each aggregate."""
    app = App(url, ())
    add_outbox(app)
    for statement in (TABLE, VIEW, FILL):
        app.sql(statement)
    return app


def wanted(app: App) -> dict[str, dict[str, str]]:
    """What the index must have."""
    return {str(row["id"]): {"title": row["title"]} for row in app.sql('SELECT "id", "title" FROM "Post"')}


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["elasticsearch", "zincsearch"])
async def test_the_index_is_as_the_table_whoever_is_killed(tmp_path: Path, postgres_url: str, kind: Kind) -> None:
    """No event is lost or doubled, those of an aggregate keep their order, and the index has the last state of each."""
    app = prepared(postgres_url)
    (tmp_path / "jobs.py").write_text(JOBS)
    async with engine(kind) as (search, settings):
        with RedisServer(appendonly=True) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
            shared = settings | {"REDIS_URL": server.url, "DATABASE_URL": postgres_url, "JOBS": "jobs"}
            publisher = shared | {"OUTBOX_TABLE": "Outbox", "OUTBOX_NOTIFY": "outbox", "QUEUES": "idle"}
            indexer = shared | {"QUEUES": "search", "LEASE_DURATION": "5"}
            writing = asyncio.create_task(asyncio.to_thread(write, postgres_url))
            await asyncio.gather(killed(publisher, tmp_path, 5), killed(indexer, tmp_path, 5))
            async with WorkerProcess(publisher, tmp_path) as last, WorkerProcess(indexer, tmp_path) as worker:
                for _ in range(2):
                    server.kill()
                    await asyncio.sleep(random.uniform(0.2, 2.0))
                    server.start()
                await writing
                await until(lambda: last.is_running and not app.sql(OPEN), within=PATIENCE * 8)
                await until(lambda: worker.is_running and search.indexes.documents("post") == wanted(app), PATIENCE * 8)
                assert [] == worker.lines("job_dead")
            found = order(client)

    assert [] == app.sql("""SELECT * FROM "Outbox" WHERE error IS NOT NULL""")
    assert AGGREGATES - DELETED == len(wanted(app))
    assert {str(one): list(range(one, EVENTS, AGGREGATES)) for one in range(AGGREGATES)} == found
