"""The board in Redis: facts that processes share, and the cancel keys whose jobs were taken back."""

from __future__ import annotations

import asyncio
import math
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from queue_lib.broker.gatherings import MemoryGatherings, RedisGatherings
from queue_lib.broker.trouble import outages_translated
from queue_lib.processor import Fact

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import redis.asyncio

    from queue_lib.processor import Gathered

_MOMENT = re.compile(r"[0-9]{1,15}")
SCRIPT = (Path(__file__).parent / "board.lua").read_text()
PUBLISH = (Path(__file__).parent / "publish.lua").read_text()


class RedisBoard:
    """The port `Board` of `queue_lib.processor`. Facts last by the server's clock.

    The wire of `cancel`, for other programs: set `<prefix>:pushmill:cancelled:<key>` to a text of digits, the next full
    millisecond since the epoch by the clock of the program that calls, with an end (`SET ... PX`, or `EX`). Jobs with
    the key whose time (BullMQ's `timestamp`, RQ's `created_at`) is not later are taken back. The call returns once that
    millisecond has passed, so that a job that is added next has a later time.
    """

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it stays the caller's to close. `prefix` is BullMQ's."""
        self._client = client
        self._prefix = f"{prefix}:board"
        self._cancelled = f"{prefix}:pushmill:cancelled"
        self._gatherings = RedisGatherings(client, prefix)
        self._run = client.register_script(SCRIPT)
        self._publish = client.register_script(PUBLISH)

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

    async def publish(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """Run the script. A pipeline would take a connection more."""
        with outages_translated():
            return [int(heard) for heard in await self._publish(args=[part for each in messages for part in each])]

    async def claim(self, topic: str, name: str, seconds: float) -> bool:
        """Set a key of its own, if there is none."""
        with outages_translated():
            key = f"{self._key(topic)}:claim:{name}"
            return bool(await self._client.set(key, "1", nx=True, px=_milliseconds(seconds)))

    async def cancel(self, key: str, seconds: float) -> None:
        """Set a key of its own to the next full millisecond, and wait until that has passed."""
        moment = math.ceil(time.time() * 1000)
        with outages_translated():
            await self._client.set(self._cancel_key(key), str(moment), px=_milliseconds(seconds))
        await asyncio.sleep((moment + 2) / 1000 - time.time())

    async def gather(self, gathering: str, member: str, event: str, seconds: float) -> Gathered:
        """Run the script."""
        return await self._gatherings.gather(gathering, member, event, seconds)

    async def forget(self, gathering: str, member: str) -> None:
        """Delete the events."""
        await self._gatherings.forget(gathering, member)

    async def cancelled(self, keys: Collection[str]) -> dict[str, float]:
        """Read their keys in one step. What is no time is none of ours."""
        with outages_translated():
            moments = await self._client.mget([self._cancel_key(key) for key in keys])
        told = zip(keys, moments, strict=True)
        return {key: int(moment) / 1000 for key, moment in told if moment and _MOMENT.fullmatch(str(moment))}

    def _key(self, topic: str) -> str:
        return f"{self._prefix}:{topic}"

    def _cancel_key(self, key: str) -> str:
        return f"{self._cancelled}:{_as_node_writes(key)}"


def _as_node_writes(key: str) -> str:
    """The key with U+FFFD in place of a lone surrogate, which UTF-8 can't have."""
    return key.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


class MemoryBoard:
    """The fake; several processes may share one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._facts: dict[tuple[str, str], tuple[str, float]] = {}
        self._claims: dict[tuple[str, str], float] = {}
        self._cancelled: dict[str, tuple[float, float]] = {}
        self._gatherings = MemoryGatherings(clock)
        self.published: list[tuple[str, str]] = []

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

    async def publish(self, messages: Sequence[tuple[str, str]]) -> list[int]:
        """Nobody listens; `published` has them."""
        self.published += messages
        return [0] * len(messages)

    async def claim(self, topic: str, name: str, seconds: float) -> bool:
        """Keep the claim until its time is over."""
        now = self._clock()
        if self._claims.get((topic, name), now) > now:
            return False
        self._claims[topic, name] = now + seconds
        return True

    async def cancel(self, key: str, seconds: float) -> None:
        """Keep the moment."""
        now = self._clock()
        self._cancelled[key] = (now, now + seconds)

    async def cancelled(self, keys: Collection[str]) -> dict[str, float]:
        """What is left."""
        now = self._clock()
        kept = {key: self._cancelled[key] for key in keys if key in self._cancelled}
        return {key: moment for key, (moment, end) in kept.items() if end > now}

    async def gather(self, gathering: str, member: str, event: str, seconds: float) -> Gathered:
        """Keep it."""
        return self._gatherings.gather(gathering, member, event, seconds)

    async def forget(self, gathering: str, member: str) -> None:
        """Forget it."""
        self._gatherings.forget(gathering, member)
