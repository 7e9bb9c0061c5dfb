"""A primary and its replica behind one address, which leads to the current primary."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import redis

from tests.support.lossy_link import LossyLink
from tests.support.polling import until
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class Pair:
    """Two servers, and the address of the primary."""

    primary: RedisServer
    replica: RedisServer
    link: LossyLink

    @classmethod
    @contextlib.asynccontextmanager
    async def up(cls) -> AsyncIterator[Self]:
        """Start both, with the same data."""
        with RedisServer(appendonly=True) as primary, RedisServer(appendonly=True) as replica:
            async with LossyLink(primary.url) as link:
                pair = cls(primary, replica, link)
                await pair._follow()
                yield pair

    async def fail_over(self) -> None:
        """Promote the replica and demote the primary; open connections stay open, and lead to the latter."""
        self.promote()
        await self._follow()

    def promote(self) -> None:
        """Promote the replica, and lead to it."""
        with redis.Redis.from_url(self.replica.url) as promoted:
            promoted.replicaof("NO", "ONE")
        self.link.lead_to(self.replica.url)
        self.primary, self.replica = self.replica, self.primary

    async def _follow(self) -> None:
        with redis.Redis.from_url(self.primary.url) as primary:
            primary.config_set("repl-diskless-sync-delay", 0)  # else it waits five seconds for other replicas
        with redis.Redis.from_url(self.replica.url) as replica:
            replica.replicaof("127.0.0.1", self.primary.port)
            await until(lambda: replica.info("replication")["master_link_status"] == "up", 20.0)
