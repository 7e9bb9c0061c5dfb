"""The app's job schedulers: each job is followed by the next, and a scheduler that stops early is reported."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis
from bullmq import Job as BullJob
from structlog.testing import capture_logs

from queue_lib.broker.bullmq.cron import next_time
from queue_lib.broker.bullmq.schedulers import PAGE
from queue_lib.web.api.queue_models import queue_out
from tests.support.wire_kit import PREFIX, QUEUE, WireKit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.admin.admin import Admin

KEY = f"{PREFIX}:{QUEUE.name}"
MINUTE = 60_000  # milliseconds
PATTERN = {"pattern": "0 9 * * *", "tz": "Europe/Berlin"}


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """What stands in Redis."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as connection:
        yield connection


@pytest.fixture
def kit(bullmq: WireKit) -> WireKit:
    """BullMQ's wire alone: RQ has no schedulers."""
    return bullmq


def now() -> int:
    """Milliseconds since the epoch."""
    return round(time.time() * 1000)


def scheduled(client: redis.Redis, scheduler: str, record: dict[str, Any], ago: int = MINUTE) -> int:
    """Write a scheduler whose job was due some time ago and does not exist; returns when it was due."""
    due = now() - ago
    client.zadd(f"{KEY}:repeat", {scheduler: due})
    fields: dict[Any, Any] = {"name": "greet", "ic": 3, "data": '{"n":1}', **record}
    client.hset(f"{KEY}:repeat:{scheduler}", mapping=fields)
    return due


def waiting(client: redis.Redis, scheduler: str, record: dict[str, Any], **fields: Any) -> int:
    """The same, with its job in the line."""
    due = scheduled(client, scheduler, record, ago=100)
    job_id = f"repeat:{scheduler}:{due}"
    opts = {"repeat": {**record, "count": 1}, "prevMillis": due, "jobId": job_id, "attempts": 0}
    job: dict[Any, Any] = {"name": "greet", "data": '{"n":1}', "opts": json.dumps(opts), "timestamp": due, "delay": 0}
    job |= {"rjk": scheduler, **fields}
    client.hset(f"{KEY}:{job_id}", mapping=job)
    client.lpush(f"{KEY}:wait", job_id)
    return due


async def test_a_pattern_goes_on_by_the_clock_of_its_zone(client: redis.Redis, kit: WireKit) -> None:
    """The claim of a job adds the next one: for nine o'clock in Berlin."""
    waiting(client, "daily", PATTERN)
    await kit.claim(await kit.broker())
    due = round(next_time(PATTERN["pattern"], PATTERN["tz"], time.time(), "") * 1000)
    assert due == client.zscore(f"{KEY}:repeat", "daily")
    assert {"n": 1} == json.loads(client.hget(f"{KEY}:repeat:daily:{due}", "data") or "")


@pytest.mark.parametrize("pattern", ["@minutely", "@weekdays", "0 9 * * 5L", "H 3 * * *", "0 9 ? * FRI#2"])
async def test_patterns_that_node_accepts_go_on(client: redis.Redis, kit: WireKit, pattern: str) -> None:
    """Presets, the last Friday, and a minute derived from the scheduler's name, the same each time."""
    waiting(client, "one", {"pattern": pattern, "tz": "UTC"})
    await kit.claim(await kit.broker())
    due = round(next_time(pattern, "UTC", time.time(), "one") * 1000)
    assert due == client.zscore(f"{KEY}:repeat", "one")


