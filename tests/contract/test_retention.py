"""How long ended jobs stay: as each job asked, or as the queue says for jobs that asked for nothing."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
from bullmq import FlowProducer
from rq import Queue as RQQueue
from rq.registry import FailedJobRegistry, FinishedJobRegistry

from queue_lib.job import State
from queue_lib.outcome import Failure
from queue_lib.queues import Retention
from tests.support.wire_kit import QUEUE, WireKit, queue

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = 3600.0
DAY = 24 * HOUR
KEPT = queue(keep_completed=Retention(age=DAY, count=3), keep_failed=Retention(age=DAY))
OPTIONS = [
    *(None, False, True, 0, 1, 7, 5000, -1),
    *({"age": 60}, {"age": 30 * DAY}, {"count": 5}, {"count": 5000}, {"count": 5, "age": 30 * DAY}, {"age": 0}, {}),
]
AGES = [0.5 * DAY, 0.9 * DAY, 1.1 * DAY, 8 * DAY, 29 * DAY, 31 * DAY]  # of jobs, since they ended


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """What stands in Redis."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as connection:
        yield connection


def _stays(option: Any, age: float, newer: int) -> bool:
    """Whether a job with this option and age in seconds stays, when so many jobs of its queue ended after it."""
    match option:
        case None:
            return age < DAY
        case bool():
            return not option
        case int():
            return option < 0 or newer < option
        case _:
            return bool(age < option.get("age", age + 1) and newer < option.get("count", newer + 1))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("state", "option"), [("completed", "removeOnComplete"), ("failed", "removeOnFail")])
async def test_the_chore_keeps_what_a_job_asked_to_keep(
    client: redis.Redis, bullmq: WireKit, state: str, option: str, seed: int
) -> None:
    """The job's option wins over the queue's age, and holds when no other job ends, too."""
    draw, now, prefix = random.Random(seed), time.time(), f"bull:{QUEUE.name}:"
    jobs = [(draw.choice(OPTIONS), draw.choice(AGES) + draw.random() * HOUR) for _ in range(draw.choice([3, 40, 1200]))]
    jobs.sort(key=lambda job: -job[1])
    with client.pipeline() as pipe:
        for number, (asked, age) in enumerate(jobs):
            opts = {} if asked is None else {option: asked}
            pipe.hset(f"{prefix}{number}", mapping={"name": "greet", "data": "{}", "opts": json.dumps(opts)})
            pipe.zadd(prefix + state, {str(number): round((now - age) * 1000)})
        pipe.execute()
    await bullmq.chore(await bullmq.broker([KEPT]), "apply retention")

    expected = [str(number) for number, job in enumerate(jobs) if _stays(*job, len(jobs) - number - 1)]
    assert expected == client.zrange(prefix + state, 0, -1)
    assert {prefix + number for number in expected} == {
        key for key in client.scan_iter(prefix + "*", count=1000, _type="hash") if key != prefix + "meta"
    }


async def test_jobs_that_asked_for_nothing_leave_the_others_alone(client: redis.Redis, bullmq: WireKit) -> None:
    """Of jobs without an option the newest stay, as many as the queue keeps; they push out no other job."""
    broker = await bullmq.broker([KEPT])
    ids = []
    for opts in ({"removeOnComplete": False}, {"removeOnComplete": -1}, *[{}] * 5):
        ids.append(await bullmq.enqueue("greet", {}))
        client.hset(f"bull:{QUEUE.name}:{ids[-1]}", "opts", json.dumps(opts))
        await (await bullmq.claim(broker, KEPT)).done(None)
    assert [*ids[:2], *ids[-3:]] == client.zrange(f"bull:{QUEUE.name}:completed", 0, -1)
    assert not any(client.exists(f"bull:{QUEUE.name}:{job_id}") for job_id in ids[2:-3])


