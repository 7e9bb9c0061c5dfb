"""Dead letters in an operator's hands, on every wire: they are replayed or dropped, and kept if neither is possible."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

import pytest
import redis

from queue_lib.admin.admin import Admin
from queue_lib.admin.dead_letters import AT_ONCE, Bounds, Replay
from queue_lib.admin.filters import JobFilter
from queue_lib.admin.letter_groups import group_of
from queue_lib.broker.base import NotNow
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.broker.refused import refused
from queue_lib.errors import PermanentError
from queue_lib.job import Wire
from queue_lib.outcome import Failure
from tests.support.failed_jobs import FAILURE, fail, failed
from tests.support.wire_kit import QUEUE, WireKit, backends, redis_kit


async def test_a_replay_retries_the_job_of_the_dead_letter(kit: WireKit, admin: Admin) -> None:
    """The same job runs from its first attempt; the dead letter is gone."""
    [job_id] = await failed(kit, "greet")
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    whole = await admin.dead_letters.find(letter.letter_id)
    assert whole is not None
    assert (job_id, {"number": 0}, FAILURE.reason, FAILURE.stack) == (whole.id, whole.data, whole.reason, whole.stack)

    assert Replay.RETRIED is await admin.dead_letters.replay(whole)

    assert (job_id, 1) == ((lease := await kit.claim(await kit.broker())).job.id, lease.job.attempt)
    assert await admin.dead_letters.find(letter.letter_id) is None


async def test_a_dead_letter_outlives_its_job(kit: WireKit, admin: Admin) -> None:
    """Retention has removed the job: two operators who replay it add one new job with the payload."""
    [job_id] = await failed(kit, "greet")
    await kit.inspector.remove(QUEUE.name, job_id)
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    whole = await admin.dead_letters.find(letter.letter_id)
    assert whole is not None

    assert {Replay.ENQUEUED} == set(
        await asyncio.gather(admin.dead_letters.replay(whole), admin.dead_letters.replay(whole))
    )

    broker = await kit.broker()
    job = (await kit.claim(broker)).job
    assert ("greet", {"number": 0}, 1) == (job.name, job.data, job.attempt)
    assert isinstance(await broker.claim(QUEUE), NotNow)
    assert 0 == await admin.dead_letters.count()


async def test_a_dead_letter_stays_while_its_job_runs(kit: WireKit, admin: Admin) -> None:
    """Another tool has retried the job: a replay does not run it twice."""
    [job_id] = await failed(kit, "greet")
    await kit.inspector.retry(QUEUE.name, job_id)
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]

    assert Replay.NOT_FAILED is await admin.dead_letters.replay(letter)

    assert 1 == await admin.dead_letters.count()
    assert await admin.dead_letters.drop(letter)
    assert not await admin.dead_letters.drop(letter)
    assert 0 == await admin.dead_letters.count()


@pytest.mark.parametrize("by_letter", [True, False])
async def test_the_dead_letter_of_a_new_failure_stays(
    kit: WireKit, admin: Admin, monkeypatch: pytest.MonkeyPatch, by_letter: bool
) -> None:
    """The job may fail again before the operator's tool has dropped the old dead letter."""
    await failed(kit, "greet")
    [job] = (await admin.jobs.failed(JobFilter())).jobs
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    retry = kit.inspector.retry

    async def retry_and_fail(queue: str, job_id: str) -> bool:
        await asyncio.sleep(0.01)
        done = await retry(queue, job_id)
        await fail(kit, await kit.claim(await kit.broker()), Failure("again"))
        return done

    monkeypatch.setattr(kit.inspector, "retry", retry_and_fail)
    await (admin.dead_letters.replay(letter) if by_letter else admin.jobs.retry(job))

    assert ["again"] == [each.reason async for each in admin.dead_letters.each(JobFilter())]


async def test_a_dead_letter_of_a_wire_that_is_not_served_stays(kit: WireKit, admin: Admin) -> None:
    """Nothing is done, and the answer says why."""
    await failed(kit, "greet")
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    other = next(wire for wire in Wire if wire is not kit.inspector.wire)

    with pytest.raises(PermanentError, match="does not serve the wire"):
        await admin.dead_letters.replay(letter.model_copy(update={"wire": other}))
    assert 1 == await admin.dead_letters.count()