async def test_a_repeatable_job_of_bullmq_5_keeps_its_data(client: redis.Redis, kit: WireKit) -> None:
    """The record has no data: that of the first job is passed on to each next one."""
    due = waiting(client, "5f2a", {"every": 50}, data='{"user":"ada"}')
    client.hdel(f"{KEY}:repeat:5f2a", "ic", "data")
    broker = await kit.broker()
    jobs = []
    for _ in range(3):
        lease = await kit.claim(broker)
        jobs.append((lease.job.name, lease.job.data))
        await lease.done(None)
    assert [("greet", {"user": "ada"})] * 3 == jobs
    assert due < (client.zscore(f"{KEY}:repeat", "5f2a") or 0)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"pattern": "0 9 * * 8"}, "8 is no day of week: expected 0 to 7, ascending"),
        ({"pattern": "0 9 * * *", "tz": "Mars/Olympus"}, "there is no time zone 'Mars/Olympus'"),
        ({"pattern": "0 9 31 2 *"}, "there is no such day"),
    ],
)
async def test_an_unreadable_pattern_is_reported(
    client: redis.Redis, kit: WireKit, admin: Admin, record: dict[str, Any], reason: str
) -> None:
    """Its job runs, and log and operators get the reason why none follows. Once the pattern is readable it goes on."""
    with capture_logs() as logs:
        waiting(client, "odd", record)
        broker = await kit.broker()
        lease = await kit.claim(broker)
        await lease.done(None)
        client.zincrby(f"{KEY}:repeat", -MINUTE, "odd")  # as if it were a minute later
        await kit.chore(broker, "continue schedulers")
        await kit.chore(broker, "continue schedulers")
    told = [line for line in logs if line["event"] == "scheduler_stopped"]
    assert [("odd", True)] == [(line["scheduler"], reason in line["reason"]) for line in told]
    [stats] = await admin.queues.stats()
    assert [("odd", record["pattern"], reason)] == [(each.id, each.schedule, each.reason) for each in stats.stopped]

    for name, value in PATTERN.items():
        client.hset(f"{KEY}:repeat:odd", name, value)
    await kit.chore(broker, "continue schedulers")
    [stats] = await admin.queues.stats()
    assert not stats.stopped
    assert now() < (client.zscore(f"{KEY}:repeat", "odd") or 0)


@pytest.mark.parametrize("record", [PATTERN, {"every": 1000}])
async def test_a_scheduler_whose_job_is_gone_goes_on(
    client: redis.Redis, kit: WireKit, admin: Admin, record: dict[str, Any]
) -> None:
    """A worker adds the next job, with the scheduler's data and options."""
    scheduled(client, "lost", {**record, "opts": '{"attempts":7}'})
    assert ["lost"] == [each.id for each in (await admin.queues.stats())[0].stopped]
    broker = await kit.broker()
    await kit.chore(broker, "continue schedulers")
    due = client.zscore(f"{KEY}:repeat", "lost") or 0
    assert now() - 1000 < due
    job = client.hgetall(f"{KEY}:repeat:lost:{due:.0f}")
    assert ('{"n":1}', 7) == (job["data"], json.loads(job["opts"])["attempts"])
    assert "4" == client.hget(f"{KEY}:repeat:lost", "ic")
    assert not (await admin.queues.stats())[0].stopped


async def test_schedulers_that_wait_or_have_ended_raise_no_alarm(
    client: redis.Redis, kit: WireKit, admin: Admin
) -> None:
    """A backlog keeps jobs waiting, and a scheduler ends at its limit or end date."""
    due = scheduled(client, "waits", PATTERN)
    client.hset(f"{KEY}:repeat:waits:{due}", "name", "greet")
    scheduled(client, "limited", {**PATTERN, "limit": 3})
    scheduled(client, "over", {**PATTERN, "endDate": now() - 1000})
    scheduled(client, "last", {**PATTERN, "endDate": now() + 1000})
    scheduled(client, "young", PATTERN, ago=5000)
    assert not (await admin.queues.stats())[0].stopped
    await kit.chore(await kit.broker(), "continue schedulers")
    assert {"name": "greet"} == client.hgetall(f"{KEY}:repeat:waits:{due}")
    assert 0 == client.zcard(f"{KEY}:delayed")


