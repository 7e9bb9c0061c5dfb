"""A client with one connection. Commands that are asked for while others are under way go together, in one write.

redis-py's own client lets each command wait until the one before it is answered. With five jobs at once, each then took
a wake-up, a write and a read of its own, in this process and in the server.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import redis.asyncio
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from queue_lib.broker.direct import StaleConnectionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Connection

# Of the loop, before a write: jobs that have started together end, and ask, within as many.
TURNS = 2
# Bytes of a write that has more than one command: what is sent together has one timeout together.
MOST = 256 * 1024


@dataclass(slots=True, eq=False)
class _Asked:
    """A command, packed, and its answer to come. `name` and `options` are how redis-py reads that."""

    name: Any
    options: dict[str, Any]
    packed: list[bytes]
    answer: asyncio.Future[Any]

    def fail(self, error: Exception) -> None:
        """Answer with an error, unless there is an answer, or nobody waits for it any more."""
        if not self.answer.done():
            self.answer.set_exception(error)


class Together(redis.asyncio.Redis):
    """redis-py's client, made with `single_connection_client`, over a connection of `direct.py`."""

    def __init__(self, **words: Any) -> None:
        """Nothing is connected before the first command."""
        super().__init__(**words)
        self._asked: list[_Asked] = []
        self._under_way: Sequence[_Asked] = ()
        self._sending: asyncio.Task[None] | None = None
        self._has_begun = False  # the task that sends: a loop that ends may cancel it before

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Ask, and wait for the answer. A command that is given up before its turn is not sent."""
        if self.connection is None:
            await self.initialize()
        connection: Any = self.connection
        loop = asyncio.get_running_loop()
        asked = _Asked(args[0], options, connection.pack_command(*args), loop.create_future())
        self._asked.append(asked)
        if self._sending is None or (not self._has_begun and self._sending.cancelling()):
            self._start(connection)
        try:
            return await asked.answer
        except asyncio.CancelledError:
            self._break_off()
            raise

    def _break_off(self) -> None:
        """Where nobody waits for what is under way, end its connection, so that it does not arrive later."""
        if self._sending is not None and self._under_way and all(asked.answer.done() for asked in self._under_way):
            self._sending.cancel()

    def _start(self, connection: Connection) -> None:
        self._has_begun = False
        self._sending = asyncio.create_task(self._send(connection))

    async def _send(self, connection: Connection) -> None:
        """Send what is asked for, until nothing is: a task for many commands."""
        self._has_begun = True
        try:
            while self._asked:
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                if batch := self._next():
                    self._under_way = batch
                    await self._settle(connection, batch)
                    self._under_way = ()
        finally:
            for asked in self._under_way:
                asked.answer.cancel()
            self._under_way, self._sending = (), None
            if any(not asked.answer.done() for asked in self._asked):
                self._start(connection)

    def _next(self) -> Sequence[_Asked]:
        """What goes in the next write, in its order, without what was given up."""
        left = [asked for asked in self._asked if not asked.answer.done()]
        size = 0
        for number, asked in enumerate(left):
            size += sum(map(len, asked.packed))
            if size > MOST and number > 0:
                self._asked = left[number:]
                return left[:number]
        self._asked = []
        return left

    async def _settle(self, connection: Connection, batch: Sequence[_Asked]) -> None:
        """Answer all of them. What has no answer when the connection is lost is sent once more, as redis-py does it."""
        try:
            await connection.retry.call_with_retry(
                partial(self._exchange, connection, batch), lambda error: connection.disconnect(error=error)
            )
        except Exception as error:  # noqa: BLE001 -- those who wait raise it
            for asked in batch:
                asked.fail(error)
        if connection.should_reconnect():  # type: ignore[no-untyped-call]  # the server has said that it moves
            await connection.disconnect()

    async def _exchange(self, connection: Connection, batch: Sequence[_Asked]) -> None:
        """Send those that have no answer, and read the answers. Raises redis-py's errors of the connection."""
        if not connection.is_connected:
            await connection.connect_check_health(check_health=False)
        left = [asked for asked in batch if not asked.answer.done()]
        if not left:
            return
        await connection.send_packed_command([part for asked in left for part in asked.packed])
        stale = [error for asked in left if (error := await self._read(connection, asked)) is not None]
        if stale:
            raise stale[0]

    async def _read(self, connection: Connection, asked: _Asked) -> StaleConnectionError | None:
        """Answer one. Returns the error of a server that did not do it, and is not the one to ask; others it may do."""
        try:
            answer = await self.parse_response(connection, asked.name, **asked.options)
        except StaleConnectionError as error:
            return error
        except (RedisConnectionError, RedisTimeoutError):
            raise
        except Exception as error:  # noqa: BLE001 -- it is the answer
            asked.fail(error)
        else:
            if not asked.answer.done():
                asked.answer.set_result(answer)
        return None
