"""What the runs of a job note for later runs of it: a hash in Redis for each job that has noted anything."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerUnavailableError, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import redis.asyncio

    from queue_lib.job import Job

DAY = 24 * 3600  # seconds
SCRIPT = (Path(__file__).parent / "notes.lua").read_text()


@dataclass(frozen=True, slots=True)
class Holder:
    """The owner of the job: `key` is BullMQ's lock or RQ's started registry, `name` the token or execution in it."""

    key: str
    name: str


class Notes:
    """The notes of one job. The key has the time of its creation: an older job with the same id has other notes."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str, job: Job, holder: Holder) -> None:
        """`client` may decode replies or not; `prefix` is that of all keys of the job's queue."""
        self._client = client
        self._job_id = job.id
        self._key = f"{prefix}:notes:{job.wire}:{job.id}:{round(job.created_at * 1000)}"
        self._holder = holder
        self._are_there = False

    async def read(self) -> dict[str, str]:
        """All notes. Raises BrokerUnavailableError."""
        with outages_translated():
            raw = await self._client.hgetall(self._key)
        self._are_there = bool(raw)
        return {_text(key): _text(value) for key, value in raw.items()}

    async def write(self, entries: Mapping[str, str], forget: Collection[str]) -> None:
        """Note and forget in one step. Raises BrokerUnavailableError, and LeaseLostError if another has the job."""
        self._are_there = True  # also if the answer is lost
        words = [*forget, *(part for entry in entries.items() for part in entry)]
        script = self._client.register_script(SCRIPT)
        with outages_translated():
            held = await script(keys=[self._key, self._holder.key], args=[self._holder.name, DAY, len(forget), *words])
        if not held:
            msg = f"job {self._job_id} is no longer leased to this worker"
            raise LeaseLostError(msg)

    async def drop(self) -> None:
        """Forget all, since the job is done; while Redis is away they expire."""
        if self._are_there:
            with suppress(BrokerUnavailableError), outages_translated():
                await self._client.delete(self._key)


def _text(raw: str | bytes) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
