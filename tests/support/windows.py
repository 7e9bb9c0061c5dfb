"""The rate limiter's windows, as the server itself sees them (MONITOR)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import redis.asyncio

from tests.support.chaos_worker import PUSHES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Seconds between what a script takes for now and what MONITOR shows: a busy machine stops between the two.
PRECISION = 0.02

Command = tuple[float, str]


@contextlib.asynccontextmanager
async def watched(url: str) -> AsyncIterator[list[Command]]:
    """Every INCR and PEXPIRE of the limiter, as they happen."""
    key = f"bull:{PUSHES}:limiter"
    commands: list[Command] = []

    async def watch(monitor: redis.asyncio.client.Monitor) -> None:
        async for line in monitor.listen():
            word, _, rest = line["command"].partition(" ")
            if word.lower() in {"incr", "pexpire"} and rest.startswith(key):
                commands.append((line["time"], word.lower()))

    async with redis.asyncio.Redis.from_url(url, socket_timeout=30) as client, client.monitor() as monitor:
        watching = asyncio.create_task(watch(monitor))
        try:
            yield commands
        finally:
            watching.cancel()
            await asyncio.wait([watching])


def windows(commands: list[Command]) -> list[tuple[float, int]]:
    """The start of each window, and how many jobs it counted: its first one is the INCR before the PEXPIRE."""
    words = [word for _, word in commands]
    first = [place for place in range(len(words)) if words[place : place + 2] == ["incr", "pexpire"]]
    return [
        (commands[begin][0], words[begin:end].count("incr"))
        for begin, end in zip(first, [*first[1:], len(words)], strict=True)
    ]
