"""Lists of jobs as an operator sees them, on every wire: paged, searched and filtered, whatever the jobs hold."""

from __future__ import annotations

import asyncio
from operator import attrgetter
from typing import Any

import pytest
import redis
from bullmq import Queue as BullQueue
from rq import Queue as RQQueue

from queue_lib.admin.admin import Admin
from queue_lib.admin.backends import NoSuchQueueError
from queue_lib.admin.filters import JobFilter
from queue_lib.admin.ports import LISTED, READ_AT_ONCE, Placed, moment_of
from queue_lib.errors import PermanentError
from queue_lib.job import State
from queue_lib.outcome import Failure
from tests.support.failed_jobs import FAILURE, fail, failed
from tests.support.wire_kit import QUEUE, WireKit, backends, clock, redis_kit

STATES = [State.WAITING, State.DELAYED, State.ACTIVE, State.COMPLETED, State.FAILED]


@pytest.mark.parametrize("state", STATES)
async def test_pages_show_every_job_of_a_state_once(kit: WireKit, state: State) -> None:
    """Pages of two show all five jobs, each as it was enqueued."""
    broker = await kit.broker()
    ids = [await kit.enqueue("greet", n, delay=60.0 if state is State.DELAYED else 0.0) for n in range(5)]
    for _ in range(5 if state in {State.ACTIVE, State.COMPLETED, State.FAILED} else 0):
        lease = await kit.claim(broker)
        if state is State.COMPLETED:
            await lease.done({"ok": True})
        elif state is State.FAILED:
            await lease.bury(FAILURE)

    pages = [await kit.inspector.page(QUEUE.name, state, start, 2) for start in (0, 2, 4, 6)]

    assert [2, 2, 1, 0] == [len(page) for page in pages]
    shown = {job.id: job for page in pages for job in page}
    assert set(ids) == set(shown)
    for number, job_id in enumerate(ids):
        job = shown[job_id]
        assert (job.name, job.queue, job.wire, job.state) == ("greet", QUEUE.name, kit.inspector.wire, state)
        assert job.data == number
        assert (job.finished_at is not None) == (state in {State.COMPLETED, State.FAILED})


async def test_pages_of_waiting_jobs_cover_all_lists_of_the_wire(redis_url: str) -> None:
    """BullMQ keeps waiting jobs in two places, RQ in three lanes."""
    async with redis_kit(redis_url, "bullmq") as kit:
        source = BullQueue(QUEUE.name, {"connection": redis_url})
        added = [await source.add("greet", n, {"priority": n} if n > 2 else {}) for n in range(5)]
        await source.close()
        pages = [await kit.inspector.page(QUEUE.name, State.WAITING, start, 2) for start in (0, 2, 4)]
    assert [[job.id for job in added[start : start + 2]] for start in (0, 2, 4)] == [
        [job.id for job in page] for page in pages
    ]
    async with redis_kit(redis_url, "rq") as kit:
        with redis.Redis.from_url(redis_url) as server:
            lanes = [
                RQQueue(QUEUE.name + suffix, connection=server, serializer="json") for suffix in ("-high", "", "-low")
            ]
            expected = [lane.enqueue("greet", 1).id for lane in lanes for _ in range(2)]
        pages = [await kit.inspector.page(QUEUE.name, State.WAITING, start, 3) for start in (0, 3)]
    assert expected == [job.id for page in pages for job in page]


async def test_the_newest_failure_is_shown_first(kit: WireKit) -> None:
    """An operator looks for what has just failed."""
    first, second = await failed(kit, "a", "b")
    if kit.name == "rq":  # RQ counts in whole seconds
        await asyncio.sleep(1.1)
    [third] = await failed(kit, "c")

    page = await kit.inspector.page(QUEUE.name, State.FAILED, 0, 10)

    assert third == page[0].id
    assert {first, second} == {job.id for job in page[1:]}
    assert FAILURE.reason == page[0].reason


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_an_unreadable_job_is_shown_with_the_others(redis_url: str, wire: str) -> None:
    """The page works whatever the job's hash holds, and the job can be removed."""
    async with redis_kit(redis_url, wire) as kit:
        odd, even = await failed(kit, "odd", "even")
        hostile = {"data": "{", "opts": "[", "atm": "many", "attempts_made": "many", "stacktrace": "7", "status": "x"}
        with redis.Redis.from_url(redis_url) as server:
            server.hset(f"rq:job:{odd}" if wire == "rq" else f"bull:work:{odd}", mapping=hostile)

        page = await kit.inspector.page(QUEUE.name, State.FAILED, 0, 10)
        shown = await kit.inspector.find(QUEUE.name, odd)
        named = await Admin(backends(kit), by="anna").jobs.failed(JobFilter(name="unreadable"))

        assert {odd, even} == {job.id for job in page}
        assert [(odd, "unreadable")] == [(job.id, job.name) for job in named.jobs]
        assert shown is not None
        assert {"unserializable": "the job could not be read", "raw": "{"} == shown.data
        assert await kit.inspector.remove(QUEUE.name, odd)
        assert [even] == [job.id for job in await kit.inspector.page(QUEUE.name, State.FAILED, 0, 10)]