async def test_a_dead_letter_without_its_large_payload_stays(kit: WireKit, admin: Admin) -> None:
    """The payload was too large to keep, so the job can't be enqueued again."""
    [job_id] = await failed(kit, "greet")
    await kit.inspector.remove(QUEUE.name, job_id)
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    note = letter.model_copy(update={"data": {"unserializable": "too large"}})

    assert Replay.NO_PAYLOAD is await admin.dead_letters.replay(note)
    assert 1 == await admin.dead_letters.count()


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_the_dead_letter_of_an_unreadable_job_shows_its_raw_text(redis_url: str, wire: str) -> None:
    """Half a JSON object, or what a pickle looks like. The job's own page shows the same."""
    text = '{"userId": "u1", "pay' if wire == "bullmq" else "\x80\x04\x95app.tasks greet"
    async with redis_kit(redis_url, wire) as kit:
        job_id = await kit.enqueue("greet", {})
        with redis.Redis.from_url(redis_url) as server:
            raw = text if wire == "bullmq" else zlib.compress(text.encode("latin-1"))
            server.hset(f"rq:job:{job_id}" if wire == "rq" else f"bull:{QUEUE.name}:{job_id}", "data", raw)
        lease = await kit.claim(await kit.broker())
        assert lease.job.refusal is not None
        await fail(kit, lease, FAILURE)
        [letter] = await kit.letters()
        shown = text.replace("\x80", "\ufffd").replace("\x95", "\ufffd")
        assert [shown, shown] == [data["raw"] for data in (letter["data"]["data"], (await kit.view(job_id)).data)]


@pytest.mark.parametrize("kept", [0, 3])
async def test_dead_letters_are_dropped_while_they_are_read(kit: WireKit, admin: Admin, kept: int) -> None:
    """Each dead letter that matches comes once, oldest first, over many pages. The others stay."""
    numbers = range(2 * AT_ONCE + 10)
    await failed(kit, *("greet" if number % 3 else "call" for number in numbers))

    seen = []
    async for letter in admin.dead_letters.each_to_settle(JobFilter(name="greet")):
        seen.append(letter.data["number"])
        if seen[-1] % 10 >= kept:
            assert await admin.dead_letters.drop(letter)

    meant = [number for number in numbers if number % 3]
    assert meant == seen
    left = {number for number in numbers if number % 3 == 0 or number % 10 < kept}
    assert left == {letter.data["number"] async for letter in admin.dead_letters.each(JobFilter())}
    assert len(left) == await admin.dead_letters.count()


async def test_an_old_dead_letter_is_dropped_at_once(redis_url: str, bullmq: WireKit) -> None:
    """BullMQ searches the list from its newest end, so the letter is moved there first."""
    [job_id] = await failed(bullmq, "greet")
    [oldest] = await bullmq.dead_letters.page(0, 1)
    with redis.Redis.from_url(redis_url) as server:
        server.lpush("bull:dead:wait", *(f"newer-{number}" for number in range(1000)))

        assert 1 == await bullmq.dead_letters.gather(0, AT_ONCE, [oldest.letter_id])

        assert [oldest.letter_id.encode()] == server.lrange("bull:dead:wait", 0, 0)
        assert 1001 == server.llen("bull:dead:wait")
    assert job_id == oldest.id
    assert await bullmq.dead_letters.drop(oldest.letter_id)


