"""Lists over all lists of a wire, and over both wires at once: by time, each job once, while jobs come and go."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest
import redis

from queue_lib.admin.admin import Admin
from queue_lib.admin.filters import JobFilter
from queue_lib.admin.merging import READ, Cursor
from queue_lib.admin.ports import JobView, moment_of
from queue_lib.errors import BrokerRefusedError
from queue_lib.job import State, Wire
from tests.support.failed_jobs import FAILURE, failed
from tests.support.polling import PATIENCE
from tests.support.wire_kit import QUEUE, WireKit, backends, redis_kit

COUNTED = {State.DELAYED, State.ACTIVE, State.COMPLETED, State.FAILED}  # by RQ in whole seconds
STATES = [State.WAITING, State.DELAYED, State.ACTIVE, State.COMPLETED, State.FAILED]


async def pages(admin: Admin, state: State, count: int, wire: Wire | None = None) -> list[list[JobView]]:
    """All pages of a state. The cursor goes through an address."""
    found, cursor = list[list[JobView]](), None
    while True:
        listed = await admin.lists.page(QUEUE.name, state, wire, cursor, count)
        found.append(listed.jobs)
        if listed.following is None:
            return found
        cursor = Cursor.read(listed.following.text())


async def put(kit: WireKit, state: State, count: int) -> list[str]:
    """Jobs of a state."""
    ids = []
    for number in range(count):
        ids.append(await kit.enqueue("greet", number, delay=60.0 if state is State.DELAYED else 0.0))
        await asyncio.sleep(0.002)  # to tell them apart by time
    broker = await kit.broker()
    for _ in range(count if state in {State.ACTIVE, State.COMPLETED, State.FAILED} else 0):
        lease = await kit.claim(broker)
        if state is State.COMPLETED:
            await lease.done({"ok": True})
        elif state is State.FAILED:
            await lease.bury(FAILURE)
    return ids


@pytest.mark.parametrize("state", STATES)
async def test_pages_show_every_job_once(kit: WireKit, admin: Admin, state: State) -> None:
    """On each wire, and in the fake."""
    ids = await put(kit, state, 5)
    found = await pages(admin, state, 2)
    assert [2, 2, 1] == [len(page) for page in found]
    assert sorted(ids) == sorted(job.id for page in found for job in page)


async def both(stack: AsyncExitStack, url: str) -> tuple[WireKit, WireKit, Admin]:
    """Both kits on one Redis, and the admin of both wires."""
    bullmq = await stack.enter_async_context(redis_kit(url, "bullmq"))
    rq = await stack.enter_async_context(redis_kit(url, "rq"))
    return bullmq, rq, Admin(backends(bullmq, inspectors=[bullmq.inspector, rq.inspector]), by="anna")


@pytest.mark.parametrize("state", STATES)
async def test_both_wires_are_one_list_by_time(redis_url: str, state: State) -> None:
    """Ended jobs the newest first; a wire alone has its own jobs only."""
    async with AsyncExitStack() as stack:
        bullmq, rq, admin = await both(stack, redis_url)
        ids = [*await put(bullmq, state, 3), *await put(rq, state, 4), *await put(bullmq, state, 2)]
        found = [job for page in await pages(admin, state, 2) for job in page]
        alone = [job for page in await pages(admin, state, 2, Wire.RQ) for job in page]

    assert sorted(ids) == sorted(job.id for job in found)
    times = [moment_of(job, state) or 0.0 for job in found]
    is_newest_first = state in {State.COMPLETED, State.FAILED}
    late = [later - earlier if is_newest_first else earlier - later for earlier, later in pairwise(times)]
    assert max(late) <= (1.0 if state in COUNTED else 0.001), times
    assert ({Wire.RQ}, 4) == ({job.wire for job in alone}, len(alone))


async def test_jobs_that_come_and_go_move_no_page(redis_url: str) -> None:
    """New failures before the page, and a job of the first page that is retried: the next page begins behind it."""
    async with AsyncExitStack() as stack:
        bullmq, rq, admin = await both(stack, redis_url)
        ids = [*await failed(bullmq, "a", "b", "c"), *await failed(rq, "d", "e", "f")]
        first = await admin.lists.page(QUEUE.name, State.FAILED, None, None, 2)
        await failed(bullmq, "g", "h")
        for job in first.jobs:
            assert await admin.jobs.retry(job)
        assert first.following is not None
        rest = await admin.lists.page(QUEUE.name, State.FAILED, None, first.following, 9)

    assert None is rest.following
    assert sorted(set(ids) - {job.id for job in first.jobs}) == sorted(job.id for job in rest.jobs)


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_waiting_jobs_that_are_claimed_hide_no_other(redis_url: str, wire: str) -> None:
    """All of the first page run by now: the second one begins with the job that was behind them."""
    async with redis_kit(redis_url, wire) as kit:
        admin = Admin(backends(kit), by="anna")
        ids = [await kit.enqueue("greet", number) for number in range(6)]
        first = await admin.lists.page(QUEUE.name, State.WAITING, None, None, 3)
        broker = await kit.broker()
        for _ in range(3):
            await kit.claim(broker)
        rest = await admin.lists.page(QUEUE.name, State.WAITING, None, first.following, 9)
    assert [ids[:3], ids[3:]] == [[job.id for job in listed.jobs] for listed in (first, rest)]


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_lists_are_read_in_steps(redis_url: str, wire: str) -> None:
    """Beyond the first step none is missing, also behind ids without a job."""
    async with redis_kit(redis_url, wire) as kit:
        ids = [await kit.enqueue("greet", number) for number in range(2 * READ + 5)]
        gone = {ids[3], *ids[READ - 1 : READ + 2]}
        with redis.Redis.from_url(redis_url) as server:
            server.delete(*(f"rq:job:{each}" if wire == "rq" else f"bull:work:{each}" for each in gone))
        listed = await Admin(backends(kit), by="anna").lists.page(QUEUE.name, State.WAITING, None, None, 500)
    assert [each for each in ids if each not in gone] == [job.id for job in listed.jobs]


async def test_a_search_covers_both_wires(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks at a bounded number of jobs, and goes on where it ended."""
    async with AsyncExitStack() as stack:
        bullmq, rq, admin = await both(stack, redis_url)
        for kit, user in ((bullmq, "Anna"), (rq, "anna"), (bullmq, "berta"), (rq, "Anna 2")):
            await kit.enqueue("greet", {"userId": user})
            await asyncio.sleep(0.002)
        whole = await admin.lists.search(QUEUE.name, State.WAITING, None, "ANNA")
        alone = await admin.lists.search(QUEUE.name, State.WAITING, Wire.BULLMQ, "ANNA")
        monkeypatch.setattr("queue_lib.admin.lists.LEAST", 1)
        hasty = await admin.lists.search(QUEUE.name, State.WAITING, None, "berta", seconds=0)
        monkeypatch.setattr("queue_lib.admin.lists.SEARCHED", 2)
        first = await admin.lists.search(QUEUE.name, State.WAITING, None, "berta")
        rest = await admin.lists.search(QUEUE.name, State.WAITING, None, "berta", first.following)

    assert ["Anna", "anna", "Anna 2"] == [job.data["userId"] for job in whole.jobs]
    assert (["Anna"], None) == ([job.data["userId"] for job in alone.jobs], alone.following)
    assert [0, 1] == [len(first.jobs), len(rest.jobs)]
    assert [1, 2, 2] == [each.looked for each in (hasty, first, rest)]
    assert hasty.following is not None