async def test_failed_jobs_are_filtered(kit: WireKit, admin: Admin) -> None:
    """By name, words of the reason, wire, queue and age; all conditions must match."""
    broker = await kit.broker()
    for name, reason in (("greet", "The door is LOCKED"), ("greet", "no answer"), ("call", "no answer")):
        await kit.enqueue(name, {"secret": 1})
        await fail(kit, await kit.claim(broker), Failure(reason))

    async def found(**wanted: Any) -> list[tuple[str, str | None]]:
        return sorted([(job.name, job.reason) async for job in admin.jobs.each_failed(JobFilter(**wanted))])

    assert [("greet", "The door is LOCKED")] == await found(reason="locked")
    assert [("greet", "no answer")] == await found(name="greet", reason="answer")
    assert 3 == len(await found(queue=QUEUE.name, wire=kit.inspector.wire))
    with pytest.raises(NoSuchQueueError, match="no such queue: 'another'; there are work"):
        await found(queue="another")
    assert [] == await found(older=60.0) == await found(newer=-60.0)
    assert {None} == {job.data for job in (await admin.jobs.failed(JobFilter())).jobs}
    letters = [each async for each in admin.dead_letters.each(JobFilter(reason="answer"))]
    assert ["greet", "call"] == [letter.name for letter in letters]
    briefs = [each async for each in admin.dead_letters.each(JobFilter(reason="answer"), brief=True)]
    assert [letter.model_copy(update={"data": None, "stack": ""}) for letter in letters] == briefs
    with pytest.raises(NoSuchQueueError):
        [each async for each in admin.dead_letters.each(JobFilter(queue="another"), brief=True)]


async def test_jobs_are_browsed(kit: WireKit, admin: Admin) -> None:
    """A page has the total, and delayed jobs have the time when they are due."""
    await kit.enqueue("greet", 0)
    before = clock(kit)()
    ids = [await kit.enqueue("greet", n, delay=60.0) for n in range(3)]

    page = await admin.jobs.browse(QUEUE.name, State.DELAYED, kit.inspector.wire, 1, 1)

    assert 3 == page.total
    [job] = page.jobs
    assert job.id in ids
    for due_at in (job.due_at, (await kit.view(job.id)).due_at):
        assert due_at == pytest.approx(before + 60, abs=1.5)
    assert 4 == sum([(await admin.jobs.browse(QUEUE.name, state, kit.inspector.wire, 0, 9)).total for state in State])


