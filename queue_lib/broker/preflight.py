"""Is this Redis fit to keep jobs? Asked once, before anything is claimed."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import structlog
from redis.exceptions import RedisError

from queue_lib.broker.cluster import is_one_slot
from queue_lib.broker.connection import client
from queue_lib.broker.trouble import describe, trouble_of
from queue_lib.errors import ConfigurationError, Trouble
from queue_lib.job import Wire

if TYPE_CHECKING:
    from collections.abc import Collection

OLDEST = (6, 2)


async def check_redis(
    parts: dict[str, Any],
    variable: str = "REDIS_URL",
    *,
    prefix: str = "bull",
    wires: Collection[Wire] = tuple(Wire),
) -> None:
    """Raise ConfigurationError, a line a fault, if the server can't be reached, is too old, or may drop jobs.

    `variable` is where its URL stands. A cluster takes BullMQ's jobs alone, and only under a `prefix` with a hash tag.
    """
    probe = client(parts, decode=True, name="pushmill:preflight")
    try:
        facts = await probe.info()
    except (RedisError, OSError) as error:
        raise ConfigurationError(_unreachable(parts, error, variable)) from error
    finally:
        await probe.aclose()
    is_fit_for_cluster = is_one_slot(prefix) and Wire.RQ not in wires  # whose keys have no tag
    cluster = None if is_fit_for_cluster else _cluster(facts)
    faults = [fault for fault in (_sentinel(facts) or _version(facts), cluster, _eviction(facts)) if fault]
    if faults:
        raise ConfigurationError(*(f"{variable}: {fault}" for fault in faults))
    if not facts.get("aof_enabled"):
        structlog.get_logger().warning(
            "redis_may_forget", reason="appendonly is off: a crash of Redis loses the jobs since its last snapshot"
        )


def _unreachable(parts: dict[str, Any], error: Exception, variable: str) -> str:
    where = f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}"
    trouble = trouble_of(error)
    if trouble is Trouble.LOCKED:
        return f"{variable}: {where} refuses the user or the password"
    if isinstance(error.__cause__, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
        if "ssl_ca_certs" in parts:
            return f"REDIS_TLS_CA: {where} has a certificate that this CA has not signed"
        return (
            f"{variable}: {where} has a certificate that can't be verified; set REDIS_TLS_CA to the CA's PEM file, "
            "or REDIS_TLS_INSECURE=1 to accept it unverified"
        )
    if trouble is not Trouble.AWAY:
        return f"{variable}: {trouble.value}: {where} ({describe(error)})"
    return f"{variable}: can't reach Redis at {where} ({describe(error)})"


def _version(facts: dict[str, Any]) -> str | None:
    version = str(facts.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < OLDEST:
        return f"Redis {version} is too old; 6.2 is the oldest that will do"
    return None


def _sentinel(facts: dict[str, Any]) -> str | None:
    if "sentinel" in {facts.get("redis_mode"), facts.get("server_mode")}:
        return "a Sentinel is there, which keeps no jobs; set it to an address that always leads to the primary"
    return None


def _cluster(facts: dict[str, Any]) -> str | None:
    return Trouble.CLUSTER.value if facts.get("cluster_enabled") else None


def _eviction(facts: dict[str, Any]) -> str | None:
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return f"Redis may evict jobs (maxmemory-policy is {policy}); set it to noeviction"
    return None
