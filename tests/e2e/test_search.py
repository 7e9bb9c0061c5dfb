"""Search through the real worker: killed in the middle of a backfill, and with an engine that goes away."""

from __future__ import annotations

import json
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest

from embedded.search_server import SearchServer
from tests.support.polling import until
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from embedded.search_indexes import Kind
    from tests.support.wires import Mess

QUEUE, ROWS = "search", 400


@pytest.mark.parametrize("kind", ["elasticsearch", pytest.param("zincsearch", marks=pytest.mark.matrix)])
async def test_a_killed_backfill_goes_on_and_an_engine_that_is_away_buries_nothing(mess: Mess, kind: Kind) -> None:
    """The next worker goes on after the noted page; jobs of both wires wait for the engine without an attempt."""
    fill(mess)
    async with engine(kind) as (server, url):
        [backfill] = await mess.bullmq("backfill", {"entity": "Post", "pageSize": 10, "rebuild": True}, queue=QUEUE)
        async with started(mess, url, kind) as dying:
            await until(lambda: len(server.indexes.bulks) >= 5)
            await dying.kill()
        before = len(server.indexes.bulks)
        async with started(mess, url, kind) as worker:
            await until(lambda: mess.redis.hexists(f"bull:{QUEUE}:{backfill}", "returnvalue"))
            result = json.loads(mess.redis.hget(f"bull:{QUEUE}:{backfill}", "returnvalue") or "")
            assert (result["indexed"], result["pages"], result["failed"]) == (ROWS, ROWS // 10, 0)
            assert len(server.indexes.bulks) - before <= ROWS // 10 - 3
            assert set(server.indexes.documents("post")) == {str(number) for number in range(ROWS)}

            server.is_away = True
            sql(mess, """UPDATE "Post" SET "title" = 'new', "version" = 2 WHERE "id" < 20""")
            sql(mess, 'DELETE FROM "Post" WHERE "id" >= 395')
            for number in (*range(10), *range(395, 400)):
                await mess.bullmq("index_doc", {"entity": "Post", "id": number}, queue=QUEUE)
            for number in range(10, 20):
                mess.rq("index_doc", {"entity": "Post", "id": number}, queue=QUEUE)
            await worker.logged("search_engine_rests")
            server.is_away = False
            await until(lambda: is_as_the_table(mess, server))

            assert len(server.indexes.documents("post")) == 395
            assert worker.lines("job_dead") == []


def fill(mess: Mess) -> None:
    """A table with rows, and its view."""
    sql(mess, 'CREATE TABLE "Post" ("id" INTEGER PRIMARY KEY, "title" TEXT, "version" INTEGER)')
    sql(mess, 'CREATE VIEW "search_Post" AS SELECT * FROM "Post"')
    values = ", ".join(f"({number}, 'title {number}', 1)" for number in range(ROWS))
    sql(mess, f'INSERT INTO "Post" VALUES {values}')  # noqa: S608 -- its own values


def is_as_the_table(mess: Mess, server: SearchServer) -> bool:
    """Whether a search finds what the table has."""
    wanted = {str(row_id): {"title": title} for row_id, title in sql(mess, 'SELECT "id", "title" FROM "Post"')}
    return server.indexes.documents("post") == wanted


@asynccontextmanager
async def engine(kind: Kind) -> AsyncIterator[tuple[SearchServer, str]]:
    """The double, and SEARCH_URL."""
    server = SearchServer(kind, lag=0.05 if kind == "zincsearch" else 0.0)
    try:
        yield server, await server.start()
    finally:
        await server.stop()


def started(mess: Mess, url: str, kind: Kind) -> WorkerProcess:
    """The worker of an app that has nothing but the view."""
    own = {
        "REDIS_URL": mess.url,
        "DATABASE_URL": f"sqlite:///{mess.folder}/app.db",
        "SEARCH_URL": url,
        "SEARCH_ENGINE": kind,
        "LEASE_DURATION": "5",
    }
    return WorkerProcess(own, mess.folder)


def sql(mess: Mess, statement: str) -> list[Any]:
    """Run a statement as the app would."""
    with closing(sqlite3.connect(mess.folder / "app.db", isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()
