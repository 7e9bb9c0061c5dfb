"""redis-py's connections, with four changes.

No further task to send: redis-py sends within `asyncio.wait_for`, which on Python 3.11 makes a task of what it waits
for. Python 3.12 makes none; with it as the oldest version, the sending in `_Direct` can go.

Commands are packed in C, as redis-py's synchronous connections do it: argument by argument in Python, the packing took
a fifth of the outbox's time.

A command that was given up ends its connection at once, so that it does not arrive later.

A connection to a server that is no primary any more is closed, as Sidekiq does it: when the server says so, and when
its name leads elsewhere. The command was not done; redis-py sends it again over a new connection.

In a cluster the new connection goes to the node that the answer MOVED names.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import hiredis
import redis.connection as synchronous
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, ResponseError

from queue_lib.broker.trouble import code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from queue_lib.broker.cluster import Home
    from queue_lib.broker.names import Names

# What a server answers that is a replica by now, or not yet a server again. LOADING is closed by redis-py itself.
DEMOTED = frozenset({"READONLY", "MASTERDOWN", "UNBLOCKED"})
TAKEN = frozenset({str, bytes})  # by hiredis, exactly as redis-py packs them


class StaleConnectionError(RedisConnectionError):
    """The connection leads to a server that is not, or no longer, the one to work with."""


class _Renewed:
    """What both kinds of connections know of their server."""

    connected_at = 0.0  # monotonic seconds
    getpeername: Callable[[], str | None]
    host: Any
    port: Any

    def __init__(self, *, names: Names | None = None, home: Home | None = None, **words: Any) -> None:
        super().__init__(**words)
        self._names = names
        self._home = home
        self._first = getattr(self, "host", None), getattr(self, "port", None)  # of the settings

    def check_server(self) -> None:
        """Raise StaleConnectionError if the server's name leads elsewhere by now, or its server was a replica since.

        What only reads is not told so by the server: it would go on with data that are late.
        """
        host = getattr(self, "host", None)  # a Unix socket has none
        if self._names is None or host is None:
            return
        if self.connected_at < self._names.demoted_at:
            msg = f"{host} has answered another connection that it is no primary"
            raise StaleConnectionError(msg)
        peer = self._peer()
        if peer is not None and self._names.has_moved(host, peer, self.connected_at):
            msg = f"{host} leads to another address than {peer} now"
            raise StaleConnectionError(msg)

    @contextlib.contextmanager
    def _at_home(self) -> Iterator[None]:
        """Connect to the node of a cluster that has our keys, where one has been told; else to that of the settings."""
        if self._home is None:
            yield
            return
        self.host, self.port = self._home.address or self._first
        try:
            yield
        except OSError:
            self._home.forget()
            raise

    def _told(self, error: ResponseError) -> Exception:
        """The error, or what it says of the connection."""
        code = code_of(error)
        if isinstance(error, MovedError) and self._home is not None:
            self._home.moved(error.host, error.port, asked=str(getattr(self, "host", "")))
        elif code == "CLUSTERDOWN" and self._home is not None:  # a node that has left the cluster says so for ever
            self._home.forget()
        elif code not in DEMOTED:
            return error
        elif self._names is not None:
            self._names.demoted_at = time.monotonic()
        return StaleConnectionError(f"{code} {error}", status_code=code)

    def _peer(self) -> str | None:
        try:
            return self.getpeername()
        except OSError:  # the connection broke, as the command will find out
            return None


class _Direct(_Renewed, AbstractConnection):
    async def _connect(self) -> None:
        with self._at_home():
            await super()._connect()  # type: ignore[safe-super, no-untyped-call]
        self.connected_at = time.monotonic()

    def pack_command(self, *args: Any) -> list[bytes]:
        """Pack a command, as redis-py does it: the same bytes, the same errors."""
        # hiredis takes numbers and views, too, but ends the process at a number of more than 4,300 digits, and sends
        # other bytes of a view with gaps.
        try:
            encode: Callable[[object], bytes] = self.encoder.encode
            rest = [arg if type(arg) in TAKEN else bytes(encode(arg)) for arg in args[1:]]
            return [hiredis.pack_command((*args[0].split(), *rest))]  # as in `CONFIG GET`
        except (AttributeError, UnicodeEncodeError):  # a name that is no text, or half a letter, which is replaced
            return super().pack_command(*args)

    async def send_packed_command(self, command: Iterable[bytes], check_health: bool = True) -> None:  # type: ignore[override]  # noqa: FBT001, FBT002 -- redis-py's
        """Send, within `socket_timeout` seconds; what fails is retried, or raised, by redis-py's client."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        elif check_health:
            self.check_server()
            await self.check_health()  # type: ignore[no-untyped-call]
        try:
            self._check_open()
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command(command)
        except OSError as error:  # a TimeoutError is one
            await self.disconnect(nowait=True)
            msg = f"Error while writing to socket: {type(error).__name__} {error}"
            raise RedisConnectionError(msg) from error
        except BaseException:
            await self.disconnect(nowait=True)  # half of it may be sent
            raise

    def _check_open(self) -> None:
        """Raise ConnectionResetError if the connection broke. Python 3.12 and newer raise TypeError in `writelines`."""
        if self._writer is not None and self._writer.transport.is_closing():
            raise ConnectionResetError

    async def read_response(self, *args: Any, **words: Any) -> Any:
        """Read an answer. Raises StaleConnectionError for one of a server that is no primary."""
        try:
            return await super().read_response(*args, **words)
        except ResponseError as error:
            raise self._told(error) from None

    async def disconnect(self, nowait: bool = False, **words: Any) -> None:  # type: ignore[override]  # noqa: FBT001, FBT002 -- redis-py's
        """Close; `nowait` drops what is not sent yet, for a command that was given up must not arrive later."""
        if nowait and self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(nowait=nowait, **words)


class _DirectConnection(_Direct, Connection):
    pass


class _DirectSSLConnection(_Direct, SSLConnection):
    pass


class _DirectUnixDomainSocketConnection(_Direct, UnixDomainSocketConnection):
    pass


class _Synchronous(_Renewed, synchronous.AbstractConnection):
    def _connect(self) -> Any:
        with self._at_home():
            sock = super()._connect()  # type: ignore[safe-super, no-untyped-call]
        self.connected_at = time.monotonic()
        return sock

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 -- redis-py's
        """Send."""
        if check_health and self.is_connected:
            self.check_server()
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]

    def read_response(self, *args: Any, **words: Any) -> Any:
        """Read an answer. Raises StaleConnectionError for one of a server that is no primary."""
        try:
            return super().read_response(*args, **words)
        except ResponseError as error:
            raise self._told(error) from None


class _SynchronousConnection(_Synchronous, synchronous.Connection):
    pass


class _SynchronousSSLConnection(_Synchronous, synchronous.SSLConnection):
    pass


class _SynchronousUnixDomainSocketConnection(_Synchronous, synchronous.UnixDomainSocketConnection):
    pass


DIRECT: dict[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _DirectConnection,
    SSLConnection: _DirectSSLConnection,
    UnixDomainSocketConnection: _DirectUnixDomainSocketConnection,
}
SYNCHRONOUS: dict[type[AbstractConnection], Any] = {
    Connection: _SynchronousConnection,
    SSLConnection: _SynchronousSSLConnection,
    UnixDomainSocketConnection: _SynchronousUnixDomainSocketConnection,
}
