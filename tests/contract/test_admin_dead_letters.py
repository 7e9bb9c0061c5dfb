"""Dead letters in an operator's hands, on every wire: replayed or dropped, and kept where neither can be."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import redis

from queue_lib.admin.dead_letters import AT_ONCE, Replay
from queue_lib.admin.filters import JobFilter
from queue_lib.broker.base import NotNow
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.broker.refused import refused
from queue_lib.errors import PermanentError
from queue_lib.job import Wire
from queue_lib.outcome import Failure
from tests.support.failed_jobs import FAILURE, fail, failed
from tests.support.wire_kit import QUEUE, WireKit, redis_kit

if TYPE_CHECKING:
    from queue_lib.admin.admin import Admin


async def test_a_letter_sends_its_job_back(kit: WireKit, admin: Admin) -> None:
    """The very job, from its first attempt; the letter is gone."""
    [job_id] = await failed(kit, "greet")
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    whole = await admin.dead_letters.find(letter.letter_id)
    assert whole is not None
    assert (job_id, {"number": 0}, FAILURE.reason, FAILURE.stack) == (whole.id, whole.data, whole.reason, whole.stack)

    assert Replay.RETRIED is await admin.dead_letters.replay(whole)

    assert (job_id, 1) == ((lease := await kit.claim(await kit.broker())).job.id, lease.job.attempt)
    assert await admin.dead_letters.find(letter.letter_id) is None


async def test_a_letter_outlives_its_job(kit: WireKit, admin: Admin) -> None:
    """Retention has removed the job: a new one gets the payload, and two operators make one of it."""
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


async def test_a_letter_whose_job_runs_by_now_stays(kit: WireKit, admin: Admin) -> None:
    """Somebody has retried it by other means: it is not run twice."""
    [job_id] = await failed(kit, "greet")
    await kit.inspector.retry(QUEUE.name, job_id)
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]

    assert Replay.NOT_FAILED is await admin.dead_letters.replay(letter)

    assert 1 == await admin.dead_letters.count()
    assert await admin.dead_letters.drop(letter)
    assert not await admin.dead_letters.drop(letter)
    assert 0 == await admin.dead_letters.count()


@pytest.mark.parametrize("by_letter", [True, False])
async def test_the_letter_of_a_new_failure_stays(
    kit: WireKit, admin: Admin, monkeypatch: pytest.MonkeyPatch, by_letter: bool
) -> None:
    """A worker may fail with the job again before the operator's tool has dropped the old letter."""
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


async def test_a_wire_that_is_not_served(kit: WireKit, admin: Admin) -> None:
    """Nothing is done, and it is said."""
    await failed(kit, "greet")
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    other = next(wire for wire in Wire if wire is not kit.inspector.wire)

    with pytest.raises(PermanentError, match="does not serve the wire"):
        await admin.dead_letters.replay(letter.model_copy(update={"wire": other}))
    assert 1 == await admin.dead_letters.count()


async def test_a_payload_that_was_too_large_for_its_letter(kit: WireKit, admin: Admin) -> None:
    """It can't be enqueued again, and the letter stays."""
    [job_id] = await failed(kit, "greet")
    await kit.inspector.remove(QUEUE.name, job_id)
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    note = letter.model_copy(update={"data": {"unserializable": "too large"}})

    assert Replay.NO_PAYLOAD is await admin.dead_letters.replay(note)
    assert 1 == await admin.dead_letters.count()


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_the_letter_of_a_job_that_could_not_be_read_shows_what_was_written(redis_url: str, wire: str) -> None:
    """Its text as far as it goes: half an object, or what a pickle says of itself; so do the job's own pages."""
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
async def test_letters_are_dropped_while_they_are_read(kit: WireKit, admin: Admin, kept: int) -> None:
    """Over many pages each letter that is meant comes once, the oldest first; the others, and what stays, are left."""
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


async def test_an_old_letter_is_moved_to_where_it_is_dropped_at_once(redis_url: str, bullmq: WireKit) -> None:
    """BullMQ looks for it from the newest end on; there it is by then."""
    [job_id] = await failed(bullmq, "greet")
    [oldest] = await bullmq.dead_letters.page(0, 1)
    with redis.Redis.from_url(redis_url) as server:
        server.lpush("bull:dead:wait", *(f"newer-{number}" for number in range(1000)))

        assert 1 == await bullmq.dead_letters.gather(0, AT_ONCE, [oldest.letter_id])

        assert [oldest.letter_id.encode()] == server.lrange("bull:dead:wait", 0, 0)
        assert 1001 == server.llen("bull:dead:wait")
    assert job_id == oldest.id
    assert await bullmq.dead_letters.drop(oldest.letter_id)


@pytest.mark.parametrize("again", [False, True])
async def test_a_job_that_is_removed_takes_its_own_letter_alone(kit: WireKit, admin: Admin, again: bool) -> None:
    """A failed job's goes with it; that of an earlier job with the same id stays, for it has another payload."""
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
    """Half an emoji, deep lists, a huge number: the letter has them, is shown, and the new job is given them."""
    await kit.enqueue("greet", data)
    job_id = await fail(kit, await kit.claim(await kit.broker()), Failure.of(ValueError("no \ud83d")))
    await kit.inspector.remove(QUEUE.name, job_id)
    [listed] = [each async for each in admin.dead_letters.each(JobFilter())]
    letter = await admin.dead_letters.find(listed.letter_id)
    assert letter is not None
    letter.model_dump_json(by_alias=True).encode()

    assert Replay.ENQUEUED is await admin.dead_letters.replay(letter)

    assert data == (await kit.claim(kit.brokers[0])).job.data


async def test_a_job_that_could_not_be_read_is_not_replayed_as_nothing(kit: WireKit, admin: Admin) -> None:
    """Its letter has no payload, and says so: once the job is gone there is nothing to enqueue."""
    job = refused(QUEUE, kit.inspector.wire, "odd", "unreadable job: ValueError", '{"userId": "u1')
    await kit.dead_letters.add(DeadLetter(job=job, failure=FAILURE, failed_at=1.0))
    [letter] = [each async for each in admin.dead_letters.each(JobFilter())]
    whole = await admin.dead_letters.find(letter.letter_id)
    assert whole is not None
    assert {"unserializable": "the job could not be read", "raw": '{"userId": "u1'} == whole.data

    assert Replay.NO_PAYLOAD is await admin.dead_letters.replay(whole)
    assert 1 == await admin.dead_letters.count()
