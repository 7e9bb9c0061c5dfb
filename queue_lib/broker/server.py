"""Whether the server takes writes, by what it reports of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerUnavailableError, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

    import redis.asyncio


async def check_server(client: redis.asyncio.Redis) -> None:
    """Raise BrokerUnavailableError unless the server takes writes; PING shows MISCONF, and INFO the rest."""
    with outages_translated():
        await client.ping()
        facts: Mapping[str, Any] = await client.info()
    trouble = trouble_in(facts)
    if trouble is not None:
        raise BrokerUnavailableError(trouble=trouble)


def trouble_in(facts: Mapping[str, Any]) -> Trouble | None:
    """What is wrong with a server, by the fields of INFO."""
    if facts.get("loading"):
        return Trouble.LOADING
    if facts.get("cluster_enabled"):
        return Trouble.CLUSTER
    if facts.get("role") == "slave":
        return Trouble.REPLICA
    limit = facts.get("maxmemory", 0)
    return Trouble.FULL if limit and facts.get("used_memory", 0) > limit else None
