"""Keys of other types beside the jobs in Redis: they are neither shown nor deleted, and hide no job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis

from queue_lib.job import KEYS_OF_QUEUES, State
from tests.support.failed_jobs import failed
from tests.support.wire_kit import QUEUE, WireKit

if TYPE_CHECKING:
    from queue_lib.admin.admin import Admin

PARTS = ("lock", "logs", "dependencies", "processed", "failed", "unsuccessful", "dependents")
KINDS = ("lock", "logs", "dependencies", "unsuccessful")  # a text, a list, a set, a sorted set


@pytest.fixture
def strange(redis_url: str, kit: WireKit) -> redis.Redis:
    """A server with a key of each kind where parts of the job `x` would be."""
    server = redis.Redis.from_url(redis_url)
    for where in (f"bull:{QUEUE.name}:", "rq:job:") if kit.name != "memory" else ():
        server.set(f"{where}x:lock", "token")
        server.rpush(f"{where}x:logs", "line")
        server.sadd(f"{where}x:dependencies", "bull:work:y")
        server.sadd(f"{where}x:dependents", "y")
        server.zadd(f"{where}x:unsuccessful", {"bull:work:y": 0})
        server.hset(f"{where}x:processed", "bull:work:y", "1")
        server.hset(f"{where}x:failed", "bull:work:y", "1")
        server.hset(f"{where}repeat:every-day", mapping={"name": "greet", "every": "1000", "data": "{}"})
    return server


async def test_parts_of_jobs_and_keys_of_queues_are_no_jobs(kit: WireKit, admin: Admin, strange: redis.Redis) -> None:
    """Asking for them by name finds nothing and changes nothing: a queue's `meta` has its pause switch."""
    await failed(kit, "greet")
    await admin.queues.pause(QUEUE.name)
    before = sorted(strange.keys())
    with strange:
        for job_id in (*KEYS_OF_QUEUES, "repeat:every-day", *(f"x:{part}" for part in PARTS)):
            assert [] == await admin.jobs.find(job_id), job_id
            assert not await kit.inspector.retry(QUEUE.name, job_id), job_id
            assert not await kit.inspector.promote(QUEUE.name, job_id), job_id
            assert not await kit.inspector.remove(QUEUE.name, job_id), job_id
        assert before == sorted(strange.keys())
    assert await kit.inspector.is_paused(QUEUE.name)


async def test_an_entry_that_is_no_job_hides_no_other(kit: WireKit, admin: Admin, strange: redis.Redis) -> None:
    """Pages, searches and watches skip ids that lead to another type of key."""
    job_id = await kit.enqueue("greet", {"userId": "u"})
    with strange:
        for kind in KINDS if kit.name != "memory" else ():
            strange.lpush(f"bull:{QUEUE.name}:wait", f"x:{kind}")
            strange.rpush(f"rq:queue:{QUEUE.name}", f"x:{kind}")
    wire = kit.inspector.wire

    assert [job_id] == [job.id for job in (await admin.jobs.browse(QUEUE.name, State.WAITING, wire, 0, 50)).jobs]
    assert [job_id] == [job.id for job in (await admin.jobs.search(QUEUE.name, State.WAITING, wire, "greet")).jobs]
    marks = await admin.jobs.fingerprints(QUEUE.name, wire, ["x:lock", job_id, "x:logs"])
    assert [True, False, True] == [mark is None for mark in marks]