async def test_schedulers_that_have_ended_hide_none_that_has_stopped(
    client: redis.Redis, kit: WireKit, admin: Admin
) -> None:
    """BullMQ keeps every ended scheduler for ever, and at the head of its list."""
    with client.pipeline() as pipe:
        for number in range(2 * PAGE + 1):
            pipe.zadd(f"{KEY}:repeat", {f"ended-{number}": number})
            pipe.hset(f"{KEY}:repeat:ended-{number}", mapping={"pattern": "0 9 * * *", "ic": 3, "limit": 3})
        pipe.execute()
    scheduled(client, "odd", {"pattern": "0 9 * * 8"})
    scheduled(client, "lost", {"every": 1000})
    assert ["lost", "odd"] == sorted(each.id for each in (await admin.queues.stats())[0].stopped)
    await kit.chore(await kit.broker(), "continue schedulers")
    assert ["odd"] == [each.id for each in (await admin.queues.stats())[0].stopped]


@pytest.mark.parametrize(
    ("record", "score"), [({"every": "inf"}, math.inf), ({"every": "1e+300"}, 1e300), (PATTERN, 9e15)]
)
async def test_a_scheduler_that_is_never_due_has_stopped(
    client: redis.Redis, kit: WireKit, admin: Admin, record: dict[str, Any], score: float
) -> None:
    """`every: Infinity`, or a time after JavaScript's last date: operators see it, and no job is added."""
    scheduled(client, "never", record)
    client.zadd(f"{KEY}:repeat", {"never": score, "far": 8.6e15})
    with capture_logs() as logs:
        await kit.chore(await kit.broker(), "continue schedulers")
    [stats] = await admin.queues.stats()
    assert [("never", True)] == [(each.id, "never run" in each.reason) for each in stats.stopped]
    assert ["never"] == [line["scheduler"] for line in logs if line["event"] == "scheduler_stopped"]
    assert (score, 0) == (client.zscore(f"{KEY}:repeat", "never"), client.zcard(f"{KEY}:delayed"))
    assert queue_out(stats).stopped_schedulers[0].due_at in {None, score}


async def test_repeatable_jobs_whose_data_is_lost_do_not_run(client: redis.Redis, kit: WireKit, admin: Admin) -> None:
    """Of BullMQ 5, or of an older one with its own keys: the alarm says what to do."""
    for scheduler in ("5f2a", "greet::::0 9 * * *"):
        scheduled(client, scheduler, {"pattern": "0 9 * * *"})
        client.hdel(f"{KEY}:repeat:{scheduler}", "ic", "data")
    await kit.chore(await kit.broker(), "continue schedulers")
    stopped = (await admin.queues.stats())[0].stopped
    assert {"5f2a", "greet::::0 9 * * *"} == {each.id for each in stopped}
    assert all("queue.upsertJobScheduler" in each.reason for each in stopped)
    assert 0 == client.zcard(f"{KEY}:delayed")


@pytest.mark.parametrize(
    "record",
    [{"ic": "x"}, {"every": "soon"}, {"data": "{"}, {"opts": "[1]"}, {"every": 0}, {"tz": "\x00"}, {"name": ""}],
)
async def test_an_odd_record_stops_no_other_scheduler(
    client: redis.Redis, kit: WireKit, admin: Admin, record: dict[str, Any]
) -> None:
    """It is reported, or goes on; the others go on."""
    scheduled(client, "odd", {**PATTERN, **record})
    scheduled(client, "sound", PATTERN)
    client.zadd(f"{KEY}:repeat", {"nothing": 5})
    await kit.chore(await kit.broker(), "continue schedulers")
    stopped = {each.id for each in (await admin.queues.stats())[0].stopped}
    assert {"nothing"} <= stopped <= {"nothing", "odd"}


