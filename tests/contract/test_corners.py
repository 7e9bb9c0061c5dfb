"""Corner cases that a review found: a fault of one job, or at a bad moment, stays with that job."""

from __future__ import annotations

import asyncio
import json
import pickle  # noqa: TID251 -- written here, and never read
import time
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from bullmq import Queue as BullQueue
from redis import Redis
from rq import Callback, Repeat
from rq import Queue as RQQueue
from rq import Worker as StockWorker
from rq.job import Job as StockJob
from rq.registry import FailedJobRegistry, FinishedJobRegistry

from queue_lib.broker.base import NotNow
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.errors import BrokerRefusedError, BrokerUnavailableError, LeaseLostError, TransientError
from queue_lib.job import State
from queue_lib.outcome import Failure
from tests.support.polling import BUSY
from tests.support.wire_kit import PREFIX, QUEUE, WireKit, queue, rq_enqueue

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILURE = Failure("it broke", "Traceback")


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    """A client as stock RQ opens it."""
    with Redis.from_url(redis_url) as connection:
        yield connection


def notify(*_: Any) -> None:
    """A callback of another team's job."""


def write_rq_job(client: Redis, job_id: str, **fields: Any) -> None:
    """Write a job hash by hand, as only a foreign producer would."""
    call = json.dumps(["greet", None, [{}], {}])
    raw = {"data": call, "origin": QUEUE.name, "status": "queued", "created_at": "2026-01-02T03:04:05Z"} | fields
    client.hset(f"rq:job:{job_id}", mapping=raw)
    client.rpush(f"rq:queue:{QUEUE.name}", job_id)


async def test_a_dead_letter_can_always_be_written(rq: WireKit) -> None:
    """Data that JSON can't carry (NaN) is written in a form that it can."""
    await rq.enqueue("greet", {"lat": float("nan")})
    job = (await rq.claim(await rq.broker())).job
    await rq.dead_letters.add(DeadLetter(job=job, failure=FAILURE, failed_at=0.0))
    [letter] = await rq.letters()
    assert {"lat": None} == letter["data"]["data"]


@pytest.mark.parametrize("job_id", ["a b", "x:y", "caf\u00e9"])
async def test_an_odd_id_is_refused_and_buried(client: Redis, rq: WireKit, job_id: str) -> None:
    """A job whose id RQ would never write is buried like any other unreadable job."""
    write_rq_job(client, job_id)
    lease = await rq.claim(await rq.broker())
    assert "unreadable job: ValueError" in (lease.job.refusal or "")
    await lease.bury(FAILURE)
    assert 0 == client.zcard(f"rq:wip:{QUEUE.name}")
    assert 1 == client.zcard(f"rq:failed:{QUEUE.name}")


@pytest.mark.parametrize(
    "fields",
    [
        {"retries_left": 2**70},
        {"failure_ttl": 2**70},
        {"result_ttl": -(2**70)},
        {"retry_intervals": "[1e18]"},
        {"repeat_intervals": '["x"]'},
        {"dependency_ids": "[5]"},
        {"meta": '["x"]'},
        {"attempts_made": "1e3"},
    ],
)
async def test_fields_that_would_fail_later_are_refused_at_once(client: Redis, rq: WireKit, fields: Any) -> None:
    """A field that could not be written back on settling is refused at the claim."""
    write_rq_job(client, "odd", **fields)
    lease = await rq.claim(await rq.broker())
    assert lease.job.refusal is not None
    await lease.bury(FAILURE)
    assert State.FAILED == (await rq.view("odd")).state


async def test_a_buried_job_keeps_what_its_producer_wrote(client: Redis, rq: WireKit) -> None:
    """Burying does not change an unreadable job, such as one that was pickled by mistake."""
    data = zlib.compress(pickle.dumps(("greet", None, ({"userId": "u1"},), {})))
    write_rq_job(client, "pickled", data=data, success_callback_name="app.done")
    await (await rq.claim(await rq.broker())).bury(FAILURE)
    assert data == client.hget("rq:job:pickled", "data")
    assert b"app.done" == client.hget("rq:job:pickled", "success_callback_name")
    assert "unreadable" == (await rq.view("pickled")).name


async def test_dependents_of_other_workers_stay_as_they_are(client: Redis, rq: WireKit) -> None:
    """A job of a stock worker's queue that depends on one of ours keeps its callback."""
    parent_id = await rq.enqueue("greet", {})
    others = RQQueue("others", connection=client, serializer="json")
    parent = StockJob.fetch(parent_id, connection=client, serializer="json")
    child = others.enqueue("app.task", depends_on=parent, on_success=Callback(notify))
    await (await rq.claim(await rq.broker())).done({"sent": 1})
    assert [child.id] == others.job_ids
    name = client.hget(child.key, "success_callback_name")
    assert name is not None
    assert str(name).endswith("notify'")


