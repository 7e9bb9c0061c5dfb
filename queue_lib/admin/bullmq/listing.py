"""Places in BullMQ's lists: which jobs follow another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queue_lib.admin.ports import Mark
from queue_lib.broker.trouble import answers

if TYPE_CHECKING:
    import redis.asyncio

QUEUED = ("wait", "paused", "active")  # lists; the job that came first is their last one. Others are sorted sets


async def behind(client: redis.asyncio.Redis, key: str, mark: Mark | None, count: int, *, desc: bool) -> list[Mark]:
    """Up to `count` places behind the mark; `desc` is the order of a sorted set."""
    if key.rpartition(":")[2] in QUEUED:
        return await _in_list(client, key, mark, count)
    start = 0 if mark is None else await _start(client, key, mark, desc=desc)
    found: Any = await client.zrange(key, start, start + count - 1, desc=desc, withscores=True)
    return [Mark(job_id, float(score)) for job_id, score in found]


async def _in_list(client: redis.asyncio.Redis, key: str, mark: Mark | None, count: int) -> list[Mark]:
    """Of a list, from its end."""
    start = 0
    if mark is not None:
        async with client.pipeline(transaction=True) as pipe:
            pipe.llen(key)
            pipe.lpos(key, mark.id, rank=-1)
            length, place = await answers(pipe)
        start = 0 if place is None else (length or 0) - place
    found: Any = await client.lrange(key, -start - count, -start - 1)
    return [Mark(job_id) for job_id in reversed(found)]


async def _start(client: redis.asyncio.Redis, key: str, mark: Mark, *, desc: bool) -> int:
    """The number of the first one behind the mark."""
    rank: Any = await (client.zrevrank(key, mark.id) if desc else client.zrank(key, mark.id))
    if rank is not None:
        return int(rank) + 1
    before = (f"({mark.score!r}", "+inf") if desc else ("-inf", f"({mark.score!r}")
    return int(await client.zcount(key, *before))
