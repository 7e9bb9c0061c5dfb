"""Connections to Redis: one place for URL, TLS, timeouts, and for telling an outage from a bug."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import RedisError, ResponseError

from queue_lib.broker.direct import DIRECT
from queue_lib.errors import BrokerRefusedError, BrokerUnavailableError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 10.0  # seconds a blocking command waits at most
CONNECT_TIMEOUT = 5.0  # seconds
ANSWER_TIMEOUT = BLOCK + 10.0  # seconds; redis-py 8's default of 5 breaks blocking commands (redis-py issue 4125)
# First words of answers that pass: the server is loading, full, busy, read-only or without its replicas.
PASSING = frozenset(
    (
        "LOADING",
        "OOM",
        "BUSY",
        "READONLY",
        "MISCONF",
        "NOREPLICAS",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "TRYAGAIN",
        "UNKILLABLE",
    )
)
SYNCHRONOUS = {
    redis.asyncio.connection.SSLConnection: redis.connection.SSLConnection,
    redis.asyncio.connection.UnixDomainSocketConnection: redis.connection.UnixDomainSocketConnection,
}
HEALTH_CHECK = 25.0  # seconds idle after which a connection is tried before use; hosts close idle ones after 300


def options(url: str, *, ca: str | None = None, insecure: bool = False) -> dict[str, Any]:
    """redis-py's connection options for a URL.

    `ca` is the path of a PEM file that verifies a private certificate (its host name is then not checked, since such
    certificates seldom carry one); `insecure` accepts any certificate. Raises ConfigurationError.
    """
    try:
        parts: dict[str, Any] = dict(redis.asyncio.connection.parse_url(url))
    except ValueError as error:
        msg = f"REDIS_URL: not a Redis URL ({error}); expected redis://host:port or rediss://host:port"
        raise ConfigurationError(msg) from None
    parts |= {
        "socket_timeout": ANSWER_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK,
    }
    if urlsplit(url).scheme == "rediss":
        if ca is not None:
            parts |= {"ssl_ca_certs": ca, "ssl_check_hostname": False}
        elif insecure:
            parts |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return parts


def client(parts: dict[str, Any], *, decode: bool, name: str) -> redis.asyncio.Redis:
    """An asyncio client with one connection, called `name` on the server; commands wait for each other.

    Pipelines have a connection of their own, opened for the first of them; they wait for each other, too.
    `decode` turns replies into str (BullMQ's way), with replacement characters for what is not UTF-8: one hostile
    byte must not make a queue unreadable.
    """
    kind = parts.get("connection_class", redis.asyncio.Connection)
    pool = redis.asyncio.BlockingConnectionPool(
        max_connections=2,
        timeout=int(ANSWER_TIMEOUT),
        **parts | {"connection_class": DIRECT[kind]},
        decode_responses=decode,
        encoding_errors="replace",
        client_name=name,
        retry=Retry(ConstantBackoff(0.05), 1),
    )
    made = redis.asyncio.Redis(connection_pool=pool, single_connection_client=True)
    made.auto_close_connection_pool = True
    return made


def synchronous_client(parts: dict[str, Any], *, name: str, threads: int = 1) -> redis.Redis:
    """A client for RQ's synchronous methods, called by so many threads at once; replies are bytes.

    Each needs one connection, and a second one where RQ reads while it holds a transaction open. One more than there
    are threads is enough: whoever gets it ends, and gives both back. Without it all would wait for each other.
    """
    kind = parts.get("connection_class")
    if kind is not None:  # the URL's scheme wants another kind than the default, and `options` has named asyncio's
        parts = parts | {"connection_class": SYNCHRONOUS[kind]}
    pool = redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]
        max_connections=threads + 1, timeout=int(ANSWER_TIMEOUT), client_name=name, **parts
    )
    return redis.Redis.from_pool(pool)


@contextlib.contextmanager
def outages_translated() -> Iterator[None]:
    """Turn what redis-py raises into BrokerUnavailableError; into BrokerRefusedError where to wait is no use."""
    try:
        yield
    except (RedisError, OSError) as error:
        kind = BrokerRefusedError if _is_final(error) else BrokerUnavailableError
        raise kind(describe(error)) from error


async def answers(pipe: redis.asyncio.client.Pipeline) -> list[Any]:
    """What a pipeline of reads is answered; None for a key that holds another kind of value than was asked for.

    Whoever may write to Redis may put anything anywhere: one such key hides nothing but itself. Raises redis-py's
    errors for all else.
    """
    return _without_strangers(await pipe.execute(raise_on_error=False))


def synchronous_answers(pipe: redis.client.Pipeline) -> list[Any]:
    """The same of a synchronous pipeline."""
    return _without_strangers(pipe.execute(raise_on_error=False))


def _without_strangers(found: list[Any]) -> list[Any]:
    for answer in found:
        if isinstance(answer, Exception) and not str(answer).startswith("WRONGTYPE"):
            raise answer
    return [None if isinstance(answer, Exception) else answer for answer in found]


def _is_final(error: Exception) -> bool:
    """Whether the server's answer is about the command, and not about its own state."""
    return type(error) is ResponseError and str(error).partition(" ")[0] not in PASSING


def describe(error: Exception) -> str:
    """One line for an error of Redis; redis-py's messages carry no password."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
