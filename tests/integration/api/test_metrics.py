"""The metrics of the queues for a scraper, also while Redis is away."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import redis

from processors.features import FEATURES
from queue_lib import wiring
from queue_lib.settings import WorkerSettings, load
from queue_lib.web.api.app import build
from tests.support.api_client import FULL, JOB, READ_SECRET, Client, client_of
from tests.support.exposition import Exposition

if TYPE_CHECKING:
    import pytest


async def test_the_metrics_of_the_queues(ask: Client, redis_url: str) -> None:
    """Depths by state and wire, ages, dead letters, for a read-only token; a second scrape asks Redis nothing."""
    for options in ({}, {"delay": 60_000}, {"wire": "rq"}):
        await ask("POST", "/queue/jobs", json={**JOB, "options": options})
    await ask("POST", "/queue/pause?queue=file-processing")
    first = await ask("GET", "/metrics", secret=READ_SECRET)
    with redis.Redis.from_url(redis_url) as client:
        before = client.info("stats")["total_commands_processed"]
        again = await ask("GET", "/metrics", secret=READ_SECRET)
        asked = client.info("stats")["total_commands_processed"] - before - 1
    read = Exposition(first.text)

    waiting = {"queue": "file-processing", "state": "waiting"}
    assert (1, 1) == tuple(read("pushmill_queue_jobs", wire=wire, **waiting) for wire in ("bullmq", "rq"))
    assert 1 == read("pushmill_queue_jobs", queue="file-processing", state="delayed", wire="bullmq")
    assert (1, 0) == tuple(
        read("pushmill_queue_paused", queue=name) for name in ("file-processing", "push-notifications")
    )
    assert 0 <= read("pushmill_queue_oldest_waiting_seconds", queue="file-processing") < 10
    assert (0, 1) == (read("pushmill_dead_letters"), read("pushmill_redis_up"))
    assert 0 == read("pushmill_workers", queue="push-notifications")
    assert read("process_resident_memory_bytes") > 0
    assert 0 == asked
    assert 3 == Exposition(again.text)("pushmill_queue_jobs")


async def test_the_metrics_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """They say so, and have the rest, because alerts need them most then."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")  # no server has the port of "discard"
    [settings] = load(WorkerSettings)
    async with client_of(build(partial(wiring.admin, settings, FEATURES, by="api"), [FULL], rate=5)) as ask:
        answer = await ask("GET", "/metrics")
    read = Exposition(answer.text)

    assert 0 == read("pushmill_redis_up")
    assert "pushmill_dead_letters" not in read.names
    assert read("process_resident_memory_bytes") > 0
