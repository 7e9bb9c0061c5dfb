"""Schedules as operators see and steer them: the app's own (of both majors of bullmq), the team's, and the API's."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.admin.admin import Admin
from queue_lib.admin.admission import Admission
from queue_lib.admin.bullmq.schedules import BullMQSchedules
from queue_lib.broker.bullmq.own_schedules import add_schedule, keep_schedules
from queue_lib.broker.bullmq.schedulers import Scheduler
from queue_lib.broker.bullmq.set_aside import runs_again
from queue_lib.errors import PermanentError
from queue_lib.job import State
from queue_lib.outcome import Failure
from queue_lib.processor import JobSchema, Model
from queue_lib.schedule import PREFIX, TEAM, Schedule, schedule_id
from tests.support.node import node_session, require
from tests.support.wire_kit import QUEUE, backends, queue

if TYPE_CHECKING:
    from queue_lib.admin.schedules import ScheduleView
    from tests.support.wire_kit import WireKit

HOURLY = Schedule("hourly", "greet", {"userId": "ada"}, every=3600)
NIGHTLY = Schedule("nightly", "greet", {"userId": "ada"}, cron="0 3 * * *", tz="Europe/Berlin")


class Greeting(Model):
    """The payload of the job `greet`."""

    user_id: str


@pytest.fixture
def admin(bullmq: WireKit) -> Admin:
    """An operator of the queue."""
    source: Any = bullmq.inspector
    forms = [JobSchema("greet", QUEUE.name, Greeting)]
    return Admin(backends(bullmq, schedules=BullMQSchedules(source.queue), admission=Admission(forms)), by="anna")


async def one(admin: Admin, schedule: str) -> ScheduleView:
    """The schedule with this id."""
    [found] = await admin.schedules.find(schedule)
    return found


async def keep(bullmq: WireKit, *schedules: Schedule) -> None:
    """As a worker does at its start, with the team's modules."""
    source: Any = bullmq.inspector
    wanted = {schedule_id(TEAM, each.key): each for each in schedules}
    await keep_schedules(source.queue(QUEUE.name), wanted, {TEAM})


@pytest.mark.parametrize("kit", ["bullmq5", "bullmq6"])
async def test_the_app_s_own_are_shown_and_steered(redis_url: str, bullmq: WireKit, admin: Admin, kit: str) -> None:
    """With their next times; a paused one is no scheduler for Node, and comes back as the app has made it."""
    require(kit)
    template = {"name": "greet", "data": {"userId": "ada"}, "opts": {"attempts": 7}}
    async with node_session(redis_url, kit) as ask:
        await ask("upsertJobScheduler", QUEUE.name, "own", {"pattern": "0 3 * * *", "tz": "Europe/Berlin"}, template)
        await keep(bullmq)
        shown = await one(admin, "own")
        [before] = await ask("getJobSchedulers", QUEUE.name)
        assert await admin.schedules.pause(shown)
        paused, gone = await one(admin, "own"), await ask("getJobSchedulers", QUEUE.name)
        job_id = await admin.schedules.run(paused)
        assert await admin.schedules.resume(paused)
        [after] = await ask("getJobSchedulers", QUEUE.name)
        job = await ask("getJob", QUEUE.name, job_id)

    assert ("greet", {"userId": "ada"}, "0 3 * * *", "Europe/Berlin", None) == (
        *(shown.job, shown.data, shown.cron, shown.tz, shown.every),
    )
    assert (False, None, None, 5) == (shown.paused, shown.owner, shown.last, len(shown.times))
    assert before["next"] / 1000 == shown.times[0]
    assert {86_400} >= {round(b - a) for a, b in zip(shown.times, shown.times[1:], strict=False)} - {82_800, 90_000}
    assert ([], True, ()) == (gone, paused.paused, paused.times)
    assert before == after
    assert ("greet", {"userId": "ada"}, 7, "waiting") == (
        *(job["name"], job["data"], job["opts"]["attempts"], job["state"]),
    )


