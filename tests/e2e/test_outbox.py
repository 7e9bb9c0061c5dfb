"""The outbox through worker.py: what two writers commit arrives once and in order, whoever is killed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import redis

from embedded.redis_server import RedisServer
from tests.support.outbox import SEEN, add_outbox, event
from tests.support.polling import PATIENCE, until
from tests.support.prisma import App
from tests.support.scripts import run_script
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

JOBS = f"""{SEEN}
BRIDGES = (Bridge("message.*", "see", number_of),)
"""
INSERT = """INSERT INTO "Outbox" (topic, "aggregateType", "aggregateId", payload)
    VALUES ('message.created', 'message', %s, %s)"""
AGGREGATES = 50


def env(folder: Path, redis_url: str, database_url: str) -> dict[str, str]:
    """A worker that publishes and runs no job of an event: those stay where they were added."""
    (folder / "jobs.py").write_text(JOBS)
    return {
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "OUTBOX_TABLE": "Outbox",
        "OUTBOX_NOTIFY": "outbox",
        "JOBS": "jobs",
        "QUEUES": "idle",
    }


def write(app: App, count: int) -> None:
    """Two writers, each with aggregates of its own: the one that began first commits last."""
    with psycopg.connect(app.url) as first, psycopg.connect(app.url) as second:
        for start in range(0, count, 50):
            for number in range(start, start + 50):
                writer = first if number % AGGREGATES < AGGREGATES / 2 else second
                writer.execute(INSERT.encode(), (str(number % AGGREGATES), json.dumps({"n": number})))
            second.commit()
            first.commit()


def waiting(server: redis.Redis) -> list[dict[str, Any]]:
    """The payloads of the jobs in the order in which they were added."""
    ids: list[Any] = server.lrange("bull:seen:wait", 0, -1)
    pipe = server.pipeline()
    for job_id in reversed(ids):
        pipe.hget("bull:seen:" + str(job_id), "data")
    return [json.loads(data) for data in pipe.execute()]


@pytest.mark.parametrize("count", [2000, pytest.param(20_000, marks=pytest.mark.matrix)])
async def test_no_event_is_lost_doubled_or_out_of_order(tmp_path: Path, postgres_url: str, count: int) -> None:
    """Two workers publish; one after the other is killed, and so is Redis."""
    app = App(postgres_url, ())
    add_outbox(app)
    with RedisServer(appendonly=True) as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        settings = env(tmp_path, server.url, postgres_url)
        writing = asyncio.create_task(asyncio.to_thread(write, app, count))
        async with WorkerProcess(settings, tmp_path) as other:
            for _ in range(3):
                async with WorkerProcess(settings, tmp_path) as worker:
                    await asyncio.sleep(random.uniform(0.1, 0.5))
                    await worker.kill()
            server.kill()
            await writing
            server.start()
            open_rows = """SELECT count(*) AS n FROM "Outbox" WHERE "publishedAt" IS NULL"""
            await until(lambda: other.is_running and app.sql(open_rows)[0]["n"] == 0, within=PATIENCE * 4)
        found = waiting(client)

    assert [] == app.sql("""SELECT * FROM "Outbox" WHERE error IS NOT NULL""")
    numbers = [each["number"] for each in found]
    assert list(range(count)) == sorted(numbers)  # none is lost, none is there twice
    by_aggregate = defaultdict(list)
    for each in found:
        by_aggregate[each["of"]].append(each["number"])
    assert {str(one): list(range(one, count, AGGREGATES)) for one in range(AGGREGATES)} == by_aggregate


async def test_a_bad_row_is_seen_and_replayed(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    """A notification wakes the publisher. An operator sees its reason, and replays it once it is right."""
    app = App(postgres_url, ())
    add_outbox(app)
    settings = env(tmp_path, redis_url, postgres_url)
    job = '{"name": "seee", "data": {"number": 1, "of": "a"}}'
    async with WorkerProcess(settings, tmp_path) as worker:
        app.insert("Outbox", event(1, "job", job), event(2, payload='{"n": 2}'))
        app.sql("SELECT pg_notify('outbox', '')")
        await worker.logged("outbox_row_bad", row=1)
        with redis.Redis.from_url(redis_url, decode_responses=True) as client:
            await until(lambda: waiting(client) == [{"number": 2, "of": "2"}])
            told = await run_script("outbox", "--json", env=settings)
            table = await run_script("outbox", env=settings)
            unasked = await run_script("outbox", "replay", env=settings)
            app.sql("""UPDATE "Outbox" SET payload = jsonb_set(payload, '{name}', '"see"') WHERE id = 1""")
            replayed = await run_script("outbox", "replay", "1", "--json", env=settings)
            await until(lambda: len(waiting(client)) == 2)
        skipped = await run_script("outbox", "skip", "1", env=settings)

    [bad] = told.json["badRows"]
    assert (1, "job") == (bad["id"], bad["topic"])
    assert bad["error"].startswith("no such job: 'seee'; there are ")
    assert "no such job" in table.out
    assert (2, {"rows": 1}, "rows: 0\n") == (unasked.status, replayed.json, skipped.out)


async def test_events_of_redis_become_jobs_without_an_outbox(tmp_path: Path, redis_url: str) -> None:
    """One of two workers listens; a message that is no JSON is counted and told."""
    settings = env(tmp_path, redis_url, "") | {"BRIDGE_SUBSCRIBE": "epop.*", "OUTBOX_TABLE": "", "OUTBOX_NOTIFY": ""}
    async with WorkerProcess(settings, tmp_path) as first, WorkerProcess(settings, tmp_path) as second:
        both = (first, second)
        await until(lambda: any(worker.lines("bridges_listen") for worker in both))
        with redis.Redis.from_url(redis_url, decode_responses=True) as client:
            client.publish("epop.message.created", "{")
            client.publish("epop.message.created", json.dumps({"id": 7, "payload": {"n": 1}}))
            await until(lambda: len(waiting(client)) == 1)
            assert [{"number": 1, "of": "7"}] == waiting(client)

    assert 1 == sum(len(worker.lines("bridge_message_bad")) for worker in both)
