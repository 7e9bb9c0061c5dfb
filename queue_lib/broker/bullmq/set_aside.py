"""Schedules that an operator has paused, and how the last job of each schedule has ended.

BullMQ can't pause a scheduler. So a paused one is taken out, with the job that was to come, and its record is set aside
until it is resumed: no worker, Node's neither, adds a job meanwhile. If the app makes it again, it runs again, and
finish.lua forgets what was set aside.

    <queue>schedules:paused  hash: id -> the scheduler's record as JSON
    <queue>schedules:last    hash: id -> `<completed | failed> <milliseconds since the epoch> <job id>`, by finish.lua
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from queue_lib.broker.bullmq.library import script
from queue_lib.broker.bullmq.parse import MALFORMED

PAUSED, LAST, REPEAT = "schedules:paused", "schedules:last", "repeat"
HERE = Path(__file__).parent
PAUSE = (HERE / "pause_schedule.lua").read_text()
RUNS_AGAIN = (HERE / "runs_again.lua").read_text()


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


async def set_one_aside(queue: Any, schedule_id: str) -> bool:
    """Pause a schedule of the package's Queue; False if there is no such scheduler. Raises redis-py's errors."""
    pause = queue.backend.conn.register_script(PAUSE.replace("PACKAGE", script("removeJobScheduler-3.lua")))
    keys = [queue.backend.toKey(name) for name in (REPEAT, "delayed", "events", PAUSED)]
    return bool(await pause(keys=keys, args=[schedule_id, queue.backend.toKey("")]) == 0)


async def runs_again(queue: Any, schedule_id: str, added: int = 0) -> None:
    """Forget what was set aside of a schedule that runs again, and count its jobs on. Raises redis-py's errors."""
    keys = [queue.backend.toKey(name) for name in (REPEAT, PAUSED)]
    await queue.backend.conn.register_script(RUNS_AGAIN)(keys=keys, args=[schedule_id, added])


async def forget(queue: Any, gone: str) -> None:
    """Forget a schedule that was paused, and its last job. Raises redis-py's errors."""
    await queue.backend.conn.hdel(queue.backend.toKey(PAUSED), gone)
    await queue.backend.conn.hdel(queue.backend.toKey(LAST), gone)


async def forget_ended(queue: Any) -> None:
    """Forget the last jobs of schedules that are there no more. Raises redis-py's errors."""
    client = queue.backend.conn
    told = await client.hkeys(queue.backend.toKey(LAST))
    if not told:
        return
    paused = await set_aside(queue)
    running = await client.zmscore(queue.backend.toKey(REPEAT), told)
    gone = [each for each, due in zip(told, running, strict=True) if due is None and each not in paused]
    if gone:
        await client.hdel(queue.backend.toKey(LAST), *gone)
