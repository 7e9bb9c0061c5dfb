"""From the commit of an event to the start of its job, through worker.py, with NOTIFY and without.

    python -m benchmarks.outbox.latency [events] [rounds]

One event at a time, at intervals that are not those of the publisher. The job notes when it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
import redis

from embedded.redis_server import RedisServer
from tests.support.outbox import INDEX, POSTGRES
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.worker_process import WorkerProcess

JOBS = """
import time

from queue_lib.jobs import Bridge, Job, Model, Queue


class Sent(Model):
    sent: float


class Note(Job[Sent]):
    name, queue = "note", "noted"

    async def handle(self, payload, context):
        return {"waited": time.time() - payload.sent}


QUEUES = (Queue(name="noted"),)
JOBS = (Note,)
BRIDGES = (Bridge("message.*", "note", lambda event: event.payload),)
"""
FUNCTION = """CREATE FUNCTION outbox_notify() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('outbox', ''); RETURN NULL; END $$"""
TRIGGER = """CREATE TRIGGER outbox_notify AFTER INSERT ON "Outbox"
    FOR EACH STATEMENT EXECUTE FUNCTION outbox_notify()"""
INSERT = """INSERT INTO "Outbox" (topic, "aggregateType", "aggregateId", payload)
    VALUES ('message.created', 'message', '1', %s)"""
SKIPPED = 10  # the first events: connections open, code warms up


async def waits(postgres: PostgresServer, events: int, *, notify: bool) -> list[float]:
    """Seconds from just before the commit to the start of the job, for each event."""
    url = postgres.url("postgres")
    with tempfile.TemporaryDirectory() as folder, RedisServer() as server:
        (Path(folder) / "jobs.py").write_text(JOBS)
        env = {
            "REDIS_URL": server.url,
            "DATABASE_URL": url,
            "OUTBOX_TABLE": "Outbox",
            "JOBS": "jobs",
            "QUEUES": "noted",
        }
        async with WorkerProcess(env | ({"OUTBOX_NOTIFY": "outbox"} if notify else {}), Path(folder)) as worker:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as app:
                for number in range(SKIPPED + events):
                    await app.execute(INSERT, (json.dumps({"sent": time.time()}),))
                    if number < SKIPPED:
                        await worker.logged("job_done", number + 1)
                    await asyncio.sleep(random.uniform(0.05, 0.15))
            done = await worker.logged("job_done", SKIPPED + events)
        with redis.Redis.from_url(server.url) as client:
            ended: list[Any] = [client.hget(f"bull:noted:{line['id']}", "returnvalue") for line in done[SKIPPED:]]
    return [json.loads(value)["waited"] for value in ended]


async def measured(events: int, rounds: int) -> None:
    """Print the percentiles of each round, and the load."""
    with running_postgres() as postgres:
        postgres.run("postgres", POSTGRES, INDEX, FUNCTION, TRIGGER)
        for _ in range(rounds):
            for notify in (True, False):
                with contextlib.redirect_stdout(None):  # the worker's log
                    found = sorted(await waits(postgres, events, notify=notify))
                p50, p99 = statistics.median(found), found[round(0.99 * (len(found) - 1))]
                how = "with NOTIFY" if notify else "without"
                print(f"{how}: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    EVENTS, ROUNDS = (*map(int, sys.argv[1:]), *(200, 3)[len(sys.argv) - 1 :])
    asyncio.run(measured(EVENTS, ROUNDS))