async def test_jobs_are_searched(kit: WireKit, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """By id, name, reason and payload, ignoring case.

    A search reads a bounded number of jobs and says where to go on.
    """
    ids = [await kit.enqueue(name, {"userId": user}) for name, user in (("greet", "Anna"), ("call", "berta"))]

    async def search(text: str, state: State = State.WAITING, **bounds: int) -> tuple[set[str], int | None]:
        found = await admin.jobs.search(QUEUE.name, state, kit.inspector.wire, text, **bounds)
        return {job.id for job in found.jobs}, found.resume

    assert ({ids[0]}, None) == await search("ANNA")
    assert ({ids[1]}, None) == await search("Call")
    assert set(ids) <= (await search('"userid": "'))[0]
    assert ids[0] in (await search(ids[0]))[0]
    assert (set(), None) == await search("carla")
    first, resume = await search("userId", count=1)
    assert (1, 1) == (len(first), resume)
    assert (set(ids) - first, None) == await search("userId", start=1)
    last = "berta" if ids[0] in first else "anna"
    monkeypatch.setattr("queue_lib.admin.jobs.READ", 1)
    assert (set(), 1) == await search(last, seconds=0)
    monkeypatch.setattr("queue_lib.admin.jobs.SEARCHED", 1)
    assert (set(), 1) == await search(last)
    await (await kit.claim(await kit.broker())).bury(Failure("The door is LOCKED"))
    assert 1 == len((await search("locked", State.FAILED))[0])


@pytest.mark.parametrize("state", STATES)
async def test_a_brief_job_is_the_same_job(kit: WireKit, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it goes: all by which lists are searched, filtered and ordered, however many are read at once."""
    broker = await kit.broker()
    for number in range(5):
        data = {"number": number, "text": "é" * 500}
        await kit.enqueue(f"greet-{number}", data, delay=60.0 if state is State.DELAYED else 0.0)
    for _ in range(5 if state in {State.ACTIVE, State.COMPLETED, State.FAILED} else 0):
        lease = await kit.claim(broker)
        if state in {State.COMPLETED, State.FAILED}:
            await (lease.done({"ok": True}) if state is State.COMPLETED else lease.bury(FAILURE))
    monkeypatch.setattr("queue_lib.broker.fields.BYTES", 1000)

    whole, brief, listed = (
        [
            (job.id, job.name, job.queue, job.wire, job.state, job.data, job.reason or None, moment_of(job, state))
            for job in jobs
        ]
        for jobs in (
            [each.job for each in await behind(kit, state) if each.job],
            [each.job for each in await behind(kit, state, brief=True) if each.job],
            await kit.inspector.listed(
                QUEUE.name, state, [each.mark.id.split(":")[0] for each in await behind(kit, state)]
            ),
        )
    )
    assert 5 == len(whole)
    assert whole == brief
    assert sorted(whole) == sorted(listed)


async def behind(kit: WireKit, state: State, *, brief: bool = False) -> list[Placed]:
    """All jobs of a state, list after list."""
    lists = range(kit.inspector.lists(state))
    found = [await kit.inspector.behind(QUEUE.name, state, number, None, 100, brief=brief) for number in lists]
    return [each for placed in found for each in placed]


async def test_a_huge_payload_is_not_searched(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not even read; the job itself is found."""
    monkeypatch.setattr("queue_lib.admin.bullmq.briefs.LARGEST", 100)
    monkeypatch.setattr("queue_lib.admin.rq.briefs.LARGEST", 100)
    for wire in ("bullmq", "rq"):
        async with redis_kit(redis_url, wire) as kit:
            job_id = await kit.enqueue("greet", {"userId": "".join(map(chr, range(0x4E00, 0x4E00 + 200)))})
            [brief] = await kit.inspector.page(QUEUE.name, State.WAITING, 0, 9, brief=True)
            found = await Admin(backends(kit), by="anna").jobs.search(
                QUEUE.name, State.WAITING, kit.inspector.wire, job_id
            )
        assert "too large for a list" in brief.data["unserializable"]
        assert [job_id] == [job.id for job in found.jobs]


async def test_a_large_payload_is_not_in_a_list(kit: WireKit, admin: Admin) -> None:
    """The list has a note in its place; the job's own page shows it."""
    large = await kit.enqueue("greet", {"userId": "u" * LISTED})
    ids = [await kit.enqueue("greet", {"userId": "u"}) for _ in range(2 * READ_AT_ONCE)]

    page = await admin.jobs.browse(QUEUE.name, State.WAITING, kit.inspector.wire, 0, 100)

    assert [large, *ids] == [job.id for job in page.jobs]
    assert ["unserializable"] == list(page.jobs[0].data)
    assert {"userId": "u" * LISTED} == (await kit.view(large)).data
    assert {"userId": "u"} == page.jobs[-1].data


async def test_a_list_skips_an_id_without_a_job(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other jobs are shown once each, also those behind it."""
    monkeypatch.setattr("queue_lib.admin.jobs.PAGE", 2)
    for wire in ("bullmq", "rq"):
        async with redis_kit(redis_url, wire) as kit:
            ids = [await kit.enqueue("greet", n) for n in range(READ_AT_ONCE + 5)]
            with redis.Redis.from_url(redis_url) as server:
                server.delete(f"rq:job:{ids[3]}" if wire == "rq" else f"bull:work:{ids[3]}")

            page = await kit.inspector.page(QUEUE.name, State.WAITING, 0, 100)

            assert [each for each in ids if each != ids[3]] == [job.id for job in page]
            admin = Admin(backends(kit), by="anna")
            found = await admin.jobs.search(QUEUE.name, State.WAITING, kit.inspector.wire, ids[-1])
            assert ids[-1] in {job.id for job in found.jobs}


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_search_goes_on_behind_ids_without_a_job(redis_url: str, wire: str) -> None:
    """However few jobs are asked for at once, each is found once."""
    async with redis_kit(redis_url, wire) as kit:
        ids = [await kit.enqueue("greet", number) for number in range(12)]
        left = [ids[3], *ids[8:]]
        with redis.Redis.from_url(redis_url) as server:
            for each in set(ids) - set(left):
                server.delete(f"rq:job:{each}" if wire == "rq" else f"bull:work:{each}")
        admin, found, start = Admin(backends(kit), by="anna"), list[str](), 0
        for _ in ids:
            search = await admin.jobs.search(
                QUEUE.name, State.WAITING, kit.inspector.wire, "greet", start=start, count=2
            )
            found += [job.id for job in search.jobs]
            if search.resume is None:
                break
            start = search.resume
    assert left == found


@pytest.mark.parametrize("call", ["queues.history", "jobs.browse", "jobs.search", "queues.drain"])
async def test_an_unknown_queue_is_refused(kit: WireKit, admin: Admin, call: str) -> None:
    """The error names the queues that exist."""
    rest: dict[str, tuple[Any, ...]] = {
        "jobs.browse": (State.FAILED, kit.inspector.wire, 0, 9),
        "jobs.search": (State.FAILED, kit.inspector.wire, "x"),
    }
    with pytest.raises(PermanentError, match="no such queue: 'mail'; there are work"):
        await attrgetter(call)(admin)("mail", *rest.get(call, ()))