async def test_an_id_that_is_used_again_counts_by_its_last_job(client: redis.Redis, bullmq: WireKit) -> None:
    """The first job of an id asked for nothing; the second asks to stay for ever, and does."""
    broker, prefix = await bullmq.broker([KEPT]), f"bull:{QUEUE.name}:"
    for opts in ({}, {"removeOnComplete": False}, *[{}] * 4):
        job_id = "again" if client.zcard(prefix + "completed") < 1 else await bullmq.enqueue("greet", {})
        if job_id == "again":
            client.hset(prefix + job_id, mapping={"name": "greet", "data": "{}", "timestamp": 1})
            client.lpush(prefix + "wait", job_id)
        client.hset(prefix + job_id, "opts", json.dumps(opts))
        await (await bullmq.claim(broker, KEPT)).done(None)
        if opts == {} and job_id == "again":
            client.zrem(prefix + "completed", job_id)
            client.delete(prefix + job_id)
    assert "again" in client.zrange(prefix + "completed", 0, -1)
    assert client.exists(prefix + "again")


async def test_jobs_of_any_id_are_trimmed(client: redis.Redis, bullmq: WireKit) -> None:
    """Whatever the app calls its jobs, those past their time go."""
    prefix, ended = f"bull:{QUEUE.name}:", round((time.time() - 2 * DAY) * 1000)
    for job_id in ("doomed", "retained"):
        client.hset(prefix + job_id, mapping={"name": "greet", "data": "{}", "opts": "{}"})
        client.zadd(prefix + "completed", {job_id: ended})
    await bullmq.chore(await bullmq.broker([KEPT]), "apply retention")
    assert not client.exists(prefix + "completed", prefix + "doomed", prefix + "retained")


async def test_a_job_that_is_run_again_is_not_deleted(client: redis.Redis, bullmq: WireKit) -> None:
    """A completed job that the app retries is not counted, and stays while it waits."""
    broker = await bullmq.broker([KEPT])
    first = await bullmq.enqueue("greet", {})
    await (await bullmq.claim(broker, KEPT)).done(None)
    for _ in range(4):
        await bullmq.enqueue("greet", {})
    claimed = [await bullmq.claim(broker, KEPT) for _ in range(4)]
    client.zrem(f"bull:{QUEUE.name}:completed", first)
    client.rpush(f"bull:{QUEUE.name}:wait", first)
    for lease in claimed:
        await lease.done(None)
    assert client.exists(f"bull:{QUEUE.name}:{first}")


@pytest.mark.parametrize("deleted_by", ["count", "age", "an operator"])
async def test_a_parent_outlives_its_dead_child(
    redis_url: str, client: redis.Redis, bullmq: WireKit, deleted_by: str
) -> None:
    """It runs without the child's result, as with bullmq's own worker: also a parent in the child's queue."""
    flows: Any = FlowProducer({"connection": redis_url})
    parent, child = ({"name": name, "queueName": QUEUE.name, "opts": {"jobId": name}} for name in ("parent", "child"))
    await flows.add({**parent, "children": [child]})
    await flows.close()
    kept = queue(attempts=1, keep_failed=Retention(age=DAY, count=1))
    broker = await bullmq.broker([kept])
    await (await bullmq.claim(broker, kept)).bury(Failure("broken"))
    if deleted_by == "count":
        await bullmq.enqueue("greet", {})
        await (await bullmq.claim(broker, kept)).bury(Failure("broken"))
    elif deleted_by == "age":
        client.zadd(f"bull:{QUEUE.name}:failed", {"child": round((time.time() - 2 * DAY) * 1000)})
        await bullmq.chore(broker, "apply retention")
    else:
        assert 1 == await bullmq.inspector.clean(QUEUE.name, State.FAILED, 0.0, 10)

    assert not client.exists(f"bull:{QUEUE.name}:child")
    assert "parent" == (await bullmq.claim(broker, kept)).job.id


