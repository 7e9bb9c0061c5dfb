"""Clients that wait for jobs. All their jobs are looked at together, four times a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from queue_lib.errors import BrokerUnavailableError
from queue_lib.job import State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from queue_lib.admin.jobs import JobAdmin
    from queue_lib.admin.ports import JobView
    from queue_lib.job import Wire

EVERY = 0.25  # seconds between looks
PATIENCE = 2.0  # seconds without news after which the client's connection is checked
MOST = 500  # clients of one web process
BUSY_FOR = "5"  # seconds after which a client may try again
ENDED = frozenset({State.COMPLETED, State.FAILED})
GONE = ""  # the fingerprint of a job that is gone


class Followed:
    """A job that one client waits for. `fingerprint` is the last one seen; None before the first look."""

    def __init__(self, job: JobView) -> None:
        """Nothing was seen so far."""
        self.queue, self.wire, self.id = job.queue, job.wire, job.id
        self.fingerprint: str | None = None
        self._known: str | None = None
        self._news = asyncio.Event()

    def see(self, fingerprint: str | None) -> None:
        """Take note of a look; None for a job that is gone."""
        self.fingerprint = GONE if fingerprint is None else fingerprint
        if self.fingerprint != self._known:
            self._news.set()

    def forget(self) -> None:
        """The last look could not be sent to the client: count the next one as news."""
        self.fingerprint = self._known = None

    def wake(self) -> None:
        """Let the client go."""
        self._news.set()

    async def news(self, seconds: float) -> bool:
        """Wait so long at most for the job to change; returns whether it has. The first look is a change."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()
        changed = self.fingerprint != self._known
        self._known = self.fingerprint
        return changed


class Watch:
    """Looks at all followed jobs, while there are any."""

    def __init__(self, most: int = MOST) -> None:
        """`most` clients may wait at once."""
        self._most = most
        self._followed: set[Followed] = set()
        self._looking: asyncio.Task[None] | None = None
        self.is_closed = False

    def close(self) -> None:
        """End all waits, because the process stops. Safe to call in a signal handler."""
        self.is_closed = True

    def check_room(self) -> None:
        """Raise 503 when too many clients wait."""
        if len(self._followed) >= self._most:
            msg = "too many clients wait for jobs; ask for the job without waiting"
            raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, msg, {"Retry-After": BUSY_FOR})

    @contextlib.contextmanager
    def follow(self, jobs: JobAdmin, job: JobView) -> Iterator[Followed]:
        """Follow a job. Call check_room first."""
        followed = Followed(job)
        self._followed.add(followed)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(jobs), name="watch")
        try:
            yield followed
        finally:
            self._followed.discard(followed)

    async def _look(self, jobs: JobAdmin) -> None:
        while self._followed:
            with contextlib.suppress(BrokerUnavailableError):  # the client's own look raises it, too
                await self._look_at_all(jobs.fingerprints)
            if self.is_closed:
                for followed in self._followed:
                    followed.wake()
            await asyncio.sleep(EVERY)

    async def _look_at_all(self, fingerprints: Callable[[str, Wire, list[str]], Awaitable[list[str | None]]]) -> None:
        places: dict[tuple[str, Wire], defaultdict[str, list[Followed]]] = {}
        for followed in self._followed:
            ids = places.setdefault((followed.queue, followed.wire), defaultdict(list))
            ids[followed.id].append(followed)
        for (queue, wire), ids in places.items():
            for clients, fingerprint in zip(ids.values(), await fingerprints(queue, wire, list(ids)), strict=True):
                for client in clients:
                    client.see(fingerprint)

    async def until_ended(
        self, jobs: JobAdmin, job: JobView, seconds: float, has_left: Callable[[], Awaitable[bool]]
    ) -> JobView | None:
        """The job once it has completed or failed, or as it is after so many seconds; None if it is gone.

        `has_left` says whether the client has disconnected. Raises 503 when too many clients wait.
        """
        self.check_room()
        until, seen = time.monotonic() + seconds, job
        with self.follow(jobs, job) as followed:
            while seen.state not in ENDED and (left := until - time.monotonic()) > 0 and not self.is_closed:
                if await followed.news(min(left, PATIENCE)):
                    found = await jobs.find(job.id, job.queue, job.wire)
                    if not found:
                        return None
                    seen = found[0]
                elif await has_left():
                    break
        return seen