async def test_a_lost_job_that_repeats_is_not_repeated_twice(client: Redis, rq: WireKit) -> None:
    """A worker that has lost its lease settles nothing, also when RQ's own code would settle it."""
    job_id = rq_enqueue(client, "greet", {}, repeat=Repeat(times=2, interval=60))
    lease = await rq.claim(await rq.broker(lease_duration=1.0))
    client.zremrangebyrank(f"rq:wip:{QUEUE.name}", 0, -1)
    with pytest.raises(LeaseLostError):
        await lease.done(None)
    assert 0 == client.zcard(f"rq:scheduled:{QUEUE.name}")
    assert job_id == lease.job.id


async def test_a_job_with_dependents_is_kept_as_long_as_others(client: Redis, rq: WireKit) -> None:
    """The queue's retention holds for a job that RQ settles in its own way, and the worker is idle afterwards."""
    parent_id = await rq.enqueue("greet", {})
    parent = StockJob.fetch(parent_id, connection=client, serializer="json")
    RQQueue(QUEUE.name, connection=client, serializer="json").enqueue("greet", {}, depends_on=parent)
    await (await rq.claim(await rq.broker())).done(None)
    assert 3500 < client.ttl(parent.key) <= 3600
    assert ["idle"] == [worker.get_state() for worker in StockWorker.all(connection=client)]


async def test_a_stock_workers_job_is_not_dropped(client: Redis, rq: WireKit) -> None:
    """A job that a killed stock worker has left between claim and start goes back to its queue after a lease."""
    job_id = await rq.enqueue("greet", {})
    client.lmove(f"rq:queue:{QUEUE.name}", f"rq:queue:{QUEUE.name}:intermediate", "LEFT", "RIGHT")
    broker = await rq.broker(lease_duration=1.0)
    await rq.chore(broker, "recover jobs")
    await asyncio.sleep(1.1)
    await rq.chore(broker, "recover jobs")
    assert job_id == (await rq.claim(broker)).job.id


async def test_a_worker_that_redis_has_forgotten_registers_anew(client: Redis, rq: WireKit) -> None:
    """After Redis has lost its data `rq info` shows the worker again with its next heartbeat."""
    await rq.enqueue("greet", {})
    broker = await rq.broker()
    await rq.claim(broker)
    client.flushall()
    await rq.chore(broker, "renew leases")
    assert 1 == len(StockWorker.all(connection=client))


async def test_retention_by_count_catches_up(client: Redis, rq: WireKit) -> None:
    """One pass leaves as many finished jobs as the queue keeps, however many there are."""
    registry = FinishedJobRegistry(QUEUE.name, connection=client)
    with client.pipeline() as pipe:
        for number in range(2500):
            fields: Any = {"status": "finished", "origin": QUEUE.name, "settled_by": f"job-{number}:x"}
            pipe.hset(StockJob.key_for(f"job-{number}"), mapping=fields)
            pipe.zadd(registry.key, {f"job-{number}": 4_000_000_000 + number})
            pipe.rpush(f"rq:kept:{QUEUE.name}", f"job-{number}:x")
        pipe.execute()
    await rq.chore(await rq.broker(), "apply retention")
    kept = [f"job-{number}" for number in range(2400, 2500)]
    assert kept == registry.get_job_ids(cleanup=False)
    assert {StockJob.key_for(job_id).encode() for job_id in kept} == set(client.keys("rq:job:*"))


