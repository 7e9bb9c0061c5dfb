"""The schedules of features and of a team's own jobs: added, changed and removed at the start of a worker."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from queue_lib import wiring
from queue_lib.broker.bullmq.library import SharedQueue
from queue_lib.broker.bullmq.own_schedules import keep_schedules
from queue_lib.broker.connection import client, options
from queue_lib.feature import Served
from queue_lib.queues import Queue
from queue_lib.schedule import TEAM, Schedule, schedule_id
from queue_lib.settings import WorkerSettings
from tests.support.node import node_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

NIGHTLY = Schedule("nightly", "cleanup", {"days": 30}, cron="0 3 * * *", tz="Europe/Berlin")
HOURLY = Schedule("hourly", "report", every=3600)
QUEUE = "reports"


@pytest.fixture
async def connection(redis_url: str) -> AsyncIterator[Redis]:
    """As a worker has it."""
    made = client(options(redis_url), decode=True, name="schedules")
    yield made
    await made.aclose()


async def keep(connection: Redis, *schedules: Schedule, queue: str = QUEUE, owner: str = TEAM) -> None:
    """As a worker does at its start that has the schedules of this owner."""
    wanted = {schedule_id(owner, schedule.key): schedule for schedule in schedules}
    await keep_schedules(SharedQueue(queue, connection, "bull"), wanted, {owner})


async def seen(url: str, kit: str) -> dict[str, dict[str, Any]]:
    """The schedulers that stock Node shows, by id."""
    async with node_session(url, kit) as ask:
        return {found["key"]: found for found in await ask("getJobSchedulers", QUEUE)}


async def jobs(connection: Redis) -> list[str]:
    """The ids of all jobs of the queue."""
    return sorted(
        str(key).partition(f"{QUEUE}:")[2] for key in await connection.keys(f"bull:{QUEUE}:repeat:pushmill:*:*")
    )


@pytest.mark.parametrize("kit", ["bullmq5", "bullmq6"])
async def test_node_shows_them(redis_url: str, connection: Redis, kit: str) -> None:
    """As its own schedulers, with the payload and the time zone."""
    await keep(connection, NIGHTLY, HOURLY)
    found = await seen(redis_url, kit)

    assert {"pushmill:nightly", "pushmill:hourly"} == found.keys()
    nightly, hourly = found["pushmill:nightly"], found["pushmill:hourly"]
    assert ("cleanup", "0 3 * * *", "Europe/Berlin") == (nightly["name"], nightly["pattern"], nightly["tz"])
    assert ({"days": 30}, 3_600_000, "report") == (nightly["template"]["data"], hourly["every"], hourly["name"])


async def test_unchanged_schedules_go_on(connection: Redis) -> None:
    """A restart neither adds a job nor moves one."""
    await keep(connection, NIGHTLY, HOURLY)
    before = await jobs(connection)
    await keep(connection, NIGHTLY, HOURLY)

    assert 2 == len(before)
    assert before == await jobs(connection)


async def test_workers_that_start_together(connection: Redis) -> None:
    """There is one job of each schedule."""
    await asyncio.gather(*(keep(connection, NIGHTLY, HOURLY) for _ in range(8)))

    assert 2 == len(await jobs(connection))


@pytest.mark.parametrize(
    "changed",
    [
        Schedule("nightly", "cleanup", {"days": 30}, cron="0 4 * * *", tz="Europe/Berlin"),
        Schedule("nightly", "cleanup", {"days": 30}, cron="0 3 * * *", tz="America/New_York"),
        Schedule("nightly", "cleanup", {"days": 31}, cron="0 3 * * *", tz="Europe/Berlin"),
        Schedule("nightly", "report", {"days": 30}, cron="0 3 * * *", tz="Europe/Berlin"),
        Schedule("nightly", "cleanup", {"days": 30}, every=7200),
    ],
)
async def test_a_change_takes_effect(redis_url: str, connection: Redis, changed: Schedule) -> None:
    """The job that waits is the new one."""
    await keep(connection, NIGHTLY)
    await keep(connection, changed)
    [job] = await jobs(connection)
    added = await connection.hgetall(f"bull:{QUEUE}:{job}")
    found = (await seen(redis_url, "bullmq6"))["pushmill:nightly"]

    if changed.every is None:
        assert (changed.job, changed.data) == (added["name"], json.loads(added["data"]))
    assert (changed.cron, changed.every) == (found.get("pattern"), found["every"] / 1000 if "every" in found else None)


async def test_a_shorter_interval_begins_at_once(redis_url: str, connection: Redis) -> None:
    """It does not wait for the end of the long one."""
    await keep(connection, HOURLY)
    async with node_session(redis_url, "bullmq6") as ask:
        claimed = await ask("claim", QUEUE)
        await ask("complete", QUEUE, claimed["id"])
    due = await connection.zscore(f"bull:{QUEUE}:repeat", "pushmill:hourly")
    assert (time.time() + 3000) * 1000 < (due or 0)
    await keep(connection, Schedule("hourly", "report", every=60))

    due = await connection.zscore(f"bull:{QUEUE}:repeat", "pushmill:hourly")
    assert 0 < (due or 0) < (time.time() + 61) * 1000


async def test_deleted_schedules_are_removed(redis_url: str, connection: Redis) -> None:
    """Only ours, and only of this queue: the app's own schedulers stay."""
    async with node_session(redis_url, "bullmq6") as ask:
        await ask("upsertJobScheduler", QUEUE, "own", {"every": 60_000}, {"name": "theirs"})
    await keep(connection, NIGHTLY, HOURLY)
    await keep(connection, NIGHTLY, queue="others")
    await keep(connection, HOURLY)

    assert {"own", "pushmill:hourly"} == (await seen(redis_url, "bullmq6")).keys()
    assert ["pushmill:nightly"] == await connection.zrange("bull:others:repeat", 0, -1)
    await keep(connection)
    assert {"own"} == (await seen(redis_url, "bullmq6")).keys()
    assert 0 == await connection.zcard(f"bull:{QUEUE}:delayed")


async def test_only_who_knows_a_schedule_removes_it(redis_url: str, connection: Redis) -> None:
    """A worker without the team's modules leaves the team's, and one without a feature leaves that feature's."""
    await keep(connection, NIGHTLY)
    await keep(connection, HOURLY, owner="reports")
    await keep(connection, owner="mails")
    assert {"pushmill:nightly", "pushmill:reports:hourly"} == (await seen(redis_url, "bullmq6")).keys()
    with capture_logs() as lines:
        await keep(connection, owner="reports")

    assert {"pushmill:nightly"} == (await seen(redis_url, "bullmq6")).keys()
    assert [("schedule_removed", QUEUE, "pushmill:reports:hourly")] == [
        (line["event"], line["queue"], line["schedule"]) for line in lines
    ]


async def test_a_broken_queue_keeps_no_other_from_its_schedules(redis_url: str, connection: Redis) -> None:
    """The log has the error. RQ's wire alone has no schedules."""
    await connection.set("bull:broken:repeat", "x")
    queues = (Queue(name="broken"), Queue(name=QUEUE))
    worker = WorkerSettings(redis_url=redis_url)
    served = Served(
        worker=worker, queues=queues, features=(), settings={}, schedules={QUEUE: {"pushmill:hourly": HOURLY}}
    )
    with capture_logs() as lines:
        await wiring.keep_schedules(served)

    assert [("schedules_refused", "broken")] == [(line["event"], line["queue"]) for line in lines]
    assert 1 == len(await jobs(connection))
