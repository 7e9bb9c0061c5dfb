"""Jobs fetched ahead: BullMQ gives the next job with the completion of another, which saves a round trip a job."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import TYPE_CHECKING

from queue_lib.errors import BrokerUnavailableError, LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from queue_lib.broker.base import Lease


def _no_room() -> int:
    return 0


class Ahead:
    """The jobs of one queue that are leased already, for its next claims."""

    def __init__(self, to_lease: Callable[[dict[str, str], str, str], Awaitable[Lease]]) -> None:
        """`to_lease` makes a lease of a job's fields, its id and its token; it raises BrokerUnavailableError."""
        self.room: Callable[[], int] = _no_room  # how many the runner has slots for
        self.is_asleep = False  # the queue's consumer waits for news, or has ended
        self._to_lease = to_lease
        self._leases: deque[Lease] = deque()
        self._fetching = 0

    def __bool__(self) -> bool:
        return bool(self._leases)

    @contextlib.contextmanager
    def fetching(self) -> Iterator[bool]:
        """Whether a completion may fetch a job, too; counts it while it is under way."""
        room = 0 if self.is_asleep else self.room()
        fetches = len(self._leases) + self._fetching < room
        self._fetching += fetches
        try:
            yield fetches
        finally:
            self._fetching -= fetches

    async def add(self, fields: dict[str, str], job_id: str, token: str) -> None:
        """Keep a fetched job for the next claim; give it back, which wakes a worker, if the consumer is asleep."""
        with contextlib.suppress(BrokerUnavailableError):  # its lock runs out by itself
            self._leases.append(await self._to_lease(fields, job_id, token))
        if self.is_asleep:
            await self.give_back()

    def take(self) -> Lease | None:
        """The first one whose lease was not lost meanwhile."""
        while self._leases:
            lease = self._leases.popleft()
            if not lease.is_lost:
                return lease
        return None

    async def give_back(self) -> None:
        """Release all of them; where that fails the lease runs out."""
        while self._leases:
            lease = self._leases.popleft()
            try:
                await lease.release()
            except (BrokerUnavailableError, LeaseLostError):
                lease.abandon()