async def test_a_job_claimed_when_redis_goes_away_is_begun_when_it_is_back(
    rq: WireKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that an outage cuts in half is finished by the next one, and need not wait for the end of a lease."""
    job_id = await rq.enqueue("greet", {})
    broker: Any = await rq.broker()
    with monkeypatch.context() as patch:
        patch.setattr(broker._session.batch, "send", _away)
        with pytest.raises(BrokerUnavailableError):
            await broker.claim(QUEUE)
    assert job_id == (await rq.claim(broker)).job.id


async def _away(*_: Any, **__: Any) -> None:
    raise ConnectionError


async def test_a_claim_that_another_worker_recovered_is_not_started(client: Redis, rq: WireKit) -> None:
    """The job went back to its queue between claim and start."""
    await rq.enqueue("greet", {})
    broker: Any = await rq.broker()
    real = broker._session.batch.send

    async def recovered_meanwhile(*args: Any, **kwargs: Any) -> Any:
        client.lmove(f"rq:queue:{QUEUE.name}:intermediate", f"rq:queue:{QUEUE.name}", "LEFT", "LEFT")
        return await real(*args, **kwargs)

    broker._session.batch.send = recovered_meanwhile
    assert isinstance(await broker.claim(QUEUE), NotNow)
    assert 1 == client.llen(f"rq:queue:{QUEUE.name}")
    assert not broker._session.worker.executions


async def test_a_command_that_redis_refuses_is_no_outage(client: Redis, rq: WireKit) -> None:
    """A key of a wrong type raises an error; waiting for the outage to end would take for ever."""
    job_id = await rq.enqueue("greet", {})
    lease = await rq.claim(await rq.broker())
    client.set(f"rq:results:{job_id}", "x")
    with pytest.raises(BrokerRefusedError, match="WRONGTYPE"):
        await lease.done(None)


@pytest.mark.parametrize("key", ["rq:job:{}:dependents", "rq:executions:{}", "rq:results:{}"])
async def test_a_job_whose_keys_are_not_its_own_blocks_no_other(client: Redis, rq: WireKit, key: str) -> None:
    """It is buried with its reason, the next one runs, and once an operator retries it, it runs as well."""
    odd, sound = [await rq.enqueue("greet", {}) for _ in range(2)]
    client.set(key.format(odd), "x")
    broker = await rq.broker()
    lease = await rq.claim(broker)
    assert f"unreadable job: TypeError: {key.format(odd)} was a string: removed" == lease.job.refusal
    await lease.bury(FAILURE)
    assert sound == (await rq.claim(broker)).job.id
    assert await rq.inspector.retry(QUEUE.name, odd)
    again = await rq.claim(broker)
    assert (odd, None) == (again.job.id, again.job.refusal)
    await again.done(None)


async def test_a_key_that_is_not_its_own_keeps_no_lost_job_from_being_recovered(client: Redis, rq: WireKit) -> None:
    """It appeared while the job ran, and the worker died: this job and the others are recovered."""
    jobs = [await rq.enqueue("greet", {}) for _ in range(2)]
    dead = await rq.broker(lease_duration=1.0)
    leases: list[Any] = await asyncio.gather(*(rq.claim(dead) for _ in jobs))
    client.set(f"rq:executions:{jobs[0]}", "x")
    for lease in leases:
        client.zadd(f"rq:wip:{QUEUE.name}", {lease.execution.composite_key: 1})
    await rq.chore(await rq.broker(), "recover jobs")
    assert 2 == client.llen(f"rq:queue:{QUEUE.name}")


async def test_a_key_that_is_no_job_stops_no_chore(client: Redis, rq: WireKit) -> None:
    """Lists name a key of another type where a job's hash would be: the other jobs are claimed and kept."""
    await rq.enqueue("greet", {})
    client.set("rq:job:odd", "x")
    client.set("rq:execution:odd:e", "x")
    lane = QUEUE.name
    for key in (f"rq:queue:{lane}", f"rq:queue:{lane}:intermediate"):
        client.lpush(key, "odd")
    for key, member in ((f"rq:scheduled:{lane}", "odd"), (f"rq:wip:{lane}", "odd:e"), (f"rq:finished:{lane}", "odd")):
        client.zadd(key, {member: 1})
    client.rpush(f"rq:kept:{lane}", *["odd:e"] * 101)

    broker: Any = await rq.broker()
    broker._unacknowledged.suspect(lane)
    lease = await rq.claim(broker)
    for chore in ("recover jobs", "apply retention", "renew leases"):
        await rq.chore(broker, chore)
    await lease.done(None)

    assert "greet" == lease.job.name
    assert [0, 0] == [client.llen(f"rq:queue:{lane}:intermediate"), client.zcard(f"rq:wip:{lane}")]


async def test_a_requeued_job_starts_anew(client: Redis, rq: WireKit) -> None:
    """A job that was buried for its crashes runs again when an operator requeues it."""
    job_id = await rq.enqueue("greet", {})
    client.hset(f"rq:job:{job_id}", "crashes", 3)
    broker = await rq.broker()
    lease = await rq.claim(broker)
    assert lease.job.refusal is not None
    await lease.bury(FAILURE)
    FailedJobRegistry(QUEUE.name, connection=client, serializer="json").requeue(job_id)
    assert (await rq.claim(broker)).job.refusal is None


async def test_a_job_leased_again_by_the_same_worker_is_renewed(bullmq: WireKit, client: Redis) -> None:
    """After an outage a worker may claim its own lost job: the loss of the old lease does not end the new one."""
    job_id = await bullmq.enqueue("greet", {})
    broker = await bullmq.broker(lease_duration=1.0)
    old = await bullmq.claim(broker)
    client.delete(f"{PREFIX}:{QUEUE.name}:{job_id}:lock")
    for _ in range(20):
        await bullmq.chore(broker, "recover jobs")
        claimed = await broker.claim(QUEUE)
        if not isinstance(claimed, NotNow):
            break
        await asyncio.sleep(0.1)
    with pytest.raises(LeaseLostError):
        await old.done(None)
    await asyncio.sleep(0.5)
    await bullmq.chore(broker, "renew leases")
    assert client.pttl(f"{PREFIX}:{QUEUE.name}:{job_id}:lock") > 700


async def test_a_parent_that_was_given_a_child_has_failed_this_attempt(redis_url: str, bullmq: WireKit) -> None:
    """BullMQ does not let a parent with an open child complete: the attempt has failed, and the lease is not lost."""
    parent_id = await bullmq.enqueue("greet", {})
    lease = await bullmq.claim(await bullmq.broker())
    children = BullQueue("children", {"connection": redis_url, "prefix": PREFIX})
    await children.add("greet", {}, {"parent": {"id": parent_id, "queue": f"{PREFIX}:{QUEUE.name}"}})
    await children.close()
    with pytest.raises(TransientError, match="pending dependencies"):
        await lease.done(None)
    await lease.retry(60, FAILURE)
    assert State.DELAYED == (await bullmq.view(parent_id)).state


@pytest.mark.parametrize(
    "opts",
    [
        {"removeOnComplete": {"count": "100"}},
        {"removeOnFail": 10**30},
        {"removeOnFail": 2.5},
        {"failParentOnFailure": 10**30},
        {"attempts": 10**30},
        {"keepLogs": "x"},
    ],
)
async def test_options_that_would_fail_later_are_refused_at_once(client: Redis, bullmq: WireKit, opts: Any) -> None:
    """An option on which a script would fail at settling is refused at the claim."""
    key = f"{PREFIX}:{QUEUE.name}:7"
    client.hset(key, mapping={"name": "greet", "data": "{}", "opts": json.dumps(opts), "timestamp": 0})
    client.lpush(f"{PREFIX}:{QUEUE.name}:wait", "7")
    lease = await bullmq.claim(await bullmq.broker())
    assert lease.job.refusal is not None
    await lease.bury(FAILURE)
    assert 1 == client.zcard(f"{PREFIX}:{QUEUE.name}:failed")


async def test_stack_traces_that_are_no_list_are_refused(client: Redis, bullmq: WireKit) -> None:
    """Before the job runs, not when its outcome is written."""
    job_id = await bullmq.enqueue("greet", {})
    client.hset(f"{PREFIX}:{QUEUE.name}:{job_id}", "stacktrace", "5")
    lease = await bullmq.claim(await bullmq.broker())
    assert lease.job.refusal is not None
    await lease.bury(FAILURE)


async def test_bullmqs_metrics_are_counted(client: Redis, bullmq: WireKit) -> None:
    """`queue.getMetrics()` and dashboards' charts have their counts."""
    await bullmq.enqueue("greet", {})
    await (await bullmq.claim(await bullmq.broker())).done(None)
    assert b"1" == client.hget(f"{PREFIX}:{QUEUE.name}:metrics:completed", "count")


async def test_a_log_needs_no_connection_of_its_own(client: Redis, bullmq: WireKit) -> None:
    """Many log lines of many jobs share the broker's one connection."""
    broker = await bullmq.broker([queue(concurrency=8)])
    for number in range(8):
        await bullmq.enqueue("greet", number)
    leases = [await bullmq.claim(broker) for _ in range(8)]
    before = len(client.client_list())
    await asyncio.gather(*(lease.log("a line") for lease in leases))
    assert before == len(client.client_list())


async def test_a_long_idle_time_changes_nothing(bullmq: WireKit, rq: WireKit) -> None:
    """After more than five idle seconds, redis-py's own timeout, a job is picked up as fast as before."""
    claims = [asyncio.create_task(kit.claim(await kit.broker())) for kit in (bullmq, rq)]
    await asyncio.sleep(6)
    started = time.monotonic()
    await bullmq.enqueue("greet", {})
    await rq.enqueue("greet", {})
    await asyncio.gather(*claims)
    assert time.monotonic() - started < BUSY
    assert [] == [*bullmq.events, *rq.events]