async def test_a_broken_wire_hides_no_job_of_the_other(redis_url: str) -> None:
    """Its key holds something else. Alone, or where an action is for all failed jobs, it is refused."""
    async with AsyncExitStack() as stack:
        bullmq, _, admin = await both(stack, redis_url)
        ids = await failed(bullmq, "a", "b")
        with redis.Redis.from_url(redis_url) as server:
            server.set(f"rq:failed:{QUEUE.name}", "odd")
        listed = await admin.lists.page(QUEUE.name, State.FAILED, None)
        with pytest.raises(BrokerRefusedError):
            await admin.lists.page(QUEUE.name, State.FAILED, Wire.RQ)
        with pytest.raises(BrokerRefusedError):
            await admin.jobs.failed(JobFilter())
    assert ids[::-1] == [job.id for job in listed.jobs]


async def test_the_newest_failed_jobs_of_both_wires_are_retried_first(redis_url: str) -> None:
    """Not those of one wire first."""
    async with AsyncExitStack() as stack:
        bullmq, rq, admin = await both(stack, redis_url)
        await failed(rq, "a", "b")
        await failed(bullmq, "c")
        await asyncio.sleep(1.1)  # RQ counts in whole seconds
        [newest] = await failed(rq, "d")
        found = await admin.jobs.failed(JobFilter(queue=QUEUE.name), limit=1)
    assert ([newest], True) == ([job.id for job in found.jobs], found.more)


