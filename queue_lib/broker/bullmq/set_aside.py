"""Schedules that an operator has paused, and how the last job of each schedule has ended.

BullMQ can't pause a scheduler. So a paused one is taken out, with the job that was to come, and its record is set aside
until it is resumed: no worker, Node's neither, adds a job meanwhile. If the app makes it again, it runs again.

    <queue>schedules:paused  hash: id -> the scheduler's record as JSON
    <queue>schedules:last    hash: id -> `<completed | failed> <milliseconds since the epoch> <job id>`, by finish.lua
"""

from __future__ import annotations

import json
from typing import Any

from queue_lib.broker.bullmq.parse import MALFORMED

PAUSED, LAST, REPEAT = "schedules:paused", "schedules:last", "repeat"


async def set_aside(queue: Any) -> dict[str, dict[str, str]]:
    """The records of the paused schedules of the package's Queue, by id. Raises redis-py's errors."""
    client, found = queue.backend.conn, await queue.backend.conn.hgetall(queue.backend.toKey(PAUSED))
    if not found:
        return {}
    running = await client.zmscore(queue.backend.toKey(REPEAT), list(found))
    return {each: _record(text) for (each, text), due in zip(found.items(), running, strict=True) if due is None}


def _record(text: str) -> dict[str, str]:
    """A record; empty if it can't be read."""
    try:
        found = json.loads(text)
        return {str(name): str(value) for name, value in found.items()}
    except MALFORMED:
        return {}


async def forget(queue: Any, gone: str) -> None:
    """Forget a schedule that was paused, and its last job. Raises redis-py's errors."""
    await queue.backend.conn.hdel(queue.backend.toKey(PAUSED), gone)
    await queue.backend.conn.hdel(queue.backend.toKey(LAST), gone)


async def forget_ended(queue: Any, paused: dict[str, dict[str, str]]) -> None:
    """Forget the last jobs of schedules that are there no more. Raises redis-py's errors."""
    client = queue.backend.conn
    told = [each for each in await client.hkeys(queue.backend.toKey(LAST)) if each not in paused]
    if not told:
        return
    running = await client.zmscore(queue.backend.toKey(REPEAT), told)
    gone = [each for each, due in zip(told, running, strict=True) if due is None]
    if gone:
        await client.hdel(queue.backend.toKey(LAST), *gone)
