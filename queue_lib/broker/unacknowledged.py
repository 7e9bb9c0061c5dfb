"""Unacknowledged claims: jobs that the server has given to this worker in an answer that was lost with its connection.

redis-py sends the command again over a new connection, and that claims another job. The first one would be lost until
its lease expires. So after every new connection a worker looks for jobs that it has and does not know of: before its
next claim, and whenever it renews its leases. The scripts that look for them are called `strays.lua`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from queue_lib.broker.trouble import for_each, outages_translated

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    import redis.asyncio
    from redis.asyncio.connection import AbstractConnection


class UnacknowledgedClaims:
    """The queues that may have some."""

    def __init__(self, queues: Collection[str], put_back: Callable[[str], Awaitable[None]]) -> None:
        """`put_back` puts those of a queue back in line; it may raise redis-py's errors."""
        self._queues = queues
        self._put_back = put_back
        self._suspected: set[str] = set()

    def watch(self, client: redis.asyncio.Redis) -> None:
        """From now on, suspect every queue when this client, which is connected and has one connection, reconnects."""
        if client.connection is not None:
            client.connection.register_connect_callback(self._reconnected)  # type: ignore[no-untyped-call]

    def _reconnected(self, _: AbstractConnection) -> None:
        self._suspected.update(self._queues)

    def suspect(self, queue: str) -> None:
        """An answer was lost, or what it asked for could not be done."""
        self._suspected.add(queue)

    def are_suspected(self, queue: str) -> bool:
        """Whether `collect` would look."""
        return queue in self._suspected

    async def collect(self, queue: str) -> None:
        """Put the queue's unacknowledged claims back in line, if there may be any. Raises BrokerUnavailableError."""
        if queue not in self._suspected:
            return
        self._suspected.discard(queue)  # a connection that is lost meanwhile brings it back
        try:
            with outages_translated():
                await self._put_back(queue)
        except BaseException:
            self._suspected.add(queue)
            raise

    async def collect_all(self) -> None:
        """The same for all queues: a busy worker claims nothing. Raises BrokerUnavailableError."""
        await for_each(self._queues, self.collect)
