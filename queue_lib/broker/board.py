"""The board in Redis: facts that processes share."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from queue_lib.broker.trouble import outages_translated
from queue_lib.processor import Fact

if TYPE_CHECKING:
    from collections.abc import Callable

    import redis.asyncio

SCRIPT = (Path(__file__).parent / "board.lua").read_text()


class RedisBoard:
    """The port `Board` of `queue_lib.processor`, by the server's clock."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it stays the caller's to close. `prefix` is BullMQ's."""
        self._client = client
        self._prefix = f"{prefix}:board"
        self._run = client.register_script(SCRIPT)

    async def read(self, topic: str) -> dict[str, Fact]:
        """Run the script."""
        with outages_translated():
            facts = await self._run(keys=[self._key(topic)])
        triples = zip(facts[::3], facts[1::3], facts[2::3], strict=True)
        return {name: Fact(text, int(left) / 1000) for name, text, left in triples}

    async def write(self, topic: str, name: str, text: str, seconds: float) -> None:
        """Run the script."""
        with outages_translated():
            await self._run(keys=[self._key(topic)], args=[name, text, _milliseconds(seconds)])

    async def erase(self, topic: str, name: str) -> None:
        """Run the script."""
        with outages_translated():
            await self._run(keys=[self._key(topic)], args=[name])

    async def claim(self, topic: str, name: str, seconds: float) -> bool:
        """Set a key of its own, if there is none."""
        with outages_translated():
            key = f"{self._key(topic)}:claim:{name}"
            return bool(await self._client.set(key, "1", nx=True, px=_milliseconds(seconds)))

    def _key(self, topic: str) -> str:
        return f"{self._prefix}:{topic}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


class MemoryBoard:
    """The fake; several processes may share one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._facts: dict[tuple[str, str], tuple[str, float]] = {}
        self._claims: dict[tuple[str, str], float] = {}

    async def read(self, topic: str) -> dict[str, Fact]:
        """What is left."""
        now = self._clock()
        self._facts = {key: (text, end) for key, (text, end) in self._facts.items() if end > now}
        return {name: Fact(text, end - now) for (of, name), (text, end) in self._facts.items() if of == topic}

    async def write(self, topic: str, name: str, text: str, seconds: float) -> None:
        """Keep it."""
        self._facts[topic, name] = (text, self._clock() + seconds)

    async def erase(self, topic: str, name: str) -> None:
        """Forget it."""
        self._facts.pop((topic, name), None)

    async def claim(self, topic: str, name: str, seconds: float) -> bool:
        """Keep the claim until its time is over."""
        now = self._clock()
        if self._claims.get((topic, name), now) > now:
            return False
        self._claims[topic, name] = now + seconds
        return True
