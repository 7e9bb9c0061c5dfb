"""Commands that go together over a link that splits, delays and cuts: each has its own answer, or none."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from queue_lib.broker.connection import client, options

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMANDS = 200
CANCELS = 60
COUNT = "return {ARGV[1], redis.call('INCR', KEYS[1])}"
PIECES = (1, 7, 50, 4096, 65_536)  # bytes


class _Link:
    """Passes bytes in pieces, some of them late, and cuts its first connections amid the answers."""

    def __init__(self, url: str, chance: random.Random, cuts: int) -> None:
        self._port = urlsplit(url).port
        self._chance = chance
        self._served: set[asyncio.Task[Any] | None] = set()
        self.cuts_left = cuts

    async def ended(self) -> None:
        """Wait until all connections are closed."""
        await asyncio.gather(*(task for task in self._served if task is not None))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._served.add(asyncio.current_task())
        its_reader, its_writer = await asyncio.open_connection("127.0.0.1", self._port)
        cut_after = self._chance.randrange(500, 4000) if self.cuts_left else None
        await asyncio.gather(self._pass(reader, its_writer), self._pass(its_reader, writer, cut_after))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut_after: int | None = None
    ) -> None:
        passed = 0
        while piece := await self._piece(reader):
            writer.write(piece)
            passed += len(piece)
            if cut_after is not None and passed > cut_after:
                self.cuts_left -= 1
                break
        writer.transport.abort()

    async def _piece(self, reader: asyncio.StreamReader) -> bytes:
        if self._chance.random() < 0.2:
            await asyncio.sleep(self._chance.random() / 1000)
        try:
            return await reader.read(self._chance.choice(PIECES))
        except ConnectionError:
            return b""


async def _ask(redis: Any, count: Any, number: int, chance: random.Random) -> int | None:
    """One command, whose answer must be its own; returns the count, if it counts."""
    await asyncio.sleep(number / 1000)
    match number % 4:
        case 0:
            text = "x" * chance.choice((0, 10, 20_000)) + str(number)
            assert text == await redis.echo(text)
        case 1:
            text, runs = await count(keys=[f"runs:{number}"], args=[number])
            assert text == str(number)
            return int(runs)
        case 2:
            assert [str(number), None] == await redis.mget(f"number:{number}", f"none:{number}")
        case _:
            with pytest.raises(ResponseError, match=f"no-command-{number}"):
                await redis.execute_command(f"no-command-{number}")
    return None


async def _give_up_some(asked: Iterable[asyncio.Task[Any]], chance: random.Random) -> None:
    """Cancel commands: some that are under way, and some that have not had their turn."""
    for _ in range(CANCELS):
        await asyncio.sleep(chance.random() / 200)
        if left := [task for task in asked if not task.done()][:10]:
            chance.choice(left).cancel()


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("cuts", [0, 2])
async def test_each_command_has_its_own_answer(redis_url: str, seed: int, cuts: int) -> None:
    """Whatever is given up, and wherever bytes are split, late or cut. What is answered is not done again."""
    chance = random.Random(seed)
    link = _Link(redis_url, chance, cuts)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    direct: Any = client(options(redis_url), decode=True, name="direct")
    await direct.mset({f"number:{number}": number for number in range(COMMANDS)})
    url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    redis: Any = client(options(url), decode=True, name="test")
    count = redis.register_script(COUNT)
    asked = [asyncio.create_task(_ask(redis, count, number, chance)) for number in range(COMMANDS)]
    await _give_up_some(asked, chance)
    async with asyncio.timeout(20):
        answers = await asyncio.gather(*asked, return_exceptions=True)

    failed = [type(answer) for answer in answers if isinstance(answer, BaseException)]
    assert {asyncio.CancelledError} == set(failed) - ({RedisConnectionError} if cuts else set())
    assert {int, type(None)} <= {type(answer) for answer in answers}
    assert 0 == link.cuts_left
    for number, runs in enumerate(answers):
        if isinstance(runs, int):
            assert runs == int(await direct.get(f"runs:{number}")) <= (2 if cuts else 1)
    await redis.aclose()
    await direct.aclose()
    server.close()
    async with asyncio.timeout(5):
        await link.ended()
