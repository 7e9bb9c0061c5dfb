"""What the runs of a job note for later runs of it: a hash in Redis for each job that has noted anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queue_lib.broker.connection import outages_translated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import redis.asyncio

DAY = 24 * 3600  # seconds


class Notes:
    """The notes of one job. `born` tells it from an older job with the same id."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str, wire: str, job_id: str, born: float) -> None:
        """`client` may decode replies or not; `prefix` is that of all keys of the job's queue."""
        self._client = client
        self._key = f"{prefix}:notes:{wire}:{job_id}:{round(born * 1000)}"

    async def read(self) -> dict[str, str]:
        """All notes. Raises BrokerUnavailableError."""
        with outages_translated():
            raw = await self._client.hgetall(self._key)
        return {_text(key): _text(value) for key, value in raw.items()}

    async def write(self, entries: Mapping[str, str], forget: Collection[str]) -> None:
        """Note and forget in one step. Raises BrokerUnavailableError."""
        with outages_translated():
            async with self._client.pipeline(transaction=True) as pipe:
                if forget:
                    pipe.hdel(self._key, *forget)
                if entries:
                    pipe.hset(self._key, items=[part for entry in entries.items() for part in entry])
                pipe.expire(self._key, DAY)
                await pipe.execute()


def _text(raw: str | bytes) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
