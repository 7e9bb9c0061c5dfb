"""An app whose bullmq is too old for our scripts: its jobs are left alone, and the operators see why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import Redis

from queue_lib.addition import Addition
from queue_lib.admin.admin import Admin
from queue_lib.broker.base import NotNow
from queue_lib.errors import BrokerRefusedError, Trouble
from queue_lib.job import State, Wire
from tests.support.wire_kit import PREFIX, QUEUE, WireKit, backends

if TYPE_CHECKING:
    from collections.abc import Iterator

META = f"{PREFIX}:{QUEUE.name}:meta"


@pytest.fixture
def server(redis_url: str) -> Iterator[Redis]:
    """Redis."""
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.mark.parametrize("version", ["bullmq:4.18.3", "bullmq:3.16.2"])
async def test_an_app_that_is_too_old(server: Redis, bullmq: WireKit, rq: WireKit, version: str) -> None:
    """No job is taken or added on BullMQ's wire, while RQ's goes on. Once the app is upgraded, its jobs are taken."""
    job_id = await bullmq.enqueue("greet", 1)
    server.hset(META, "version", version)
    broker = await bullmq.broker()

    with pytest.raises(BrokerRefusedError, match=f"older than 5: upgrade all Node clients .*says {version}") as caught:
        await broker.claim(QUEUE)
    assert Trouble.OUTDATED is caught.value.trouble
    addition = Addition(name="greet", data=2)
    for add in (bullmq.inspector.add(QUEUE.name, addition), bullmq.inspector.add_all(QUEUE.name, [addition])):
        with pytest.raises(BrokerRefusedError, match="older than 5"):
            await add

    admin = Admin(backends(bullmq, inspectors=[bullmq.inspector, rq.inspector]), by="anna")
    [stats] = await admin.queues.stats()
    assert (Trouble.OUTDATED, 1) == (stats.trouble, stats.counts[Wire.BULLMQ][State.WAITING])
    await rq.enqueue("greet", 3)
    assert Wire.RQ is (await rq.claim(await rq.broker())).job.wire

    server.hset(META, "version", "bullmq:5.81.5")
    assert job_id == (await bullmq.claim(broker)).job.id
    assert None is (await admin.queues.stats())[0].trouble


@pytest.mark.parametrize("version", ["bullmq:5.0.0", "bullmq:6.7.0", "bullmq:10.0.0", "bullmq-pro:4.1.0", "", None])
async def test_apps_that_are_served(server: Redis, bullmq: WireKit, version: str | None) -> None:
    """Newer versions, those that write no version, and BullMQ Pro, which has its own version numbers."""
    await bullmq.enqueue("greet", 1)
    if version is not None:
        server.hset(META, "version", version)
    assert not isinstance(await (await bullmq.broker()).claim(QUEUE), NotNow)
