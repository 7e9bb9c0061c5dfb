"""The dead letters: a BullMQ queue that no worker serves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from queue_lib.broker import fields
from queue_lib.broker.bullmq.library import HERE, SharedQueue, script
from queue_lib.broker.dead_letters import DeadLetterView, dead_letter_id
from queue_lib.broker.trouble import hashes, outages_translated
from queue_lib.queues import DEAD_QUEUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis.asyncio

    from queue_lib.broker.dead_letters import DeadLetter

PLACES = ("wait", "paused")  # an app with bullmq 5 that pauses the queue moves all entries from the first to the second
# Runs before the package's script, whose KEYS[1] is the entry's hash. An entry that was replaced meanwhile stays. If
# there is none, the package would search the whole list.
IF_SAME = "if (redis.call('HGET', KEYS[1], 'timestamp') or '') ~= ARGV[4] then return 0 end\n"


class BullMQDeadLetters:
    """Dead letters in the queue `dead`, where the app's own BullMQ finds them."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it is closed with this object."""
        self._client = client
        self._queue = SharedQueue(DEAD_QUEUE, client, prefix)
        self._remove = client.register_script(IF_SAME + script("removeJob-2.lua"))
        self._gather = client.register_script((HERE / "gather.lua").read_text())
        self._fields = client.register_script(fields.SCRIPT)

    async def add(self, letter: DeadLetter) -> None:
        """Add the dead letter under an id made of the job's, in place of an older one."""
        job = letter.job
        job_id = dead_letter_id(job.wire, job.queue, job.id)
        await self.drop(job_id)
        with outages_translated():
            await self._queue.add(f"{job.name}_failed", letter.to_wire(), {"jobId": job_id})

    async def count(self) -> int:
        """How many there are."""
        with outages_translated():
            return sum((await self._queue.getJobCounts(*PLACES)).values())

    async def page(self, start: int, count: int) -> list[DeadLetterView]:
        """Dead letters, the oldest first."""
        with outages_translated():
            ids = await self._queue.backend.scripts.getRanges(PLACES, start, start + count - 1, asc=True)
            found = zip(ids, await hashes(self._client, map(self._queue.toKey, ids)), strict=True)
        read = (_letter(entry_id, values.get("data")) for entry_id, values in found)
        return [letter for letter in read if letter is not None]

    async def briefs(self, start: int, count: int) -> list[DeadLetterView]:
        """Each is forgotten but for its facts before more are read: it may have megabytes."""
        letters: list[DeadLetterView] = []
        with outages_translated():
            ids = await self._queue.backend.scripts.getRanges(PLACES, start, start + count - 1, asc=True)
            async for found in fields.batches(self._fields, ids, self._queue.toKey, ["data"]):
                read = (_letter(each, *values, brief=True) for each, values in found)
                letters += [letter for letter in read if letter is not None]
        return letters

    async def find(self, letter_id: str) -> DeadLetterView | None:
        """One dead letter."""
        with outages_translated():
            [values] = await hashes(self._client, [self._queue.toKey(letter_id)])
        return _letter(letter_id, values.get("data"))

    async def gather(self, start: int, count: int, letter_ids: Sequence[str]) -> int:
        """Move dead letters to the newest end, in one step that costs as much as a page."""
        keys = [self._queue.toKey(place) for place in PLACES]
        with outages_translated():
            return int(await self._gather(keys=keys, args=[start, count, *letter_ids]))

    async def drop(self, letter_id: str, failed_at: int | None = None) -> bool:
        """Delete a dead letter if it is still the one that was read, in one step."""
        key = self._queue.toKey(letter_id)
        with outages_translated():
            [values] = await hashes(self._client, [key])
            if not values or not (failed_at is None or _failed_at(letter_id, values.get("data")) == failed_at):
                return False
            arguments = [letter_id, 0, self._queue.toKey(""), values.get("timestamp", "")]
            return bool(await self._remove(keys=[key, self._queue.toKey("repeat")], args=arguments))

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def _failed_at(entry_id: str, data: str | None) -> int | None:
    letter = _letter(entry_id, data)
    return None if letter is None else letter.failed_at


def _letter(entry_id: str, data: str | None = None, *, brief: bool = False) -> DeadLetterView | None:
    """The dead letter; None for an entry of another program, or one that is gone."""
    read = DeadLetterView.read_brief if brief else DeadLetterView.read
    try:
        return read(entry_id, json.loads(data or ""))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