async def test_the_last_job_is_noted(bullmq: WireKit, admin: Admin) -> None:
    """How it has ended and when, also once it is deleted; a job that was added by hand is none of the schedule's."""
    await admin.schedules.put(HOURLY)
    broker = await bullmq.broker([queue(attempts=1)])
    first = await bullmq.claim(broker)
    await first.done({})
    done = (await one(admin, "hourly")).last
    assert done is not None
    assert (State.COMPLETED, first.job.id, True) == (done.state, done.job_id, done.is_kept)
    assert time.time() - 60 < done.at <= time.time()
    assert await bullmq.inspector.remove(QUEUE.name, first.job.id)
    await admin.schedules.run(await one(admin, "hourly"))
    by_hand = await bullmq.claim(broker)
    await by_hand.bury(Failure("no such user"))

    kept = (await one(admin, "hourly")).last
    assert kept is not None
    assert (done.job_id, False) == (kept.job_id, kept.is_kept)
    assert by_hand.job.id != first.job.id


async def test_a_paused_schedule_stays_paused(bullmq: WireKit, admin: Admin) -> None:
    """Over starts of workers, whose changes it takes; until it is gone from the module."""
    await keep(bullmq, NIGHTLY, HOURLY)
    nightly = await one(admin, f"{PREFIX}nightly")
    assert TEAM == nightly.owner
    assert await admin.schedules.pause(nightly)
    assert await admin.schedules.pause(nightly)
    await keep(bullmq, Schedule("nightly", "greet", {"userId": "eve"}, cron="0 4 * * *"), HOURLY)
    paused = await one(admin, f"{PREFIX}nightly")
    assert (True, "0 4 * * *", {"userId": "eve"}) == (paused.paused, paused.cron, paused.data)
    page = await admin.schedules.page(None, 0, 50)
    assert ([f"{PREFIX}hourly", f"{PREFIX}nightly"], 2) == ([each.id for each in page.schedules], page.total)
    assert [f"{PREFIX}nightly"] == [each.id for each in (await admin.schedules.page(None, 1, 50)).schedules]
    assert await admin.schedules.resume(paused)
    assert not await admin.schedules.resume(paused)
    assert (False, "UTC") == ((resumed := await one(admin, f"{PREFIX}nightly")).paused, resumed.tz)
    assert await admin.schedules.pause(resumed)
    await keep(bullmq, HOURLY)

    assert [] == await admin.schedules.find(f"{PREFIX}nightly")


async def test_put_and_remove(admin: Admin) -> None:
    """One with its id is replaced; what could only add dead letters, or can't be added, is refused with its reason."""
    assert QUEUE.name == await admin.schedules.put(HOURLY)
    await admin.schedules.pause(await one(admin, "hourly"))
    await admin.schedules.put(Schedule("hourly", "greet", {"userId": "eve"}, every=60))
    found = await one(admin, "hourly")
    assert (60.0, False, {"userId": "eve"}) == (found.every, found.paused, found.data)
    refused = {
        "no such job": Schedule("a", "none", every=60),
        "bad payload for greet: userId": Schedule("a", "greet", every=60),
        "the schedule needs either cron or every": Schedule("a", "greet", {"userId": "ada"}),
        "25 is no hour": Schedule("a", "greet", {"userId": "ada"}, cron="0 25 * * *"),
        "no time zone 'Mars'": Schedule("a", "greet", {"userId": "ada"}, cron="0 2 * * *", tz="Mars"),
        "it needs 1 s at least": Schedule("a", "greet", {"userId": "ada"}, every=0.5),
        "without spaces and colons": Schedule("a b", "greet", {"userId": "ada"}, every=60),
        "change it in its module": Schedule(f"{PREFIX}a", "greet", {"userId": "ada"}, every=60),
    }
    for reason, schedule in refused.items():
        with pytest.raises(PermanentError, match=reason):
            await admin.schedules.put(schedule)
    assert await admin.schedules.remove(found)

    assert not await admin.schedules.remove(found)
    assert (None, False) == (await admin.schedules.run(found), await admin.schedules.pause(found))
    assert 0 == (await admin.schedules.page(None, 0, 50)).total


