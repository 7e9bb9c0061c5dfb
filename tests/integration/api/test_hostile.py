"""Hostile values in Redis break no answer of the API."""

from __future__ import annotations

import pytest
import redis
from rq import Queue as Lane

from tests.support.api_client import JOB, Client

ODD_JSON = (
    *("[1e999]", "[" * 300 + "]" * 300, '["\\ud800"]'),
    *('{"progress": NaN, "log": 7}', '{"attempts": 1e999, "delay": NaN}'),
)


async def test_a_hostile_dead_letter_and_job_are_shown(ask: Client, redis_url: str) -> None:
    """Values that other programs have written break no answer."""
    with redis.Redis.from_url(redis_url) as server:
        server.lpush("bull:dead:wait", "odd", "odder")
        server.hset("bull:dead:odd", mapping={"name": "x", "data": "[1]", "opts": "{}", "timestamp": "1"})
        job = Lane("file-processing", connection=server, serializer="json").enqueue("x", job_id="strange")
        server.hset(f"rq:job:{job.id}", "data", b"\xff\xff")

    assert [] == (await ask("GET", "/queue/dead-letters")).json()
    assert 404 == (await ask("GET", "/queue/dead-letters/odd")).status_code
    assert "unreadable" == (await ask("GET", "/queue/jobs/strange")).json()["name"]


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_malformed_numbers_are_shown(ask: Client, redis_url: str, wire: str) -> None:
    """The job is shown whatever stands in its times, priority, result and payload."""
    odd = {
        *("processedOn", "finishedOn", "timestamp", "delay", "priority", "atm", "ats", "parentKey", "pb"),
        *("started_at", "ended_at", "worker_name", "retries_left", "dependency_ids", "due_at", "promoted_at"),
        *("attempts_made", "crashes", "stc"),
    }
    where = (await ask("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire}})).headers["location"]
    job_id = where.split("?")[0].rsplit("/", 1)[-1]
    key = f"rq:job:{job_id}" if wire == "rq" else f"bull:file-processing:{job_id}"
    listed = f"/queue/jobs?queue=file-processing&wire={wire}&state=waiting"
    with redis.Redis.from_url(redis_url) as server:
        server.xadd(f"rq:results:{job_id}", {"type": "2", "exc_string": "AAAA"})
        for name in sorted(odd):
            for value in ("9" * 400, "9" * 4500, "NaN", "x:y"):
                before = server.hget(key, name)
                server.hset(key, name, value)
                assert 200 == (await ask("GET", where)).status_code, (name, value)
                server.hdel(key, name) if before is None else server.hset(key, name, before)
        for name in ("data", "progress", "returnvalue", "meta", "stacktrace", "opts"):
            for value in (
                "[1e999]",
                "[" * 300 + "]" * 300,
                '{"progress": NaN, "log": 7}',
                '["\\ud800"]',
                '{"attempts": 1e999, "delay": NaN}',
            ):
                server.hset(key, name, value)
                assert 200 == (await ask("GET", where)).status_code, (name, value)
    assert 200 == (await ask("GET", listed)).status_code
