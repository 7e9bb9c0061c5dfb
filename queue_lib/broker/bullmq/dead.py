"""The dead letters: a BullMQ queue that no worker serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bullmq import Queue as BullQueue

from queue_lib.broker.connection import outages_translated
from queue_lib.queues import DEAD_QUEUE

if TYPE_CHECKING:
    import redis.asyncio

    from queue_lib.broker.base import DeadLetter


class BullMQDeadLetters:
    """Adds letters to the `dead` queue, where the app's own BullMQ finds them."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it is closed with this object."""
        self._client = client
        options: dict[str, Any] = {"connection": client, "prefix": prefix}
        self._queue = BullQueue(DEAD_QUEUE, options)

    async def add(self, letter: DeadLetter) -> None:
        """Add the letter under an id made of the job's, in place of an older one."""
        job = letter.job
        job_id = f"{job.wire}-{job.queue}-{job.id}".replace(":", "-")  # BullMQ takes no colon in an id
        with outages_translated():
            await self._queue.backend.remove(job_id, remove_children=False)
            await self._queue.add(f"{job.name}_failed", letter.to_wire(), {"jobId": job_id})

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