async def test_what_has_stopped_says_why(bullmq: WireKit, admin: Admin) -> None:
    """No next times; it can't be resumed until the app has mended it. Nothing in Redis breaks the page."""
    client = bullmq.inspector.queue(QUEUE.name).backend.conn  # type: ignore[attr-defined]
    key = f"bull:{QUEUE.name}:repeat"
    record = {"name": "greet", "ic": "1", "pattern": "0 25 * * *", "data": "{"}
    await client.zadd(key, {"bad": 1_000, "late": (time.time() - 5) * 1000, "odd": float("inf"), "wrong": 2_000})
    await client.hset(f"{key}:bad", mapping=record)
    await client.hset(f"{key}:late", mapping={"name": "greet", "ic": "x", "every": "1000", "limit": "many"})
    await client.mset({f"{key}:odd": "a text", f"{key}:wrong": "a text"})
    await client.hset(f"bull:{QUEUE.name}:schedules:last", mapping={"bad": "completed x y", "late": "?"})
    await client.hset(f"bull:{QUEUE.name}:schedules:paused", mapping={"text": "no json", "list": json.dumps([1])})
    page = await admin.schedules.page(QUEUE.name, 0, 50)
    found = {each.id: each for each in page.schedules}

    assert {"bad", "late", "odd", "wrong", "text", "list"} == found.keys()
    for name, reason in {"bad": "be read", "odd": "after the last date", "wrong": "holds no hash"}.items():
        assert reason in (found[name].reason or "")
    for each in ("text", "list"):
        with pytest.raises(PermanentError):
            await admin.schedules.resume(found[each])


@pytest.mark.parametrize("record", [{"ic": "1", "data": "{"}, {"endDate": "4102444800000"}])
async def test_what_could_not_go_on_is_not_paused(bullmq: WireKit, admin: Admin, record: dict[str, str]) -> None:
    """A record that can't be read, or that of a repeatable job, whose data only its last job has: it stays as it is."""
    client = bullmq.inspector.queue(QUEUE.name).backend.conn  # type: ignore[attr-defined]
    key = f"bull:{QUEUE.name}:repeat"
    await client.zadd(key, {"own": (time.time() + 60) * 1000})
    await client.hset(f"{key}:own", mapping={"name": "greet", "pattern": "0 3 * * *", **record})
    for do in (admin.schedules.pause, admin.schedules.run):
        with pytest.raises(PermanentError):
            await do(await one(admin, "own"))
    assert not (await one(admin, "own")).paused


async def test_pauses_do_not_count_anew(bullmq: WireKit, admin: Admin) -> None:
    """A schedule with a limit that is paused again and again has as many jobs as without."""
    source: Any = bullmq.inspector.queue(QUEUE.name)  # type: ignore[attr-defined]
    key = f"bull:{QUEUE.name}:repeat:few"
    await Scheduler(source).upsertJobScheduler("few", {"pattern": "0 3 * * *", "limit": 4}, "greet", {"userId": "ada"})
    await source.backend.conn.hset(key, "ic", 3)
    for _ in range(2):
        assert await admin.schedules.pause(await one(admin, "few"))
        assert await admin.schedules.resume(await one(admin, "few"))
    assert "3" == await source.backend.conn.hget(key, "ic")
    assert 2 == len((await one(admin, "few")).times)


async def test_what_was_set_aside_is_forgotten_once_it_runs_again(bullmq: WireKit, admin: Admin) -> None:
    """And not before: another operator may have paused it anew. A schedule that the app removes does not come back."""
    source: Any = bullmq.inspector.queue(QUEUE.name)  # type: ignore[attr-defined]
    await admin.schedules.put(HOURLY)
    await admin.schedules.pause(await one(admin, "hourly"))
    await runs_again(source, "hourly")
    assert (await one(admin, "hourly")).paused
    await add_schedule(source, "hourly", HOURLY)  # the app
    await (await bullmq.claim(await bullmq.broker([queue()]))).done({})
    await source.removeJobScheduler("hourly")
    assert [] == await admin.schedules.find("hourly")
