"""`python -m benchmarks.outbox`: both publish the same rows in turn; printed are events a second and the ratio."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import time
from pathlib import Path

from embedded.redis_server import RedisServer
from processors.outbox.bridging import Bridging
from processors.outbox.metrics import OutboxMetrics
from processors.outbox.pace import Pace
from processors.outbox.publisher import Publisher
from queue_lib.admin.admission import Admission
from queue_lib.bridge import Bridge
from queue_lib.broker.bullmq.post import BullMQPost
from queue_lib.broker.connection import options
from queue_lib.processor import JobSchema, Model
from storage.outbox import SqlOutbox
from storage.outbox_rows import ROUND
from storage.tables import AppTable
from tests.support.outbox import INDEX, POSTGRES
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.prisma import open_database

EVENTS, TURNS = 10_000, 5  # events that are measured: a round before them opens connections and warms both up
PEER = Path(__file__).parent / "peer.mjs"
FILL = f"""INSERT INTO "Outbox" (topic, "aggregateType", "aggregateId", payload)
    SELECT 'message.created', 'message', (i % 50)::text, jsonb_build_object('n', i)
    FROM generate_series(1, {ROUND + EVENTS}) i"""  # noqa: S608


class IndexDoc(Model):
    """What a document's job has."""

    entity: str
    id: str


async def ours(database_url: str, redis_url: str) -> tuple[float, float]:
    """Seconds and processor seconds of our publisher, in this process."""
    database = await open_database(database_url, {AppTable.OUTBOX}, outbox_table="Outbox")
    post = BullMQPost(options(redis_url), "bull", "benchmark")
    index = Bridge("message.*", "index_doc", lambda event: {"entity": "message", "id": event.aggregate_id})
    bridging = Bridging([index], Admission([JobSchema("index_doc", "search", IndexDoc)]), "epop", post.pack)
    metrics, pace = OutboxMetrics(), Pace()
    publisher = Publisher(SqlOutbox(database), post, bridging, "epop", pace, metrics)
    await publisher.turn()
    begun, cpu = time.perf_counter(), time.process_time()
    for _ in range(EVENTS // ROUND):
        await publisher.turn()
    spent = time.perf_counter() - begun, time.process_time() - cpu
    assert not (await SqlOutbox(database).backlog()).unpublished
    await database.close()
    await post.close()
    return spent


def peers(server: PostgresServer, redis_url: str) -> tuple[float, float]:
    """The same of the Node publisher."""
    done = subprocess.run(
        ["node", PEER, server.directory, redis_url],  # noqa: S607 -- the node of PATH
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, cpu = json.loads(done.stdout)
    return seconds, cpu


def main() -> None:
    """Print a line for each turn, and the median of the ratios."""
    ratios = []
    with running_postgres() as postgres, RedisServer() as redis:
        postgres.run("postgres", POSTGRES, INDEX)
        for _ in range(TURNS):
            spent = []
            for publisher in ("ours", "peer"):
                postgres.run("postgres", 'TRUNCATE "Outbox"', FILL, 'VACUUM ANALYZE "Outbox"')
                redis.flush()
                url = postgres.url("postgres")
                spent.append(asyncio.run(ours(url, redis.url)) if publisher == "ours" else peers(postgres, redis.url))
            (mine, cpu), (theirs, their_cpu) = spent
            ratios.append(theirs / mine)
            print(
                f"ours {EVENTS / mine:,.0f}/s ({cpu / EVENTS * 1e6:.0f} us of CPU an event), "
                f"Node {EVENTS / theirs:,.0f}/s ({their_cpu / EVENTS * 1e6:.0f} us): {theirs / mine:.2f}x"
            )
    print(f"median: {statistics.median(ratios):.2f}x")


if __name__ == "__main__":
    main()