@pytest.mark.parametrize("by_completion", [False, True])
@pytest.mark.parametrize(
    "opts",
    [
        {},
        {"attempts": 4, "backoff": {"type": "exponential", "delay": 1000}, "removeOnComplete": {"age": 60}},
        {"priority": 3, "lifo": True, "fpof": True, "removeOnFail": False, "kl": 5},
    ],
)
async def test_an_interval_goes_on_in_the_step_of_the_claim(
    client: redis.Redis, kit: WireKit, opts: dict[str, Any], *, by_completion: bool
) -> None:
    """The next job equals the one that the package would add in a second step: options, data and count."""
    for scheduler in ("ours", "theirs"):
        due = waiting(client, scheduler, {"every": MINUTE})
        key = f"{KEY}:repeat:{scheduler}:{due}"
        told = json.loads(client.hget(key, "opts") or "")
        client.hset(key, "opts", json.dumps(told | opts))
    client.lrem(f"{KEY}:wait", 1, f"repeat:theirs:{due}")
    broker: Any = await kit.broker()
    if by_completion:
        await kit.enqueue("greet", {})
        client.rpoplpush(f"{KEY}:wait", f"{KEY}:wait")
        lease = await kit.claim(broker)
        assert "repeat" not in lease.job.id
        broker.reserve_for(QUEUE, lambda: 1)
        await lease.done(None)
    worker = broker._sessions[QUEUE.name].worker  # the package's, on the same server
    job = await BullJob.fromId(worker, f"repeat:theirs:{due}")
    await worker._scheduleNextIteration(job)
    before = client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"]
    assert (await kit.claim(broker)).job.id.startswith("repeat:ours:")
    assert (0 if by_completion else 1) == client.info("commandstats")["cmdstat_evalsha"]["calls"] - before

    assert _followed(client, "theirs") == _followed(client, "ours")


def _followed(client: redis.Redis, scheduler: str) -> dict[str, Any]:
    """The next job, without its times and ids."""
    fields: dict[Any, Any] = client.hgetall(_next(client, scheduler))
    opts = json.loads(fields.pop("opts"))
    for name in ("timestamp", "delay", "rjk"):
        fields.pop(name)
    changing = ("jobId", "timestamp", "prevMillis", "repeatJobKey", "delay")
    count = client.hget(f"{KEY}:repeat:{scheduler}", "ic")
    return {**fields, "opts": {name: opts[name] for name in opts if name not in changing}, "count": count}


def _next(client: redis.Redis, scheduler: str) -> str:
    due = client.zscore(f"{KEY}:repeat", scheduler) or 0
    assert now() < due
    return f"{KEY}:repeat:{scheduler}:{due:.0f}"


@pytest.mark.parametrize("end", [{"limit": 1}, {"endDate": 5}])
async def test_an_interval_ends(client: redis.Redis, kit: WireKit, end: dict[str, Any]) -> None:
    """At its limit or its end date."""
    due = waiting(client, "short", {"every": 50, **end})
    await kit.claim(await kit.broker())
    assert due == client.zscore(f"{KEY}:repeat", "short")
    assert 0 == client.zcard(f"{KEY}:delayed")


async def test_a_record_on_which_the_script_fails_harms_no_job(client: redis.Redis, kit: WireKit) -> None:
    """The job of the scheduler runs, and so do those behind it."""
    waiting(client, "odd", {"every": 50})
    client.hset(f"{KEY}:repeat:odd", "every", 0)
    await kit.enqueue("greet", {"n": 2})
    broker = await kit.broker()
    assert [{"n": 1}, {"n": 2}] == [(await kit.claim(broker)).job.data for _ in range(2)]


@pytest.mark.parametrize("odd", [{"startDate": math.inf}, {"endDate": 10**400}, {"limit": 10**30}])
async def test_an_odd_number_of_a_scheduler_harms_no_job(
    client: redis.Redis, kit: WireKit, odd: dict[str, Any]
) -> None:
    """JSON may carry any number: the job runs, and none follows."""
    waiting(client, "odd", {**PATTERN, **odd})
    with capture_logs() as logs:
        assert {"n": 1} == (await kit.claim(await kit.broker())).job.data
    assert ["odd"] == [line["scheduler"] for line in logs if line["event"] == "scheduler_stopped"]


async def test_a_due_time_that_is_no_whole_number_is_shown(client: redis.Redis, admin: Admin) -> None:
    """Other programs may write the score: one that BullMQ would never write breaks no page."""
    scheduled(client, "odd", {"pattern": "at nine"})
    client.zadd(f"{KEY}:repeat", {"odd": now() - MINUTE - 0.25})

    [stats] = await admin.queues.stats()

    assert ["odd"] == [each.id for each in stats.stopped]
