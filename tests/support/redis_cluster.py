"""A Redis Cluster of real servers: three primaries, and replicas for those that get one."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Self

import redis

from embedded.redis_server import RedisServer, free_port
from tests.support.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SLOTS = 16_384
MIGRATED_WITHIN = 5000  # milliseconds


class Node(RedisServer):
    """A server in cluster mode."""

    def __init__(self) -> None:
        """Of no cluster yet."""
        super().__init__(appendonly=True)
        self._bus = free_port()
        self.client = redis.Redis.from_url(self.url, decode_responses=True)

    def _command(self) -> list[str]:
        more = {"cluster-enabled": "yes", "cluster-port": str(self._bus), "cluster-node-timeout": "2000"}
        more |= {"repl-diskless-sync-delay": "0"}
        return [*super()._command(), *(part for name, value in more.items() for part in (f"--{name}", value))]

    def cluster(self, *words: object) -> Any:
        """A subcommand of CLUSTER."""
        return self.client.execute_command("CLUSTER", *words)  # type: ignore[no-untyped-call]

    @property
    def id(self) -> str:
        """Its name in the cluster."""
        return str(self.cluster("MYID"))

    @property
    def address(self) -> tuple[str, int, int]:
        """Host, port, and the port of the bus."""
        return "127.0.0.1", self.port, self._bus


class Cluster:
    """Three primaries, each with a third of the slots."""

    def __init__(self, nodes: list[Node]) -> None:
        """They run."""
        self.nodes = nodes

    @classmethod
    @contextlib.asynccontextmanager
    async def up(cls) -> AsyncIterator[Self]:
        """Start them, and wait until all know each other."""
        with contextlib.ExitStack() as servers:
            nodes = [servers.enter_context(Node()) for _ in range(3)]
            cluster = cls(nodes)
            for number, node in enumerate(nodes):
                node.cluster("ADDSLOTSRANGE", number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1)
                node.cluster("SET-CONFIG-EPOCH", number + 1)
            for node in nodes[1:]:
                nodes[0].cluster("MEET", *node.address)
            await cluster.well()
            yield cluster

    async def well(self) -> None:
        """Wait until each node sees all slots served, and knows all others."""

        def look() -> bool:
            told = [node.cluster("INFO").split() for node in self.nodes if node.is_running]
            return all({"cluster_state:ok", f"cluster_known_nodes:{len(self.nodes)}"} <= set(lines) for lines in told)

        await until(look, 30.0, lambda: [node.cluster("INFO") for node in self.nodes if node.is_running])

    def home(self, key: str) -> Node:
        """The primary with this key."""
        slot = self.nodes[0].cluster("KEYSLOT", key)
        return self.nodes[int(slot) * 3 // SLOTS]

    @contextlib.asynccontextmanager
    async def replica_of(self, node: Node) -> AsyncIterator[Node]:
        """One more node, which follows this one."""
        with Node() as replica:
            replica.cluster("MEET", *node.address)
            self.nodes.append(replica)
            await self.well()
            replica.cluster("REPLICATE", node.id)
            await until(lambda: replica.client.info("replication").get("master_link_status") == "up", 20.0)
            yield replica

    def move(self, key: str, source: Node, target: Node) -> None:
        """Move the slot of this key, with all its keys, from one node to another."""
        slot = source.cluster("KEYSLOT", key)
        target.cluster("SETSLOT", slot, "IMPORTING", source.id)
        source.cluster("SETSLOT", slot, "MIGRATING", target.id)
        while keys := source.cluster("GETKEYSINSLOT", slot, 100):
            source.client.execute_command(  # type: ignore[no-untyped-call]
                "MIGRATE", "127.0.0.1", target.port, "", 0, MIGRATED_WITHIN, "KEYS", *keys
            )
        for node in (target, source, *(node for node in self.nodes if node not in {source, target})):
            node.cluster("SETSLOT", slot, "NODE", target.id)
