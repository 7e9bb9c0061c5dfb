"""The number of a worker's connections to Redis, at any moment: hosting plans are sold by it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rq import Repeat

from tests.support.redis_server import RedisServer
from tests.support.wires import Mess

if TYPE_CHECKING:
    from pathlib import Path

MOST = 10  # docs/design.md


async def test_a_worker_has_ten_at_most(tmp_path: Path) -> None:
    """With both queues and both wires, also while jobs end in RQ's own way, fail, send heartbeats and report."""
    with RedisServer() as server:
        async with Mess.at(server.url, tmp_path) as mess:
            for _ in range(10):
                for name in ("nap", "flaky", "fail-for-good", "report"):
                    mess.rq(name, *[{}] * 4)
                    await mess.bullmq(name, *[{}] * 4, attempts=2)
                first = mess.lane().enqueue("nap", {"seconds": [0.2]})
                mess.lane().enqueue("nap", {}, depends_on=first)
                mess.lane().enqueue("nap", {}, repeat=Repeat(times=2, interval=0))
                mess.lane().enqueue("nap", {}, result_ttl=0)
            last = mess.lane().enqueue("nap", {"seconds": [3.0]}).id
            own = {each["id"] for each in mess.redis.client_list()}
            most = 0
            async with mess.worker(LEASE_DURATION="3") as worker, asyncio.timeout(120):
                while last not in mess.done():
                    assert worker.is_running
                    clients = await asyncio.to_thread(mess.redis.client_list)
                    most = max(most, sum(each["id"] not in own for each in clients))
                    await asyncio.sleep(0.005)

    assert 0 < most <= MOST