async def test_briefs_are_the_same_dead_letters(kit: WireKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without payload and stack trace, in the same order; large ones come one by one."""
    for size in (1, 5000, 1, 5000, 5000):
        await kit.enqueue("greet", {"text": "x" * size})
        await fail(kit, await kit.claim(await kit.broker()), Failure("no answer — 503", "Traceback"))
    monkeypatch.setattr("queue_lib.broker.fields.BYTES", 4000)

    whole = await kit.dead_letters.page(1, 3)

    assert [5000, 1, 5000] == [len(each.data["text"]) for each in whole]
    expected = [each.model_copy(update={"data": None, "stack": ""}) for each in whole]
    assert expected == await kit.dead_letters.briefs(1, 3)


async def test_odd_entries_hide_no_dead_letter(redis_url: str, bullmq: WireKit) -> None:
    """A key of another type, an entry of another program, and one that is gone, between dead letters."""
    await failed(bullmq, "greet", "call")
    with redis.Redis.from_url(redis_url) as server:
        server.rpush("bull:dead:wait", "gone", "odd", "other")
        server.set("bull:dead:odd", "text")
        server.hset("bull:dead:other", mapping={"name": "report", "data": "[]"})
    assert ["greet", "call"] == [each.name for each in await bullmq.dead_letters.briefs(0, 9)]


@pytest.mark.parametrize("start", [0, 4])
@pytest.mark.parametrize("near", [2, 1000])
async def test_an_action_reaches_all_that_is_meant(
    kit: WireKit, admin: Admin, monkeypatch: pytest.MonkeyPatch, near: int, start: int
) -> None:
    """However far behind the newest it lies, and over how many actions; the others stay in their order."""
    monkeypatch.setattr("queue_lib.admin.dead_letters.NEAR", near)
    monkeypatch.setattr("queue_lib.admin.dead_letters.BRIEFS", 3)
    names = ["call", "greet", "greet", "greet", "greet", "call", "greet", "call", "call", "call", "call", "call"]
    ids = await failed(kit, *names)
    others = [job_id for job_id, name in zip(ids, names, strict=True) if name == "call"]

    dropped, more = 0, True
    while more and dropped < 9:
        done = await admin.dead_letters.drop_many(JobFilter(name="greet"), Bounds(limit=2, start=start))
        dropped, more = dropped + done.dropped, done.more

    assert (5, False) == (dropped, more)
    assert others == [letter.id async for letter in admin.dead_letters.each(JobFilter())]


async def test_what_is_to_be_dropped_is_moved_to_the_newest_end(
    bullmq: WireKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BullMQ walks from there; one that is left over becomes the newest."""
    monkeypatch.setattr("queue_lib.admin.dead_letters.NEAR", 1)
    monkeypatch.setattr("queue_lib.admin.dead_letters.BRIEFS", 3)
    ids = await failed(bullmq, "greet", "greet", "greet", "greet", "call", "call")
    admin = Admin(backends(bullmq), by="anna")

    assert 2 == (await admin.dead_letters.drop_many(JobFilter(name="greet"), Bounds(limit=2))).dropped

    assert [ids[0], ids[4], ids[5], ids[1]] == [letter.id for letter in await bullmq.dead_letters.page(0, 9)]


async def test_a_new_failure_is_not_replayed_with_what_was_found(
    kit: WireKit, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another operator has retried the job, and it has failed again, of something else: that dead letter stays."""
    await failed(kit, "greet")
    find = kit.dead_letters.find

    async def find_after_a_new_failure(letter_id: str) -> Any:
        [job] = (await admin.jobs.failed(JobFilter())).jobs
        await kit.inspector.retry(QUEUE.name, job.id)
        await asyncio.sleep(0.01)
        await fail(kit, await kit.claim(kit.brokers[0]), Failure("something else"))
        return await find(letter_id)

    monkeypatch.setattr(kit.dead_letters, "find", find_after_a_new_failure)
    wanted = JobFilter(group=group_of(FAILURE.reason))
    assert 0 == (await admin.dead_letters.replay_many(wanted, Bounds(limit=5))).replayed

    assert ["something else"] == [each.reason async for each in admin.dead_letters.each(JobFilter())]
    assert 1 == len((await admin.jobs.failed(JobFilter())).jobs)


@pytest.mark.parametrize("again", [False, True])
async def test_removing_a_job_removes_its_own_dead_letter_only(kit: WireKit, admin: Admin, again: bool) -> None:
    """The dead letter of an earlier job with the same id stays, because its payload differs."""
    [job_id] = await failed(kit, "greet")
    if again:
        await kit.inspector.retry(QUEUE.name, job_id)

    assert await admin.jobs.remove(await kit.view(job_id))

    assert again == await admin.dead_letters.count()


NESTED = json.loads("[" * 400 + "]" * 400)


@pytest.mark.parametrize(
    "data",
    [{"text": "\ud83d"}, {"\udc00": 1}, {"deep": NESTED}, {"n": 10**4000}, {"unserializable": "x", "y": 1}, None],
)
async def test_an_odd_payload_is_replayed_as_it_was(kit: WireKit, admin: Admin, data: Any) -> None:
    """Half an emoji, deep lists and a huge number are kept in the dead letter, shown, and given to the new job."""
    await kit.enqueue("greet", data)
    job_id = await fail(kit, await kit.claim(await kit.broker()), Failure.of(ValueError("no \ud83d")))
    await kit.inspector.remove(QUEUE.name, job_id)
    [listed] = [each async for each in admin.dead_letters.each(JobFilter())]
    letter = await admin.dead_letters.find(listed.letter_id)
    assert letter is not None
    letter.model_dump_json(by_alias=True).encode()

    assert Replay.ENQUEUED is await admin.dead_letters.replay(letter)

    assert data == (await kit.claim(kit.brokers[0])).job.data


async def test_an_unreadable_job_that_is_gone_is_not_replayed(kit: WireKit, admin: Admin) -> None:
    """Its dead letter has no payload, and says so: nothing is left to enqueue."""
    job = refused(QUEUE, kit.inspector.wire, "odd", "unreadable job: ValueError", '{"userId": "u1')
    await kit.dead_letters.add(DeadLetter(job=job, failure=FAILURE, failed_at=1.0))
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    whole = await admin.dead_letters.find(letter.letter_id)
    assert whole is not None
    assert {"unserializable": "the job could not be read", "raw": '{"userId": "u1'} == whole.data

    assert Replay.NO_PAYLOAD is await admin.dead_letters.replay(whole)
    assert 1 == await admin.dead_letters.count()