async def test_an_endless_id_ends_no_list(redis_url: str) -> None:
    """Its place can't be in an address; reading on does not go round in circles."""
    async with redis_kit(redis_url, "bullmq") as kit:
        ids = [await kit.enqueue("greet", number) for number in range(READ)]
        with redis.Redis.from_url(redis_url) as server:
            for number in range(3):
                long = f"{'x' * 5000}{number}"
                server.copy(f"bull:work:{ids[0]}", f"bull:work:{long}")
                server.lpush("bull:work:wait", long)
        admin = Admin(backends(kit), by="anna")
        listed = await admin.lists.page(QUEUE.name, State.WAITING, None, None, 500)
        first = await admin.lists.page(QUEUE.name, State.WAITING, None, None, READ + 1)
    assert READ + 3 == len(listed.jobs)
    assert first.following is not None
    assert len(first.following.text()) < 1000


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
@pytest.mark.parametrize("odd", ["again", "gone", b"\xff"])
async def test_an_odd_list_is_read_to_an_end(redis_url: str, wire: str, odd: str | bytes) -> None:
    """One id again and again, with a job or without, or ids that are no text: the jobs in front of them are shown."""
    async with redis_kit(redis_url, wire) as kit:
        job_id = await kit.enqueue("greet", 1)
        last = job_id if odd == "again" else odd
        ids = [last + bytes([number]) if isinstance(last, bytes) else last for number in range(READ + 9)]
        with redis.Redis.from_url(redis_url) as server:
            if wire == "rq":
                server.rpush("rq:queue:work", *ids)
            else:
                server.lpush("bull:work:wait", *ids)
        async with asyncio.timeout(PATIENCE):
            listed = await Admin(backends(kit), by="anna").lists.page(QUEUE.name, State.WAITING, None)
    assert ([job_id], None) == ([job.id for job in listed.jobs], listed.following)


async def test_a_page_passes_over_so_many_ids_without_a_job(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends behind them, and the next one goes on there."""
    monkeypatch.setattr("queue_lib.admin.lists.MOST_GONE", READ)
    async with redis_kit(redis_url, "bullmq") as kit:
        with redis.Redis.from_url(redis_url) as server:
            server.lpush("bull:work:wait", *[f"gone-{number}" for number in range(3 * READ)])
        job_id = await kit.enqueue("greet", 1)
        found = await pages(Admin(backends(kit), by="anna"), State.WAITING, 50)
    assert [[], [], [], [job_id]] == [[job.id for job in page] for page in found]


async def test_jobs_that_are_kept_for_ever_are_on_some_page(redis_url: str) -> None:
    """RQ's have an endless score: the second page begins among them, also if the job before it is gone."""
    async with redis_kit(redis_url, "rq") as kit:
        ids = await put(kit, State.COMPLETED, 4)
        admin = Admin(backends(kit), by="anna")
        with redis.Redis.from_url(redis_url) as server:
            server.zadd("rq:finished:work", dict.fromkeys(ids, float("inf")))
            first = await admin.lists.page(QUEUE.name, State.COMPLETED, None, None, 2)
            server.zrem("rq:finished:work", first.jobs[-1].id)
        assert first.following is not None
        rest = await admin.lists.page(QUEUE.name, State.COMPLETED, None, Cursor.read(first.following.text()), 9)
    assert set(ids) - {job.id for job in first.jobs} <= {job.id for job in rest.jobs}
