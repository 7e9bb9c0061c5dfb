"""redis-py's connections, without the task that they start for each command on Python 3.11; given up, they end at once.

They send within `asyncio.wait_for`, which there makes a task of what it waits for: that, and the turn of the loop until
it has its turn, was a tenth of a push job. Python 3.12's makes none; then `send_packed_command` can go.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection
from redis.exceptions import ConnectionError as RedisConnectionError

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Direct(AbstractConnection):
    async def send_packed_command(self, command: Iterable[bytes], check_health: bool = True) -> None:  # type: ignore[override]  # noqa: FBT001, FBT002 -- redis-py's
        """Send, within `socket_timeout` seconds; what fails is retried, or raised, by redis-py's client."""
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command(command)
        except OSError as error:  # a TimeoutError is one
            await self.disconnect(nowait=True)
            msg = f"Error while writing to socket: {type(error).__name__} {error}"
            raise RedisConnectionError(msg) from error
        except BaseException:
            await self.disconnect(nowait=True)  # half of it may be sent
            raise

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


DIRECT: dict[type[AbstractConnection], type[AbstractConnection]] = {
    Connection: _DirectConnection,
    SSLConnection: _DirectSSLConnection,
    UnixDomainSocketConnection: _DirectUnixDomainSocketConnection,
}
