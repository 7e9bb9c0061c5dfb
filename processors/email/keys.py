"""Idempotency keys: jobs with the same key send one mail within 24 hours."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from queue_lib.errors import SnoozeError

if TYPE_CHECKING:
    from queue_lib.job import Job
    from queue_lib.jobs.toolbox import Cache

DAY = 24 * 3600.0  # seconds
HELD = 3600.0  # seconds that a job holds its key before somebody may have the mail; each run begins them anew
PAUSE = 30.0  # seconds until a job looks again at a key that another one holds
OPEN, DATA, SENT = "open", "data", "sent"


class Key:
    """The key of one job, as all jobs with the same key see it: `<state> <job>`.

    The state is `open` until the message is sent, `data` while the server's answer is awaited or a part of the
    recipients has the mail, and then `sent`. Without a key nothing is asked and nothing is written.
    """

    def __init__(self, cache: Cache, key: str | None, job: Job) -> None:
        """Claim nothing yet."""
        self._cache = cache
        self._name = f"email:{_digest(key)}" if key else ""
        self._job = _digest(f"{job.queue}:{job.wire}:{job.id}")

    async def is_sent(self) -> bool:
        """Claim the key. True if another job has sent this mail; raises SnoozeError if another one is about to."""
        if not self._name:
            return False
        text = await self._cache.claim(self._name, f"{OPEN} {self._job}", HELD)
        state, _, job = text.partition(" ")
        if job == self._job:
            await self._cache.set(self._name, text, HELD if state == OPEN else DAY)
            return False
        if state != SENT:
            msg = "another job with its idempotencyKey is sending the mail"
            raise SnoozeError(msg, PAUSE)
        return True

    async def data(self) -> None:
        """The message is about to be sent."""
        await self._set(DATA, DAY)

    async def open(self) -> None:
        """The server has refused the message, and nobody has it."""
        await self._set(OPEN, HELD)

    async def sent(self) -> None:
        """The server has the mail."""
        await self._set(SENT, DAY)

    async def give_up(self) -> None:
        """The job is dead: another one may send the mail, unless the server may have it."""
        text = await self._cache.get(self._name) if self._name else None
        if text == f"{OPEN} {self._job}":
            await self._cache.delete(self._name)
        elif text == f"{DATA} {self._job}":
            await self.sent()

    async def _set(self, state: str, seconds: float) -> None:
        if self._name:
            await self._cache.set(self._name, f"{state} {self._job}", seconds)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
