"""What chores send and hear with, over a real Redis."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from queue_lib.addition import Addition, NewJob
from queue_lib.broker.bullmq.post import BullMQPost
from queue_lib.broker.connection import options
from queue_lib.errors import BrokerUnavailableError, Trouble

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def posted(url: str, name: str = "chores") -> AsyncIterator[BullMQPost]:
    """A process's post."""
    post = BullMQPost(options(url), "bull", name)
    yield post
    await post.close()


def new(queue: str, job_id: str, number: int, **fields: Any) -> NewJob:
    """A job."""
    return NewJob(queue, Addition(name="count", data={"n": number}, job_id=job_id, **fields))


async def test_jobs_of_a_queue_are_added_in_their_order(redis_url: str) -> None:
    """Whether they have a delay or a priority or neither: the first one of an id is the one that is there."""
    jobs = [new("reports", "a", 1), new("reports", "a", 2, delay=60.0), new("reports", "b", 3, delay=60.0)]
    jobs += [new("reports", "b", 4), new("reports", "c", 5, priority=7), new("reports", "c", 6), new("other", "a", 7)]
    async with posted(redis_url) as post:
        assert {} == await post.add([post.pack(job) for job in jobs])
        assert {} == await post.add([])

    with Redis.from_url(redis_url, decode_responses=True) as redis:
        assert (["a"], ["b"], ["c"]) == (
            redis.lrange("bull:reports:wait", 0, -1),
            redis.zrange("bull:reports:delayed", 0, -1),
            redis.zrange("bull:reports:prioritized", 0, -1),
        )
        found = [redis.hget(f"bull:reports:{job_id}", "data") for job_id in "abc"]
        assert [1, 3, 5] == [json.loads(str(data))["n"] for data in found]
        assert ["a"] == redis.lrange("bull:other:wait", 0, -1)


async def test_a_queue_whose_keys_are_broken_keeps_no_other_from_its_jobs(redis_url: str) -> None:
    """The queues that take none are told, each with why."""
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        redis.set("bull:reports:wait", "text")
        redis.hset("bull:old:meta", "version", "bullmq:4.1.0")
        async with posted(redis_url) as post:
            jobs = [new("reports", "a", 1), new("old", "a", 2), new("other", "a", 3)]
            refused = await post.add([post.pack(job) for job in jobs])
        assert ["a"] == redis.lrange("bull:other:wait", 0, -1)

    assert {"reports": Trouble.WRONG_TYPE.value, "old": Trouble.OUTDATED.value} == {
        queue: next(each.value for each in Trouble if reason.startswith(each.value))
        for queue, reason in refused.items()
    }


async def test_one_process_listens_at_a_time(redis_url: str) -> None:
    """The next one may when it leaves; and a process that was cut off takes its own turn again at once."""
    async with posted(redis_url, "one") as one, posted(redis_url, "two") as two:
        async with one.listen("epop.*") as heard:
            assert heard is not None
            async with two.listen("epop.*") as other:
                assert other is None
            with Redis.from_url(redis_url) as redis:
                assert 1 == redis.publish("epop.a.b", "é")
            assert ("epop.a.b", "é") == await asyncio.wait_for(anext(heard), 60)
            async with one.listen("epop.*") as again:
                assert again is not None
        async with two.listen("epop.*") as other:
            assert other is not None


async def test_a_process_that_died_is_followed_by_another(redis_url: str) -> None:
    """What it held runs out within 15 seconds; one that only was slow, and finds another listening, hears no more."""
    async with posted(redis_url, "one") as one, posted(redis_url, "two") as two, one.listen("epop.*") as heard:
        assert heard is not None
        with Redis.from_url(redis_url) as redis:
            assert 0 < redis.pttl("bull:pushmill:listener") <= 15_000
            redis.delete("bull:pushmill:listener")  # as time does
        async with two.listen("epop.*") as other:
            assert other is not None
            with pytest.raises(BrokerUnavailableError, match="another process listens"):
                await asyncio.wait_for(anext(heard), 60)


async def test_a_user_who_may_not_listen_is_told_before_it_listens(redis_url: str) -> None:
    """An ACL without channels is Redis 7's default for a new user."""
    with Redis.from_url(redis_url) as redis:
        redis.execute_command("ACL", "SETUSER", "deaf", "on", ">secret", "~*", "+@all", "resetchannels")
        async with posted(redis_url.replace("://", "://deaf:secret@")) as post:
            with pytest.raises(BrokerUnavailableError) as refusal:
                async with post.listen("epop.*"):
                    pytest.fail("it listens")
        redis.execute_command("ACL", "DELUSER", "deaf")

    assert Trouble.FORBIDDEN is refusal.value.trouble