async def test_rqs_options_win(redis_url: str, rq: WireKit) -> None:
    """`result_ttl` and `failure_ttl` of -1 mean for ever, a month a month; the queue's count is for other jobs."""
    broker = await rq.broker([KEPT])
    with redis.Redis.from_url(redis_url) as connection:
        lane = RQQueue(QUEUE.name, connection=connection, serializer="json")
        chosen = [lane.enqueue("greet", {}, result_ttl=ttl).id for ttl in (-1, int(30 * DAY), int(DAY))]
        left = [lane.enqueue("greet", {}).id for _ in range(5)]
        for _ in (*chosen, *left):
            await (await rq.claim(broker, KEPT)).done(None)
        failed = [lane.enqueue("greet", {}, failure_ttl=ttl).id for ttl in (-1, int(30 * DAY))]
        for _ in failed:
            await (await rq.claim(broker, KEPT)).bury(Failure("broken"))
        await rq.chore(broker, "apply retention")

        finished = set(FinishedJobRegistry(QUEUE.name, connection).get_job_ids(cleanup=False))
        assert set(chosen) == finished.difference(left)
        assert set(left[-3:]) == finished.intersection(left)
        assert set(failed) == set(FailedJobRegistry(QUEUE.name, connection).get_job_ids())
        for_ever = {one for one in (*finished, *failed) if connection.ttl(f"rq:job:{one}") == -1}
        assert {chosen[0], failed[0]} == for_ever


async def test_rqs_jobs_are_trimmed_as_they_end(redis_url: str, rq: WireKit) -> None:
    """Without the chore: of jobs without a `result_ttl` the newest stay, as many as the queue keeps, over all lanes."""
    broker = await rq.broker([KEPT])
    with redis.Redis.from_url(redis_url) as connection:
        lanes = [RQQueue(QUEUE.name + lane, connection=connection, serializer="json") for lane in ("-high", "", "-low")]
        ids = [lanes[number // 4].enqueue("greet", {}).id for number in range(12)]
        parent = RQQueue(QUEUE.name + "-low", connection=connection, serializer="json").enqueue("greet", {})
        dependent = lanes[2].enqueue("greet", {}, depends_on=parent)
        for done in range(1, 13):
            await (await rq.claim(broker, KEPT)).done({"sent": 1})
            assert set(ids[max(0, done - 3) : done]) == _hashes(connection).intersection(ids[:done])
        for _ in range(2):  # in RQ's own way, then again in ours
            await (await rq.claim(broker, KEPT)).done(None)
        assert {*ids[-1:], parent.id, dependent.id} == _hashes(connection)
        assert 3 == len(connection.keys("rq:results:*"))
        assert 3 == sum(connection.zcard(key) for key in connection.keys("rq:finished:*"))


async def test_a_job_of_rq_that_runs_again_is_not_trimmed(redis_url: str, rq: WireKit) -> None:
    """A requeued job counts from when it ends again."""
    broker = await rq.broker([KEPT])
    with redis.Redis.from_url(redis_url) as connection:
        lane = RQQueue(QUEUE.name, connection=connection, serializer="json")
        again = lane.enqueue("greet", {})
        await (await rq.claim(broker, KEPT)).done(None)
        lane.enqueue_job(again)
        others = [lane.enqueue("greet", {}).id for _ in range(2)]
        for _ in range(3):
            await (await rq.claim(broker, KEPT)).done(None)
        assert {*others, again.id} == _hashes(connection)


async def test_a_finished_job_of_rq_is_small(redis_url: str, rq: WireKit) -> None:
    """It takes less than 3,000 bytes, and RQ's tools read what they read before."""
    broker = await rq.broker([KEPT])
    with redis.Redis.from_url(redis_url) as connection:
        lane = RQQueue(QUEUE.name, connection=connection, serializer="json")
        job = lane.enqueue("greet", {"userId": "u1", "payload": {"title": "Hello", "body": "x" * 50}})
        await (await rq.claim(broker, KEPT)).done({"sent": 1, "failed": 0, "pruned": 0, "total": 1})

        keys = [key for key in connection.keys("*") if job.id.encode() in key]
        assert sum(int(connection.memory_usage(key, samples=0) or 0) for key in keys) < 3000
        assert {"sent": 1, "failed": 0, "pruned": 0, "total": 1} == job.return_value()
        ttls = [connection.ttl(key) for key in keys]
        assert all(DAY - 10 < ttl <= DAY for ttl in ttls)
        assert job.description is not None
        assert job.description.encode() == connection.hget(job.key, "description")


def _hashes(connection: redis.Redis) -> set[str]:
    """The ids of RQ's jobs."""
    keys: Any = connection.keys("rq:job:*")
    return {key.decode().removeprefix("rq:job:") for key in keys if key.count(b":") == 2}
