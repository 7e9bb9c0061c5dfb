"""Connections to Redis: one place for URL, TLS and timeouts."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff, NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import NoScriptError
from redis.retry import Retry as SynchronousRetry

from queue_lib.broker.cluster import Home
from queue_lib.broker.direct import DIRECT, SYNCHRONOUS, StaleConnectionError
from queue_lib.broker.names import Names
from queue_lib.broker.together import Together
from queue_lib.errors import ConfigurationError

if TYPE_CHECKING:
    from queue_lib.redis_settings import RedisSettings

BLOCK = 10.0  # seconds a blocking command waits at most
CONNECT_TIMEOUT = 5.0  # seconds
ANSWER_TIMEOUT = BLOCK + 10.0  # seconds; redis-py 8's default of 5 breaks blocking commands (redis-py issue 4125)
HEALTH_CHECK = 25.0  # seconds idle after which a connection is tried before use; hosts close idle ones after 300
OF_HOST = re.compile(r"redis://(:[^@]*@)?([\w.-]+|\[[\da-fA-F:.]+\]):\d+/\d+")  # a URL as it is made of REDIS_HOST
# What the clients below set themselves: a URL that sets one of these as well is refused at the start.
OURS = dict.fromkeys(("client_name", "decode_responses", "encoding_errors", "retry"))


def options(url: str, *, variable: str = "REDIS_URL", ca: str | None = None, insecure: bool = False) -> dict[str, Any]:
    """redis-py's connection options for a URL, which stands in `variable`.

    `ca` is the path of a PEM file that verifies a private certificate (its host name is then not checked, since such
    certificates seldom carry one); `insecure` accepts any certificate. Raises ConfigurationError, a line a fault.
    """
    faults = [fault for fault in (_wrong_url(url, variable), _wrong_ca(ca)) if fault]
    if faults:
        raise ConfigurationError(*faults)
    parts: dict[str, Any] = dict(redis.asyncio.connection.parse_url(url))
    parts |= {
        "socket_timeout": ANSWER_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_keepalive": True,
        "health_check_interval": HEALTH_CHECK,
        "names": Names(),
        "home": Home(),
    }
    if urlsplit(url).scheme == "rediss":
        if ca is not None:
            parts |= {"ssl_ca_certs": ca, "ssl_check_hostname": False}
        elif insecure:
            parts |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
    return parts


def redis_options(settings: RedisSettings) -> dict[str, Any]:
    """Connection options of redis-py. Raises ConfigurationError."""
    ca, insecure = settings.redis_tls_ca, settings.redis_tls_insecure
    return options(settings.redis, variable=settings.redis_variable, ca=ca, insecure=insecure)


def _wrong_url(url: str, variable: str) -> str | None:
    """What is wrong with it.

    redis-py reads a database that is no number as 0, and notices an unknown option only when it connects.
    """
    if variable == "REDIS_HOST" and OF_HOST.fullmatch(url) is None:
        return "REDIS_HOST: no host alone; write redis.example.com, with its port in REDIS_PORT, or a URL in REDIS_URL"
    try:
        parts: dict[str, Any] = dict(redis.asyncio.connection.parse_url(url))
        database = "" if url.startswith("unix:") else urlsplit(url).path.strip("/")
        if not database.isdecimal() and database:
            return f"{variable}: the database after the host is no number; it looks like redis://host:port/0"
        parts.pop("connection_class", redis.asyncio.Connection)(**OURS, **parts)
    except ValueError:  # its words may have a part of a password
        form = "redis://user:password@host:6379/0, or rediss://... for TLS"
        return f"{variable}: not a Redis URL; it looks like {form}, special characters percent-encoded (/ as %2F)"
    except TypeError:
        known = "leave out what is after the ?, but for db, protocol, username and password"
        return f"{variable}: it has an option that is not taken; {known}"
    return None


def _wrong_ca(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        ssl.create_default_context(cafile=path)
    except ssl.SSLError:  # an OSError, too
        return f"REDIS_TLS_CA: {path} has no certificate in PEM"
    except OSError as error:
        return f"REDIS_TLS_CA: {path} can't be read: {error.strerror}"
    return None


class _OnceMore(SynchronousRetry):
    """Calls again if the wrong server was asked, which did nothing. RQ itself handles other lost connections."""

    def call_with_retry(self, *args: Any, **words: Any) -> Any:
        try:
            return super().call_with_retry(*args, **words)
        except StaleConnectionError:
            return super().call_with_retry(*args, **words)


class _Script(AsyncScript):
    """A script that is loaded again if the call moves to a server that does not have it."""

    async def __call__(self, *args: Any, **words: Any) -> Any:
        try:
            return await super().__call__(*args, **words)
        except NoScriptError:
            return await super().__call__(*args, **words)


class _Client(Together):
    def register_script(self, script: Any) -> Any:
        return _Script(self, script)


def client(parts: dict[str, Any], *, decode: bool, name: str) -> redis.asyncio.Redis:
    """An asyncio client with one connection, called `name` on the server; what is asked for at once goes together.

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
    made = _Client(connection_pool=pool, single_connection_client=True)
    made.auto_close_connection_pool = True
    return made


class _OneConnection(redis.ConnectionPool):
    """One connection for one thread: reads during an open transaction use the same connection."""

    def __init__(self, **words: Any) -> None:
        super().__init__(**words)
        self._depth = 0
        self._lent: Any = None

    def get_connection(self, *args: Any, **words: Any) -> Any:
        self._depth += 1
        if self._depth == 1:
            self._lent = super().get_connection(*args, **words)
        return self._lent

    def release(self, connection: Any) -> None:
        self._depth -= 1
        if self._depth == 0:
            super().release(connection)


def single_threaded_client(parts: dict[str, Any], *, name: str) -> redis.Redis:
    """A client with one connection for RQ's synchronous methods, called by one thread alone; replies are bytes.

    Nothing is tried again: a transaction that is open ends with its connection.
    """
    kind = parts.get("connection_class", redis.asyncio.Connection)  # `options` has named asyncio's
    pool = _OneConnection(client_name=name, **parts | {"connection_class": SYNCHRONOUS[kind]})
    return redis.Redis.from_pool(pool)


def synchronous_client(parts: dict[str, Any], *, name: str, threads: int = 1) -> redis.Redis:
    """A client for RQ's synchronous methods, called by so many threads at once; replies are bytes.

    Each needs one connection, and a second one where RQ reads while it holds a transaction open. One spare
    connection prevents a deadlock: the thread that takes it finishes and returns both.
    """
    kind = parts.get("connection_class", redis.asyncio.Connection)  # `options` has named asyncio's
    pool = redis.BlockingConnectionPool(  # type: ignore[no-untyped-call]
        max_connections=threads + 1,
        timeout=int(ANSWER_TIMEOUT),
        client_name=name,
        **parts | {"connection_class": SYNCHRONOUS[kind]},
        retry=_OnceMore(NoBackoff(), 0),
    )
    return redis.Redis.from_pool(pool)
