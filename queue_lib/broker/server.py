"""Whether the server takes writes, by what it reports of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queue_lib.broker.cluster import is_one_slot
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerUnavailableError, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis.asyncio


async def check_server(client: redis.asyncio.Redis, prefix: str) -> None:
    """Raise BrokerUnavailableError unless the server takes writes; PING shows MISCONF, and INFO the rest.

    `prefix` is that of the jobs' keys: in a cluster, their node is asked.
    """
    with outages_translated():
        await client.exists(f"{prefix}:")  # the node without them says where that is; an ACL may grant `bull:*` alone
        await client.ping()
        facts: Mapping[str, Any] = await client.info()
    trouble = trouble_in(facts, is_one_slot=is_one_slot(prefix))
    if trouble is not None:
        raise BrokerUnavailableError(trouble=trouble)


def trouble_in(facts: Mapping[str, Any], *, is_one_slot: bool) -> Trouble | None:
    """What is wrong with a server, by the fields of INFO, and whether all keys are in one slot of a cluster."""
    if facts.get("loading"):
        return Trouble.LOADING
    if facts.get("cluster_enabled") and not is_one_slot:
        return Trouble.CLUSTER
    if facts.get("role") == "slave":
        return Trouble.REPLICA
    limit = facts.get("maxmemory", 0)
    return Trouble.FULL if limit and facts.get("used_memory", 0) > limit else None
