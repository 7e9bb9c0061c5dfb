"""A batch through the real worker, which is killed half-way."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from bullmq import Queue
from redis import Redis
from rq import Queue as Lane

from processors.push.allowance import MAX_AT_ORIGIN
from processors.push.ledger import MAX_UNWRITTEN
from tests.support.polling import until
from tests.support.push_service import Answer

if TYPE_CHECKING:
    from tests.support.app import App
    from tests.support.push_service import PushService

DEVICES = 2000
LONG = 240.0  # seconds that all this may take on a machine with much else to do
QUEUE = "push-notifications"
BATCH = {"all": True, "payload": {"title": "News", "body": "for everybody"}}


async def enqueue(app: App, wire: str) -> None:
    """Add the batch as a producer of this wire does."""
    if wire == "bullmq":
        queue = Queue(QUEUE, {"connection": app.env["REDIS_URL"]})
        await queue.add("push-batch", BATCH)
        await queue.close()
    else:
        with Redis.from_url(app.env["REDIS_URL"]) as redis:
            Lane(QUEUE, connection=redis, serializer="json").enqueue("push-batch", BATCH)


@pytest.mark.parametrize("wire", ["bullmq", pytest.param("rq", marks=pytest.mark.matrix)])
async def test_a_batch_outlives_its_worker(app: App, push_service: PushService, wire: str) -> None:
    """After kill -9 another worker goes on: all are delivered; only the few in flight may get it twice."""
    for _ in range(DEVICES):
        app.subscribe(push_service.subscribe())
    await enqueue(app, wire)

    async with app.worker(LEASE_DURATION="5") as worker:
        await until(lambda: len(push_service.received) > DEVICES // 2, LONG, lambda: "no pushes")
        await worker.kill()
    before = len(push_service.received)
    async with app.worker(LEASE_DURATION="5") as worker:
        [done] = await worker.logged("job_done", within=LONG, name="push-batch")
    times = Counter(push.subscription_id for push in push_service.received)
    twice = sum(count > 1 for count in times.values())

    print(f"{before} before the kill, {twice} twice")  # noqa: T201 -- pytest keeps it for failures
    assert DEVICES // 2 < before < DEVICES
    assert len(times) == DEVICES
    assert max(times.values()) <= 2
    assert twice < MAX_AT_ORIGIN + MAX_UNWRITTEN
    assert done["push_deliveries"][push_service.origin]["sent"] < DEVICES - DEVICES // 2 + MAX_AT_ORIGIN + MAX_UNWRITTEN
    assert done["attempt"] == 1


async def test_sigterm_in_a_batch_repeats_nothing(app: App, push_service: PushService) -> None:
    """A deploy half-way: sends under way are awaited, the job is given back, and no device gets its push twice."""
    for _ in range(DEVICES):
        app.subscribe(push_service.subscribe())
    await enqueue(app, "bullmq")

    async with app.worker(SHUTDOWN_GRACE="10") as worker:
        await until(lambda: len(push_service.received) > DEVICES // 10, LONG, lambda: "no pushes")
        push_service.pace = 1.0  # else the grace time is enough for all
        await worker.terminate(15)
        assert worker.lines("job_released", name="push-batch")
    push_service.pace = 0.0
    async with app.worker() as worker:
        await worker.logged("job_done", within=LONG, name="push-batch")
    times = Counter(push.subscription_id for push in push_service.received)

    assert (len(times), max(times.values())) == (DEVICES, 1)


async def test_only_what_failed_is_sent_to_again(app: App, push_service: PushService) -> None:
    """One device's service is away for the moment: a follow-up job reaches it, and the other device gets nothing."""
    good, bad = push_service.subscribe(), push_service.subscribe()
    for row in (good, bad):
        app.subscribe(row)
    push_service.answer_once(bad, Answer(503))
    queue = Queue(QUEUE, {"connection": app.env["REDIS_URL"]})
    await queue.add(
        "push-notification", {"userId": "user-1", "payload": BATCH["payload"], "options": {"ttl": 100, "topic": "t"}}
    )

    async with app.worker() as worker:
        [first] = await worker.logged("push_follow_up")
        since = time.monotonic()
        await worker.logged("job_done", name="push-follow-up")
    await queue.close()

    assert time.monotonic() - since > 4
    assert first["subscriptions"] == 1
    assert [push.subscription_id for push in push_service.received] == [good.id, bad.id]
    assert 60 <= int(push_service.received[1].headers["TTL"]) <= 96
